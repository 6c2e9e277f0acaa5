"""kube-proxy's nftables mode: one table `kube-proxy` whose maps lead straight to a Service's chain.

    services     ip daddr . meta l4proto . th dport vmap @service-ips         -> service-x, local-x or external-x
                 ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports -> external-x
    external-x   marks for masquerading                                       -> service-x (or local-x)
    service-x    numgen random mod N vmap { 0 : goto endpoint-y, ... }        -> dnat

What has no endpoints is found in @no-endpoint-services and @no-endpoint-nodeports, after the routing decision. Other
than in the iptables mode, 127.0.0.1 has no node ports, and cluster IPs refuse ports that no Service has.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from netlab.netfilter.nft import NftRuleset, NftTable
from netlab.proxy.backends import choose
from netlab.proxy.cache import PortCache
from netlab.proxy.nftables_base import base_table, nft_family
from netlab.proxy.nftables_joined import Joined, followed, joined
from netlab.proxy.nftables_port import NftPart, nft_port
from netlab.proxy.snapshot import NodeView, Proxied


class Cache(PortCache[NftPart]):
    """What was compiled before: the parts of ports for all nodes, and each node's table."""

    def __init__(self) -> None:
        super().__init__()
        self._bases: dict[str, tuple[NodeView, NftTable]] = {}
        self._tables: dict[str, Joined] = {}

    def base(self, node: NodeView) -> NftTable:
        """The node's table without any Service."""
        if node.name not in self._bases or self._bases[node.name][0] != node:
            self._bases[node.name] = node, base_table(node)
        return self._bases[node.name][1]

    def table(self, node: NodeView, parts: list[NftPart]) -> NftTable:
        """The node's table with these parts."""
        base, before = self.base(node), self._tables.get(node.name)
        self._tables[node.name] = followed(before, base, parts) if before else joined(base, parts)
        return self._tables[node.name].table


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> NftRuleset:
    """The table of a node. With a `cache`, shared by nodes and kept between calls, only changed ports are computed."""
    cache = cache or Cache()
    return NftRuleset((cache.table(node, cache.parts(proxied, node, partial(_part, node))),))


def _part(node: NodeView, row: Proxied) -> NftPart:
    portal = row.portal
    choice = choose(row.backends, node=node.name, zone=node.zone, uses_cluster=portal.uses_cluster,
                    uses_local=portal.uses_local)
    return nft_port(portal, choice, node, family=nft_family(node))
