"""What makes each proxy mode's wishes true in a node's netns."""

from __future__ import annotations

from collections.abc import Callable

from netlab.controllers.family_proxy import Tables


def tables_of(mode: str) -> Callable[[str], Tables]:
    """What makes the tables of a netns, by its name."""
    if mode == "nftables":
        from netlab.kernel.nftables import NftTables

        return NftTables
    if mode == "userspace":
        from netlab.server.userspace import UserspaceTables

        return UserspaceTables
    if mode == "ipvs":
        from netlab.kernel.ipvs import IpvsTables

        return IpvsTables
    from netlab.kernel.shared_tables import SharedTables

    return SharedTables
