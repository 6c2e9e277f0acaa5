"""The rules of a load balancer outside of the cluster: from a Service's address to nodes, or to pods.

    nat     PREROUTING, OUTPUT -> LB-SERVICES    -d address --dport port         -> LB-SVC-x
            LB-SVC-x           a random one of (with client affinity: the same)  -> LB-NODE-y -> DNAT
            POSTROUTING        ipMode Proxy: what was translated is masqueraded
    filter  INPUT              -> LB-FIREWALL    what source ranges do not allow is dropped

A connection is translated once and stays with its node. Without any healthy node nothing is translated: the load
balancer itself refuses the connection, since nobody listens there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from netlab.model.family import EVERYTHING, IPV4, family_of, host_range, with_port
from netlab.netfilter.part import Chain
from netlab.netfilter.rule import (
    DROP,
    RETURN,
    WHOLE_ADDRESS,
    Comment,
    Dnat,
    Jump,
    Masquerade,
    Match,
    Ports,
    Recent,
    Rule,
    State,
    port_match,
)
from netlab.netfilter.ruleset import Ruleset, ruleset, table
from netlab.proxy.iptables_port import one_of
from netlab.proxy.names import chain_hash

SERVICES, FIREWALL = "LB-SERVICES", "LB-FIREWALL"


class Target(NamedTuple):
    """Where a connection may go: a node's address and node port, or a pod's."""

    address: str
    port: int


class Balanced(NamedTuple):
    """One port of a Service at its external address; `name` is `NAMESPACE/SERVICE:PORT`."""

    name: str
    address: str
    port: int
    protocol: str
    targets: tuple[Target, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0


def compile_balancer(ports: Iterable[Balanced], *, masquerade: bool, family: str = IPV4) -> Ruleset:
    """The load balancer's rules of a family, whose ports alone count; with `masquerade` nodes see it instead of its
    clients.
    """
    services: list[Rule] = []
    chains: list[Chain] = []
    firewall: list[Rule] = []
    for row in sorted(port for port in ports if family_of(port.address) == family):
        protocol = row.protocol.lower()
        if row.targets:
            found = _balance(row, protocol)
            chains += found
            ranges = row.source_ranges or ("",)
            services += [_to(row, protocol, Jump(found[0].name), source=_any(cidr)) for cidr in ranges]
        if row.source_ranges:
            firewall += [_to(row, protocol, RETURN, source=_any(cidr)) for cidr in row.source_ranges]
            firewall.append(_to(row, protocol, DROP))
    enter = (Rule((Comment("service addresses"),), Jump(SERVICES)),)
    leave = (Rule((State(frozenset({"DNAT"})), Comment("nodes answer to the load balancer")), Masquerade()),)
    nat = [Chain("PREROUTING", enter), Chain("OUTPUT", enter), Chain("POSTROUTING", leave if masquerade else ()),
           Chain(SERVICES, tuple(services)), *chains]
    guard = [Chain("INPUT", (Rule((Comment("source ranges"),), Jump(FIREWALL)),)), Chain(FIREWALL, tuple(firewall))]
    return ruleset((table("nat", nat, family=family), table("filter", guard, family=family)), family=family)


def _any(cidr: str) -> str:
    return "" if cidr in EVERYTHING.values() else cidr


def _to(row: Balanced, protocol: str, target: Jump, *, source: str = "") -> Rule:
    return Rule((Comment(row.name), port_match(protocol, row.port)), target, source, host_range(row.address),
                protocol)


def _balance(row: Balanced, protocol: str) -> list[Chain]:
    """The chain that chooses, and one for each target."""
    key = row.name + protocol
    jumps = [Jump("LB-NODE-" + chain_hash(f"{key}{target.address}:{target.port}")) for target in row.targets]
    sticky: list[Rule] = []
    shared: list[Rule] = []
    ends: list[Chain] = []
    left = len(jumps)
    mask = WHOLE_ADDRESS[family_of(row.address)]
    for target, jump in zip(row.targets, jumps, strict=True):
        note = Comment(f"{row.name} -> {with_port(*target)}")
        remember: tuple[Match, ...] = ()
        if row.affinity_seconds:
            sticky.append(Rule((note, Recent("rcheck", jump.chain, row.affinity_seconds, True, mask)), jump))
            remember = (Recent("set", jump.chain, mask=mask),)
        shared.append(Rule((note, one_of(left)) if left > 1 else (note,), jump))
        left -= 1
        ends.append(Chain(jump.chain, (Rule((Comment(row.name), *remember, Ports(protocol)),
                                            Dnat(target.address, target.port), protocol=protocol),)))
    return [Chain("LB-SVC-" + chain_hash(key), (*sticky, *shared)), *ends]
