"""What writes each mode's rules into a netns."""

from __future__ import annotations

from netlab.kernel.iptables import NodeTables
from netlab.kernel.nftables import NftTables

TABLES: dict[str, type[NodeTables] | type[NftTables]] = {"iptables": NodeTables, "nftables": NftTables}
