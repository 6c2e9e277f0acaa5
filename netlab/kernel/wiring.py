"""Makes netns and their links from Wiring values, by netlink."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.topology.wiring import Wiring


def build(wirings: Sequence[Wiring]) -> None:
    """Makes every netns that is missing (named, so that `ip netns` shows it) and what its wiring says.

    Repeatable: what is there already is left alone. OSError with the kernel's words and the object that it refused.
    """
    raise NotImplementedError


def remove(netns: str) -> None:
    """Removes a netns and its /etc/netns entry; veths into it vanish with it. An absent one is fine."""
    raise NotImplementedError


def write_resolv_conf(netns: str, text: str) -> None:
    """Writes /etc/netns/NETNS/resolv.conf, which `ip netns exec NETNS` binds over /etc/resolv.conf."""
    raise NotImplementedError
