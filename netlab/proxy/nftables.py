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

from netlab.model.family import IPV4
from netlab.netfilter.nft import Chain, NftRuleset, NftTable
from netlab.proxy.backends import choose
from netlab.proxy.cache import PortCache
from netlab.proxy.nftables_base import COMMENT, TABLE, base_chains, base_sets
from netlab.proxy.nftables_port import NftPart, nft_port
from netlab.proxy.snapshot import NodeView, Proxied

Cache = PortCache[NftPart]


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> NftRuleset:
    """The table of a node. With a `cache`, shared by nodes and kept between calls, only changed ports are computed."""
    family = "ip" if node.family == IPV4 else "ip6"
    return NftRuleset((_table(family, proxied, node, cache or Cache()),))


def _table(family: str, proxied: Sequence[Proxied], node: NodeView, cache: Cache) -> NftTable:
    sets, elements = base_sets(family, node)
    named = {found.name: found for found in sets}
    chains: dict[str, Chain] = {chain.name: chain for chain in base_chains(family, node)}
    for part in cache.parts(proxied, node, partial(_part, node, family)):
        for chain in part.chains:
            chains[chain.name] = chain
        for found in part.sets:
            named[found.name] = found
        for name, key, element in part.elements:
            elements[name].setdefault(key, element)  # of two Services with the same address the first one has it
    return NftTable(family, TABLE, COMMENT, named, elements, chains)


def _part(node: NodeView, family: str, row: Proxied) -> NftPart:
    portal = row.portal
    choice = choose(row.backends, node=node.name, zone=node.zone, uses_cluster=portal.uses_cluster,
                    uses_local=portal.uses_local)
    return nft_port(portal, choice, node, family=family)
