"""kube-proxy's iptables mode: chain for chain and rule for rule what upstream writes.

    KUBE-SERVICES  -d clusterIP --dport port   -> KUBE-SVC-x   (internalTrafficPolicy Local: KUBE-SVL-x)
                   -d externalIP, LB address   -> KUBE-EXT-x   (source ranges: KUBE-FW-x first)
    KUBE-NODEPORTS --dport nodePort            -> KUBE-EXT-x
    KUBE-EXT-x     marks for masquerading      -> KUBE-SVC-x   (externalTrafficPolicy Local: KUBE-SVL-x)
    KUBE-SVC-x     a random one of             -> KUBE-SEP-y   -> DNAT

Without backends the rules are in the filter table, and reject. Services come in the order of their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netlab.model.family import IPV4
from netlab.netfilter.part import Part
from netlab.netfilter.ruleset import Ruleset, Table, ruleset
from netlab.proxy.backends import choose
from netlab.proxy.iptables_base import MANGLE, first_part, last_part
from netlab.proxy.iptables_shape import parts_of
from netlab.proxy.snapshot import NodeView, Proxied

LARGE_CLUSTER = 1000  # endpoints; above that rules for endpoints carry no comments
TABLES_KEPT = 8
VIEWS_KEPT = 16  # nodes may tell pods from others by different addresses


class PortParts(NamedTuple):
    """What one port of a Service puts into the tables."""

    row: Proxied
    nat: Part | None
    filter: Part | None


class Cache:
    """What was compiled before, for all nodes: ports that did not change are not computed again."""

    def __init__(self) -> None:
        self._common: dict[tuple[object, ...], dict[int, PortParts]] = {}
        self._own: dict[tuple[str, str], tuple[tuple[NodeView, bool], dict[int, PortParts]]] = {}
        self._tables: list[Table] = []

    def common(self, node: NodeView, *, large: bool) -> dict[int, PortParts]:
        """Ports that are alike on all nodes, by the identity of their row."""
        key = node.family, node.cluster_cidr, node.pod_interface, node.masquerade_all, large
        held = self._common.pop(key, {})
        self._common = {known: self._common[known] for known in list(self._common)[1 - VIEWS_KEPT:]} | {key: held}
        return held

    def own(self, node: NodeView, *, large: bool) -> dict[int, PortParts]:
        """Ports that are this node's own, by the identity of their row."""
        key = node.name, node.family
        known = self._own.get(key)
        if known is None or known[0] != (node, large):
            known = self._own[key] = (node, large), {}
        return known[1]

    def table(self, name: str, family: str, parts: tuple[Part, ...]) -> Table:
        """The table of these parts: the same object as before, if it was asked for a short time ago."""
        for table in self._tables:
            if table.name == name and table.family == family and table.made_of(parts):
                return table
        table = Table(name, parts, family=family)
        self._tables = [table, *self._tables[:TABLES_KEPT - 1]]
        return table

    def prune(self, rows: Sequence[Proxied], *, family: str = IPV4) -> None:
        """Forgets the family's rows that are not there any more."""
        here = {id(row) for row in rows}
        for known in (*(held for key, held in self._common.items() if key[0] == family),
                      *(held for key, (_, held) in self._own.items() if key[1] == family)):
            for key in known.keys() - here:
                del known[key]


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> Ruleset:
    """The rules of a node. With a `cache`, shared by nodes and kept between calls, only changed ports are computed."""
    if cache is None:
        cache = Cache()
    large = sum([len(row.backends) for row in proxied]) > LARGE_CLUSTER
    common, own = cache.common(node, large=large), cache.own(node, large=large)
    missing = [row for row in proxied if id(row) not in common and id(row) not in own]
    for parts in port_parts(missing, node, large=large):  # which hold their rows, so that ids stay theirs
        (own if parts.row.differs else common)[id(parts.row)] = parts
    ports = [common.get(id(row)) or own[id(row)] for row in proxied]
    family, localhost, mark = node.family, node.localhost, node.masquerade_mark
    first = first_part("nat", localhost, family, mark)
    last = last_part(localhost, family, node.node_port_ips())
    nat = cache.table("nat", family, (first, *[port.nat for port in ports if port.nat], last))
    guards = first_part("filter", localhost, family, mark, node.drop_invalid)
    services = cache.table("filter", family, (guards, *[port.filter for port in ports if port.filter]))
    return ruleset((MANGLE[family], nat, services), family=family)


def port_parts(rows: Sequence[Proxied], node: NodeView, *, large: bool) -> list[PortParts]:
    """What these ports of Services put into the node's tables."""
    chosen = [(row.portal, choose(row.backends, node=node.name, zone=node.zone, uses_cluster=row.portal.uses_cluster,
                                  uses_local=row.portal.uses_local)) for row in rows]
    return [PortParts(row, *parts) for row, parts in zip(rows, parts_of(chosen, node, large=large), strict=True)]
