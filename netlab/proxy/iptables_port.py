"""The rules of one port of a Service on a node, in kube-proxy's iptables mode."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from netlab.model.family import EVERYTHING, host_range, with_port
from netlab.model.fields import contains
from netlab.netfilter.part import Chain
from netlab.netfilter.rule import (
    ACCEPT,
    DROP,
    PORT_UNREACHABLE,
    WHOLE_ADDRESS,
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
from netlab.proxy.backends import Backend, Choice
from netlab.proxy.frontends import CLUSTER_IP, EXTERNAL_IP, LOAD_BALANCER_IP, Frontend, Portal
from netlab.proxy.iptables_base import MARK_MASQ
from netlab.proxy.names import chain_hash
from netlab.proxy.snapshot import NodeView

TO_NODE = AddressType(destination="LOCAL")
FROM_NODE = AddressType(source="LOCAL")
NOT_FROM, NOT_FROM_INTERFACE = frozenset({"source"}), frozenset({"in_interface"})


class PortRules(NamedTuple):
    """What one port of a Service adds to the chains of nat and filter, its own chains included."""

    nat: tuple[Chain, ...] = ()
    filter: tuple[Chain, ...] = ()


def port_rules(portal: Portal, choice: Choice, node: NodeView, *, large: bool) -> PortRules:
    """The rules of a port with these backends; `large` leaves out the comments on rules for endpoints."""
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
        self.mask = WHOLE_ADDRESS[node.family]
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
        health: list[Rule] = []
        if portal.health_check_node_port:
            note = Comment(f"{portal.name} health check node port")
            health = [Rule((note, port_match("tcp", portal.health_check_node_port)), ACCEPT, protocol="tcp")]
        nat = {"KUBE-SERVICES": services, "KUBE-NODEPORTS": node_ports}
        refusals = {"KUBE-SERVICES": unserved, "KUBE-EXTERNAL-SERVICES": external_unserved,
                    "KUBE-PROXY-FIREWALL": firewall, "KUBE-NODEPORTS": health}
        return PortRules((*_filled(nat), *self._chains(ext)), tuple(_filled(refusals)))

    def _to(self, row: Frontend, comment: str, target: Jump) -> Rule:
        return Rule((Comment(comment), port_match(self.protocol, row.port)), target, "", host_range(row.address),
                    self.protocol)

    def _refuse(self, row: Frontend) -> Rule:
        note = Comment(f"{self.portal.name} has no {'local ' if self.choice.any else ''}endpoints")
        target = DROP if self.choice.any else Reject(PORT_UNREACHABLE[self.node.family])
        if row.address:
            return Rule((note, port_match(self.protocol, row.port)), target, "", host_range(row.address), self.protocol)
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
        if self.node.pod_interface:
            return [rule._replace(target=MARK_MASQ, in_interface=self.node.pod_interface, inverted=NOT_FROM_INTERFACE)]
        if self.node.cluster_cidr:
            return [Rule(rule.matches, MARK_MASQ, self.node.cluster_cidr, rule.destination, rule.protocol,
                         inverted=NOT_FROM)]
        return []

    def _named(self, backend: Backend) -> tuple[str, Jump]:
        known = self._names.get(backend)
        if known is None:
            text = with_port(backend.address, backend.port)
            known = self._names[backend] = text, Jump("KUBE-SEP-" + chain_hash(self.key + text))
        return known

    def _balance(self, backends: Sequence[Backend]) -> list[Rule]:
        seconds, left = self.portal.affinity_seconds, len(backends)
        sticky, rules = [], []
        for backend in backends:
            text, jump = self._named(backend)
            note: tuple[Match, ...] = () if self.large else (Comment(f"{self.portal.name} -> {text}"),)
            if seconds:
                sticky.append(Rule((*note, Recent("rcheck", jump.chain, seconds, True, self.mask)), jump))
            rules.append(Rule((*note, one_of(left)) if left > 1 else note, jump))
            left -= 1
        return sticky + rules

    def _external(self) -> list[Rule]:
        name = self.portal.name
        rules = []
        if self.portal.external_local:
            everywhere = Jump(f"KUBE-SVC-{self.hash}")
            if self.node.tells_pods:
                note = Comment(f"pod traffic for {name} external destinations")
                source = "" if self.node.pod_interface else self.node.cluster_cidr
                rules.append(Rule((note,), everywhere, source, in_interface=self.node.pod_interface))
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
        rules = [Rule((note,), ext, source="" if cidr == EVERYTHING[self.node.family] else cidr) for cidr in ranges]
        # A node that is allowed itself reaches the address with the address as its source.
        if any(contains(cidr, address) for cidr in ranges for address in self.node.addresses[:1]):
            rules += [Rule((note,), ext, source=host_range(row.address)) for row in rows]
        return [*rules, Rule((Comment(f"other traffic to {name} will be dropped by KUBE-PROXY-FIREWALL"),))]

    def _endpoint(self, backend: Backend, jump: Jump) -> Chain:
        remember = (Recent("set", jump.chain, mask=self.mask),) if self.portal.affinity_seconds else ()
        return Chain(jump.chain, (
            Rule(self.note, MARK_MASQ, host_range(backend.address)),
            Rule((*self.note, *remember, self.any_port), Dnat(backend.address, backend.port), "", "", self.protocol),
        ))


def _filled(chains: dict[str, list[Rule]]) -> list[Chain]:
    return [Chain(name, tuple(rules)) for name, rules in chains.items() if rules]


@lru_cache(maxsize=1024)
def one_of(count: int) -> Chance:
    """One in `count`, with the ten digits that kube-proxy hands to iptables-restore."""
    return chance(float(f"{1 / count:.10f}"))
