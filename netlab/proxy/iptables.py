"""kube-proxy's iptables mode: chain for chain and rule for rule what upstream writes.

    KUBE-SERVICES  -d clusterIP --dport port   -> KUBE-SVC-x   (internalTrafficPolicy Local: KUBE-SVL-x)
                   -d externalIP, LB address   -> KUBE-EXT-x   (source ranges: KUBE-FW-x first)
    KUBE-NODEPORTS --dport nodePort            -> KUBE-EXT-x
    KUBE-EXT-x     marks for masquerading      -> KUBE-SVC-x   (externalTrafficPolicy Local: KUBE-SVL-x)
    KUBE-SVC-x     a random one of             -> KUBE-SEP-y   -> DNAT

Without backends the rules are in the filter table, and reject. Services come in the order of their names.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from netlab.model.fields import contains
from netlab.netfilter.rule import (
    ACCEPT,
    DROP,
    AddressType,
    Chance,
    Comment,
    Dnat,
    Jump,
    Match,
    Ports,
    Recent,
    Reject,
    Rule,
    chance,
    port_match,
)
from netlab.netfilter.ruleset import Chain, Ruleset, ruleset, table
from netlab.proxy.backends import Backend, Choice, choose
from netlab.proxy.frontends import CLUSTER_IP, EXTERNAL_IP, LOAD_BALANCER_IP, Frontend, Portal
from netlab.proxy.iptables_base import MANGLE, MARK_MASQ, NAT, filter_table, node_ports_rule
from netlab.proxy.names import chain_hash
from netlab.proxy.snapshot import NodeView, Proxied

LARGE_CLUSTER = 1000  # endpoints; above that rules for endpoints carry no comments
TO_NODE = AddressType(destination="LOCAL")
FROM_NODE = AddressType(source="LOCAL")
NOT_FROM = frozenset({"source"})


class PortRules(NamedTuple):
    """What one port of a Service adds to the common chains, and its own chains in nat."""

    services: tuple[Rule, ...] = ()  # nat KUBE-SERVICES
    node_ports: tuple[Rule, ...] = ()  # nat KUBE-NODEPORTS
    chains: tuple[Chain, ...] = ()
    unserved: tuple[Rule, ...] = ()  # filter KUBE-SERVICES
    external_unserved: tuple[Rule, ...] = ()  # filter KUBE-EXTERNAL-SERVICES
    firewall: tuple[Rule, ...] = ()  # filter KUBE-PROXY-FIREWALL
    health: tuple[Rule, ...] = ()  # filter KUBE-NODEPORTS


Cache = MutableMapping[tuple[str, str, str], tuple[Proxied, NodeView, bool, PortRules]]


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> Ruleset:
    """The rules of a node. With a `cache`, shared by nodes and kept between calls, only changed ports are computed."""
    large = sum(len(row.backends) for row in proxied) > LARGE_CLUSTER
    rules = [_cached(row, node, large, cache) for row in proxied]
    nat: dict[str, Sequence[Rule]] = {
        **NAT,
        "KUBE-NODEPORTS": [rule for port in rules for rule in port.node_ports],
        "KUBE-SERVICES": [*(rule for port in rules for rule in port.services),
                          node_ports_rule(node.localhost_node_ports)],
    }
    chains = [Chain(name, tuple(own)) for name, own in nat.items()]
    for port in rules:
        chains += port.chains
    services = filter_table({
        "KUBE-SERVICES": [rule for port in rules for rule in port.unserved],
        "KUBE-EXTERNAL-SERVICES": [rule for port in rules for rule in port.external_unserved],
        "KUBE-PROXY-FIREWALL": [rule for port in rules for rule in port.firewall],
        "KUBE-NODEPORTS": [rule for port in rules for rule in port.health],
    }, localhost=node.localhost_node_ports)
    return ruleset((MANGLE, table("nat", chains), services))


def _cached(row: Proxied, node: NodeView, large: bool, cache: Cache | None) -> PortRules:
    if cache is None:
        return port_rules(row, node, large=large)
    portal = row.portal
    # Only what depends on the node is kept per node.
    own = portal.uses_local or any(b.zones for b in row.backends) or any(f.source_ranges for f in portal.frontends)
    key = portal.name, portal.protocol, node.name if own else ""
    known = cache.get(key)
    if known and known[0] is row and known[2] == large and (known[1] is node or _same(known[1], node, own)):
        return known[3]
    rules = port_rules(row, node, large=large)
    cache[key] = row, node, large, rules
    return rules


def _same(known: NodeView, node: NodeView, own: bool) -> bool:
    common = known.cluster_cidr == node.cluster_cidr and known.masquerade_all == node.masquerade_all
    return known == node if own else common


def port_rules(row: Proxied, node: NodeView, *, large: bool = False) -> PortRules:
    """The rules of one port of a Service on a node; `large` leaves out the comments on rules for endpoints."""
    portal = row.portal
    choice = choose(row.backends, node=node.name, zone=node.zone, uses_cluster=portal.uses_cluster,
                    uses_local=portal.uses_local)
    return _Port(portal, choice, node, large).rules()


class _Port:
    """The rules of one port while they are made."""

    def __init__(self, portal: Portal, choice: Choice, node: NodeView, large: bool) -> None:
        self.portal, self.choice, self.node = portal, choice, node
        self.protocol = portal.protocol.lower()
        self.key = portal.name + self.protocol
        self.hash = chain_hash(self.key)
        self.note: tuple[Match, ...] = () if large else (Comment(portal.name),)
        self.any_port = Ports(self.protocol)
        self._names: dict[Backend, tuple[str, Jump]] = {}
        self.large = large
        self.internal = Jump(("KUBE-SVL-" if portal.internal_local else "KUBE-SVC-") + self.hash)
        self.external = Jump(("KUBE-SVL-" if portal.external_local else "KUBE-SVC-") + self.hash)
        self.has_internal = choice.any and bool(choice.local or not portal.internal_local)
        self.has_external = choice.any and bool(choice.local or not portal.external_local)

    def rules(self) -> PortRules:
        portal, choice = self.portal, self.choice
        services: list[Rule] = []
        node_ports: list[Rule] = []
        unserved: list[Rule] = []
        external_unserved: list[Rule] = []
        firewall: list[Rule] = []
        ext = Jump(f"KUBE-EXT-{self.hash}")
        for row in portal.frontends:
            if row.kind == CLUSTER_IP:
                if self.has_internal:
                    services.append(self._to(row, f"{portal.name} cluster IP", self.internal))
                else:
                    unserved.append(self._refuse(row))
                continue
            if choice.any and row.kind == EXTERNAL_IP:
                services.append(self._to(row, f"{portal.name} external IP", ext))
            elif choice.any and row.kind == LOAD_BALANCER_IP:
                target = Jump(f"KUBE-FW-{self.hash}") if row.source_ranges else ext
                services.append(self._to(row, f"{portal.name} loadbalancer IP", target))
                if row.source_ranges:
                    firewall.append(self._to(row, f"{portal.name} traffic not accepted by {target.chain}", DROP))
            elif choice.any:
                node_ports.append(Rule((Comment(portal.name), port_match(self.protocol, row.port)), ext,
                                       protocol=self.protocol))
            if not self.has_external:
                external_unserved.append(self._refuse(row))
        health: tuple[Rule, ...] = ()
        if portal.health_check_node_port:
            note = Comment(f"{portal.name} health check node port")
            health = (Rule((note, port_match("tcp", portal.health_check_node_port)), ACCEPT, protocol="tcp"),)
        return PortRules(tuple(services), tuple(node_ports), tuple(self._chains(ext)), tuple(unserved),
                         tuple(external_unserved), tuple(firewall), health)

    def _to(self, row: Frontend, comment: str, target: Jump) -> Rule:
        return Rule((Comment(comment), port_match(self.protocol, row.port)), target, "", f"{row.address}/32",
                    self.protocol)

    def _refuse(self, row: Frontend) -> Rule:
        note = Comment(f"{self.portal.name} has no {'local ' if self.choice.any else ''}endpoints")
        target = DROP if self.choice.any else Reject()
        if row.address:
            return Rule((note, port_match(self.protocol, row.port)), target, "", f"{row.address}/32", self.protocol)
        return Rule((note, TO_NODE, port_match(self.protocol, row.port)), target, protocol=self.protocol)

    def _chains(self, ext: Jump) -> list[Chain]:
        if not self.choice.any:
            return []
        portal, choice = self.portal, self.choice
        chains = []
        marks = self._internal_marks() if self.has_internal else []
        for prefix, used, backends in (("KUBE-SVC-", portal.uses_cluster, choice.cluster),
                                       ("KUBE-SVL-", portal.uses_local, choice.local)):
            name = prefix + self.hash
            if used and backends:
                first = marks if name == self.internal.chain else []
                chains.append(Chain(name, (*first, *self._balance(backends))))
        if portal.external:
            chains.append(Chain(ext.chain, tuple(self._external())))
        guarded = [row for row in portal.frontends if row.source_ranges]
        if guarded:
            chains.append(Chain(f"KUBE-FW-{self.hash}", tuple(self._firewall(guarded, ext))))
        chains += [self._endpoint(backend, self._named(backend)[1]) for backend in choice.reachable]
        return chains

    def _internal_marks(self) -> list[Rule]:
        row = self.portal.frontends[0]
        rule = self._to(row, f"{self.portal.name} cluster IP", MARK_MASQ)
        if self.node.masquerade_all:
            return [rule]
        if self.node.cluster_cidr:
            return [Rule(rule.matches, MARK_MASQ, self.node.cluster_cidr, rule.destination, rule.protocol,
                         inverted=NOT_FROM)]
        return []

    def _named(self, backend: Backend) -> tuple[str, Jump]:
        known = self._names.get(backend)
        if known is None:
            text = f"{backend.address}:{backend.port}"
            known = self._names[backend] = text, Jump("KUBE-SEP-" + chain_hash(self.key + text))
        return known

    def _balance(self, backends: Sequence[Backend]) -> list[Rule]:
        seconds, left = self.portal.affinity_seconds, len(backends)
        sticky, rules = [], []
        for backend in backends:
            text, jump = self._named(backend)
            note: tuple[Match, ...] = () if self.large else (Comment(f"{self.portal.name} -> {text}"),)
            if seconds:
                sticky.append(Rule((*note, Recent("rcheck", jump.chain, seconds, True)), jump))
            rules.append(Rule((*note, one_of(left)) if left > 1 else note, jump))
            left -= 1
        return sticky + rules

    def _external(self) -> list[Rule]:
        name = self.portal.name
        rules = []
        if self.portal.external_local:
            everywhere = Jump(f"KUBE-SVC-{self.hash}")
            if self.node.cluster_cidr:
                note = Comment(f"pod traffic for {name} external destinations")
                rules.append(Rule((note,), everywhere, source=self.node.cluster_cidr))
            note = Comment(f"masquerade LOCAL traffic for {name} external destinations")
            rules.append(Rule((note, FROM_NODE), MARK_MASQ))
            note = Comment(f"route LOCAL traffic for {name} external destinations")
            rules.append(Rule((note, FROM_NODE), everywhere))
        else:
            rules.append(Rule((Comment(f"masquerade traffic for {name} external destinations"),), MARK_MASQ))
        if self.has_external:
            rules.append(Rule((), self.external))
        return rules

    def _firewall(self, rows: Sequence[Frontend], ext: Jump) -> list[Rule]:
        name = self.portal.name
        note = Comment(f"{name} loadbalancer IP")
        ranges = rows[0].source_ranges
        rules = [Rule((note,), ext, source="" if cidr == "0.0.0.0/0" else cidr) for cidr in ranges]
        # A node that is allowed itself reaches the address with the address as its source.
        if any(contains(cidr, address) for cidr in ranges for address in self.node.addresses):
            rules += [Rule((note,), ext, source=f"{row.address}/32") for row in rows]
        return [*rules, Rule((Comment(f"other traffic to {name} will be dropped by KUBE-PROXY-FIREWALL"),))]

    def _endpoint(self, backend: Backend, jump: Jump) -> Chain:
        remember = (Recent("set", jump.chain),) if self.portal.affinity_seconds else ()
        return Chain(jump.chain, (
            Rule(self.note, MARK_MASQ, f"{backend.address}/32"),
            Rule((*self.note, *remember, self.any_port), Dnat(backend.address, backend.port), "", "", self.protocol),
        ))


@lru_cache(maxsize=1024)
def one_of(count: int) -> Chance:
    """One in `count`, with the ten digits that kube-proxy hands to iptables-restore."""
    return chance(float(f"{1 / count:.10f}"))
