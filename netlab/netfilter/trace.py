"""A packet's way through a ruleset, without a kernel.

It is the first packet of a connection: the one that the nat table sees. Both sides of a random choice are followed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from netlab.model.family import host_range, with_port
from netlab.netfilter.render import render_rule
from netlab.netfilter.rule import (
    CERTAIN,
    AddressType,
    Chance,
    Dnat,
    Jump,
    Marked,
    Masquerade,
    Match,
    Ports,
    Recent,
    Redirect,
    Reject,
    Rule,
    SetMark,
    State,
)
from netlab.netfilter.ruleset import Ruleset

# Which tables a hook asks, in the order of their priorities (linux/netfilter_ipv4.h).
HOOKS = {
    "PREROUTING": ("mangle", "nat"), "INPUT": ("mangle", "filter", "nat"), "FORWARD": ("mangle", "filter"),
    "OUTPUT": ("mangle", "nat", "filter"), "POSTROUTING": ("mangle", "nat"),
}


class Packet(NamedTuple):
    """The first packet of a connection; without `in_interface` the node itself sends it. `port` is its destination."""

    source: str
    destination: str
    port: int
    protocol: str = "tcp"
    in_interface: str = ""
    source_port: int = 40000


class Step(NamedTuple):
    """A rule that matched."""

    table: str
    chain: str
    rule: Any

    def __str__(self) -> str:
        return f"{self.table} -A {self.chain}{render_rule(self.rule)}"


@dataclass(frozen=True)
class Outcome:
    """One possible end: `verdict` is accept, drop or reject; where the packet was headed then, and how likely."""

    verdict: str
    address: str
    port: int
    masqueraded: bool
    weight: float
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Trace:
    """All possible ends of a packet's way; their weights add up to 1."""

    outcomes: tuple[Outcome, ...]

    @property
    def destinations(self) -> dict[str, float]:
        """`ADDRESS:PORT` (`[ADDRESS]:PORT`) of every place that the packet may reach, with its probability."""
        found: dict[str, float] = {}
        for outcome in self.outcomes:
            if outcome.verdict == "accept":
                key = with_port(outcome.address, outcome.port)
                found[key] = found.get(key, 0.0) + outcome.weight
        return found

    @property
    def verdicts(self) -> frozenset[str]:
        """The verdicts that are possible."""
        return frozenset(outcome.verdict for outcome in self.outcomes)

    @property
    def masqueraded(self) -> bool:
        """Whether the other end sees the node's address on every way on which the packet gets through."""
        through = [outcome.masqueraded for outcome in self.outcomes if outcome.verdict == "accept"]
        return bool(through) and all(through)


def trace(ruleset: Ruleset, packet: Packet, *, addresses: Collection[str] = (),
          remembered: Mapping[str, Collection[str]] | None = None) -> Trace:
    """Where the packet may end, through a node with these addresses of its own.

    `remembered` are the sources that the lists of `recent` hold, all of them fresh.
    """
    return traced(Walk(ruleset, frozenset(addresses), remembered or {}), packet)


def traced(walk: Walk, packet: Packet) -> Trace:
    """Where that walk may lead the packet."""
    return Trace(tuple(_outcome(flow, verdict) for flow, verdict in walk.route(Flow(packet))))


class Flow(NamedTuple):
    """A packet on its way, and how likely it is that it got so far."""

    packet: Packet
    mark: int = 0
    translated: bool = False
    masqueraded: bool = False
    weight: float = 1.0
    steps: tuple[Step, ...] = ()


Ends = list[tuple[Flow, str]]


def _outcome(flow: Flow, verdict: str) -> Outcome:
    packet = flow.packet
    return Outcome(verdict.lower(), packet.destination, packet.port, flow.masqueraded, flow.weight, flow.steps)


class Walk:
    """The ways of a packet through a node, from hook to hook; here through iptables."""

    def __init__(self, ruleset: Ruleset, addresses: frozenset[str], remembered: Mapping[str, Collection[str]]) -> None:
        self.ruleset, self.addresses, self.remembered = ruleset, addresses, remembered

    def route(self, flow: Flow) -> Ends:
        """All ends of the flow."""
        if flow.packet.in_interface:
            return self._then(self._hooks([flow], "PREROUTING"), self._arrived)
        return self._then(self._hooks([flow], "OUTPUT", "POSTROUTING"), self._looped)

    def _arrived(self, flow: Flow) -> Ends:
        if self.is_local(flow.packet.destination):
            return self._hooks([flow], "INPUT")
        return self._hooks([flow], "FORWARD", "POSTROUTING")

    def _looped(self, flow: Flow) -> Ends:
        """What the node sends to itself comes in again; the nat table has seen the connection already."""
        if not self.is_local(flow.packet.destination):
            return [(flow, "ACCEPT")]
        inside = flow._replace(packet=flow.packet._replace(in_interface="lo"))
        return self._hooks([inside], "PREROUTING", "INPUT", skip="nat")

    @staticmethod
    def _then(ends: Ends, further: Callable[[Flow], Ends]) -> Ends:
        return [end for flow, verdict in ends
                for end in (further(flow) if verdict == "ACCEPT" else [(flow, verdict)])]

    def _hooks(self, flows: Iterable[Flow], *hooks: str, skip: str = "") -> Ends:
        ends: Ends = [(flow, "ACCEPT") for flow in flows]
        for hook in hooks:
            for chain in self.at_hook(hook, skip=skip):
                ends = [end for flow, verdict in ends for end in
                        (chain(flow) if verdict == "ACCEPT" else [(flow, verdict)])]
        return ends

    def at_hook(self, hook: str, *, skip: str) -> Iterable[Callable[[Flow], Ends]]:
        """What the hook asks, in order; the kind `skip` is left out."""
        return [partial(self._builtin, table, hook) for table in HOOKS[hook] if table != skip]

    def _builtin(self, table: str, hook: str, flow: Flow) -> Ends:
        policy = self.ruleset.table(table).by_name[hook].policy
        return [(end, verdict or policy) for end, verdict in self._chain(table, hook, flow)]

    def _chain(self, table: str, name: str, flow: Flow) -> Ends:
        """The ends in a chain; "" is a return to where it was called."""
        ends: Ends = []
        live = [flow]
        for rule in self.ruleset.table(table).by_name[name].rules:
            staying = []
            for one in live:
                share = self._share(rule, one)
                if share < 1:
                    staying.append(one._replace(weight=one.weight * (1 - share)) if share else one)
                if share:
                    matched = one._replace(weight=one.weight * share, steps=(*one.steps, Step(table, name, rule)))
                    for end, verdict in self._target(table, rule, matched):
                        if verdict:
                            ends.append((end, verdict))
                        else:
                            staying.append(end)
            live = staying
        return [(end, "" if verdict == "RETURN" else verdict) for end, verdict in ends] + [(end, "") for end in live]

    def _target(self, table: str, rule: Rule, flow: Flow) -> Ends:
        target = rule.target
        if isinstance(target, Jump):
            if target.chain in ("ACCEPT", "DROP", "RETURN"):
                return [(flow, target.chain)]
            ends = self._chain(table, target.chain, flow)
            return [(end, verdict or "RETURN") for end, verdict in ends] if target.goto else ends
        if isinstance(target, SetMark):
            return [(flow._replace(mark=flow.mark & ~target.mask ^ target.value), "")]
        if isinstance(target, Masquerade):
            return [(flow._replace(masqueraded=True), "ACCEPT")]
        if isinstance(target, Redirect):
            packet = flow.packet._replace(destination=min(self.addresses, default="127.0.0.1"), port=target.port)
            return [(flow._replace(packet=packet, translated=True), "ACCEPT")]
        if isinstance(target, Dnat):
            packet = flow.packet._replace(destination=target.address, port=target.port)
            return [(flow._replace(packet=packet, translated=True), "ACCEPT")]
        return [(flow, "REJECT" if isinstance(target, Reject) else "")]

    def _share(self, rule: Rule, flow: Flow) -> float:
        """The part of such packets that the rule matches."""
        packet = flow.packet
        share = 1.0
        for field, holds in (("source", _within(packet.source, rule.source)),
                             ("destination", _within(packet.destination, rule.destination)),
                             ("protocol", not rule.protocol or rule.protocol == packet.protocol),
                             ("in_interface", _named(packet.in_interface, rule.in_interface)),
                             ("out_interface", not rule.out_interface)):
            if holds == (field in rule.inverted):
                return 0.0
        for match in rule.matches:
            if isinstance(match, Chance):
                share *= match.share / CERTAIN
            elif not self._matches(match, flow):
                return 0.0
        return share

    def _matches(self, match: Match, flow: Flow) -> bool:
        packet = flow.packet
        if isinstance(match, Ports):
            return match.protocol == packet.protocol and match.destination[0] <= packet.port <= match.destination[1] \
                and match.source[0] <= packet.source_port <= match.source[1]
        if isinstance(match, State):
            states = {"NEW", "DNAT"} if flow.translated else {"NEW"}
            return bool(states & match.states) != match.inverted
        if isinstance(match, Marked):
            return (flow.mark & match.mask == match.value) != match.inverted
        if isinstance(match, AddressType):
            return all(not kind or ((kind == "LOCAL") == self.is_local(address)) != inverted for kind, address, inverted
                       in ((match.source, packet.source, match.not_source),
                           (match.destination, packet.destination, False)))
        if isinstance(match, Recent) and match.action != "set":
            return packet.source in self.remembered.get(match.name, ())
        return True

    def is_local(self, address: str) -> bool:
        """Whether the node itself has the address."""
        return address in self.addresses or address.startswith("127.") or address == "::1"


def _within(address: str, cidr: str) -> bool:
    if not cidr:
        return True
    if cidr == host_range(address):
        return True
    return ip_address(address) in ip_network(cidr)


def _named(interface: str, pattern: str) -> bool:
    if pattern.endswith("+"):
        return interface.startswith(pattern[:-1])
    return not pattern or interface == pattern
