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
from dataclasses import replace
from functools import partial
from operator import attrgetter

from netlab.netfilter.nft import NftRuleset, NftTable
from netlab.proxy.backends import choose
from netlab.proxy.cache import PortCache
from netlab.proxy.nftables_base import base_table, nft_family, own_elements
from netlab.proxy.nftables_joined import Joined
from netlab.proxy.nftables_port import NftPart, nft_port
from netlab.proxy.snapshot import NodeView, Proxied


class Cache(PortCache[NftPart]):
    """What was compiled before: parts of ports, and tables. Nodes whose rules are all alike share a table's parts."""

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[str, tuple[NodeView, Joined]] = {}
        self._differ: tuple[Sequence[Proxied], bool] = (), False

    def table(self, rows: Sequence[Proxied], node: NodeView) -> NftTable:
        """The node's table."""
        if self._differ[0] is not rows:
            self._differ = rows, any(map(attrgetter("differs"), rows))
        of, view = (node.name, node) if self._differ[1] \
            else ("", replace(node, name="", addresses=(), zone="", gateways=()))
        part = self.maker(node, partial(_part, node))
        known, found = self._tables.get(of) or (None, None)
        if found is None or known != view:
            found = Joined(base_table(view), rows, part)
        found.follow(rows, part)
        self._tables[of] = view, found
        return replace(found.table, elements={**found.table.elements, **own_elements(node)})


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> NftRuleset:
    """The table of a node. With a `cache`, shared by nodes and kept between calls, only changed ports are computed."""
    return NftRuleset(((cache or Cache()).table(proxied, node),))


def _part(node: NodeView, row: Proxied) -> NftPart:
    portal = row.portal
    choice = choose(row.backends, node=node.name, zone=node.zone, uses_cluster=portal.uses_cluster,
                    uses_local=portal.uses_local)
    return nft_port(portal, choice, node, family=nft_family(node))
