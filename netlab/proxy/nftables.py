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
from operator import is_

from netlab.model.family import IPV4
from netlab.netfilter.nft import Chain, Collection, Element, Key, NftRuleset, NftTable
from netlab.proxy.backends import choose
from netlab.proxy.cache import PortCache
from netlab.proxy.nftables_base import COMMENT, TABLE, base_chains, base_sets
from netlab.proxy.nftables_port import NftPart, nft_port
from netlab.proxy.snapshot import NodeView, Proxied


class Cache(PortCache[NftPart]):
    """What was compiled before. Nodes whose parts are all the same share what these make together."""

    def __init__(self) -> None:
        super().__init__()
        self._together: tuple[list[NftPart], NftTable] = [], NftTable("", "")

    def together(self, parts: list[NftPart]) -> NftTable:
        """The chains, sets and elements of all parts."""
        if len(parts) != len(self._together[0]) or not all(map(is_, parts, self._together[0])):
            new = _joined(parts)
            old = self._together[1].elements  # the same objects again, where nothing changed: they are told apart fast
            same = {name: old[name] for name, found in new.elements.items() if old.get(name) == found}
            self._together = parts, replace(new, elements={**new.elements, **same})
        return self._together[1]


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> NftRuleset:
    """The table of a node. With a `cache`, shared by nodes and kept between calls, only changed ports are computed."""
    family = "ip" if node.family == IPV4 else "ip6"
    return NftRuleset((_table(family, proxied, node, cache or Cache()),))


def _table(family: str, proxied: Sequence[Proxied], node: NodeView, cache: Cache) -> NftTable:
    sets, elements = base_sets(family, node)
    found = cache.together(cache.parts(proxied, node, partial(_part, node, family)))
    return NftTable(family, TABLE, COMMENT, {**{one.name: one for one in sets}, **found.sets},
                    {name: {**found.elements.get(name, {}), **own} if own else found.elements.get(name, own)
                     for name, own in elements.items()},
                    {**{chain.name: chain for chain in base_chains(family, node)}, **found.chains})


def _joined(parts: list[NftPart]) -> NftTable:
    chains: dict[str, Chain] = {}
    sets: dict[str, Collection] = {}
    elements: dict[str, dict[Key, Element]] = {}
    for part in parts:
        for chain in part.chains:
            chains[chain.name] = chain
        for one in part.sets:
            sets[one.name] = one
        for name, key, element in part.elements:
            elements.setdefault(name, {}).setdefault(key, element)  # of two Services with an address the first has it
    return NftTable("", "", "", sets, elements, chains)


def _part(node: NodeView, family: str, row: Proxied) -> NftPart:
    portal = row.portal
    choice = choose(row.backends, node=node.name, zone=node.zone, uses_cluster=portal.uses_cluster,
                    uses_local=portal.uses_local)
    return nft_port(portal, choice, node, family=family)
