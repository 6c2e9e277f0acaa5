"""A packet's way through nftables tables, without a kernel: see `trace`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from ipaddress import ip_address, ip_network

from netlab.netfilter.nft import (
    Chain,
    ChangeMark,
    Compare,
    Dnat,
    Lookup,
    Masquerade,
    NftRuleset,
    NftTable,
    Reject,
    Rule,
    Spread,
    Unmarked,
    Verdict,
)
from netlab.netfilter.nft_render import rule_text
from netlab.netfilter.ruleset import Ruleset
from netlab.netfilter.trace import Ends, Flow, Packet, Step, Trace, Walk, traced

Branch = tuple[float, Verdict | None]


class NftStep(Step):
    """A rule that matched."""

    def __str__(self) -> str:
        return f"{self.table} {self.chain} {rule_text(self.rule)}"


def trace_nft(ruleset: NftRuleset, packet: Packet, *, addresses: Collection[str] = (),
              remembered: Mapping[str, Collection[str]] | None = None) -> Trace:
    """Where the packet may end, through a node with these addresses of its own.

    `remembered` are the addresses that affinity sets hold.
    """
    family = "ip6" if ":" in packet.destination else "ip"
    tables = [table for table in ruleset.tables if table.family == family]
    return traced(_NftWalk(tables, frozenset(addresses), remembered or {}), packet)


class _NftWalk(Walk):
    def __init__(self, tables: list[NftTable], addresses: frozenset[str],
                 remembered: Mapping[str, Collection[str]]) -> None:
        super().__init__(Ruleset(), addresses, remembered)
        self.tables = tables

    def at_hook(self, hook: str, *, skip: str) -> Iterable[Callable[[Flow], Ends]]:
        found = [(chain.hook.priority, table, chain) for table in self.tables for chain in table.chains.values()
                 if chain.hook and chain.hook.name == hook.lower() and chain.hook.type != skip]
        return [partial(self._base, table, chain) for _, table, chain in sorted(found, key=lambda item: item[0])]

    def _base(self, table: NftTable, chain: Chain, flow: Flow) -> Ends:
        return [(end, verdict or "ACCEPT") for end, verdict in self._through(table, chain, flow)]

    def _through(self, table: NftTable, chain: Chain, flow: Flow) -> Ends:
        """The ends in a chain; "" is a return to where it was called."""
        ends: Ends = []
        live = [flow]
        for rule in chain.rules:
            staying: list[Flow] = []
            for one in live:
                if not all(self._holds(match, table, one) for match in rule.matches):
                    staying.append(one)
                    continue
                for share, verdict in self._branches(rule, table, one.packet):
                    step = NftStep(f"{table.family} {table.name}", chain.name, rule)
                    matched = one._replace(weight=one.weight * share, steps=(*one.steps, step))
                    for end, decided in self._apply(rule, verdict, table, matched):
                        if decided:
                            ends.append((end, decided))
                        else:
                            staying.append(end)
            live = staying
        return [(end, "" if verdict == "RETURN" else verdict) for end, verdict in ends] + [(end, "") for end in live]

    def _branches(self, rule: Rule, table: NftTable, packet: Packet) -> list[Branch]:
        """The verdicts that the rule may have, each with its probability; None when it has none."""
        action = rule.action
        if isinstance(action, Verdict):
            return [(1.0, action)]
        if isinstance(action, Spread):
            return [(1 / len(action.chains), Verdict("goto", name)) for name in action.chains]
        if isinstance(action, Lookup):
            key = tuple(_value(part, packet) for part in action.keys)
            element = table.elements.get(action.map, {}).get(key)
            return [(1.0, element.verdict if element else None)]
        return [(1.0, None)]

    def _apply(self, rule: Rule, verdict: Verdict | None, table: NftTable, flow: Flow) -> Ends:
        action = rule.action
        if verdict is not None:
            if not verdict.chain:
                return [(flow, verdict.kind.upper())]
            ends = self._through(table, table.chains[verdict.chain], flow)
            return [(end, decided or "RETURN") for end, decided in ends] if verdict.kind == "goto" else ends
        if isinstance(action, ChangeMark):
            mark = flow.mark | action.value if action.operator == "|" else flow.mark ^ action.value
            return [(flow._replace(mark=mark), "")]
        if isinstance(action, Masquerade):
            return [(flow._replace(masqueraded=True), "ACCEPT")]
        if isinstance(action, Reject):
            return [(flow, "REJECT")]
        if isinstance(action, Dnat):
            packet = flow.packet._replace(destination=action.address, port=action.port)
            return [(flow._replace(packet=packet, translated=True), "ACCEPT")]
        return [(flow, "")]

    def _holds(self, match: Compare | Unmarked, table: NftTable, flow: Flow) -> bool:
        if isinstance(match, Unmarked):
            return not flow.mark & match.mask
        return any(self._equals(match.key, value, table, flow.packet) for value in match.values) != match.inverted

    def _equals(self, key: str, value: str, table: NftTable, packet: Packet) -> bool:
        if key == "ct state":
            return value == "new"
        if key.startswith("fib"):
            address = packet.source if key == "fib saddr type" else packet.destination
            return self.is_local(address) == (value == "local")
        actual = _value(key, packet)
        if value.startswith("@"):
            return actual in self.remembered.get(value[1:], ()) or (actual,) in table.elements.get(value[1:], {})
        if key == "iifname":
            name = value.strip('"')
            return actual.startswith(name[:-1]) if name.endswith("*") else actual == name
        if key.endswith("addr"):
            return within(actual, value)
        return actual == value


def within(address: str, value: str) -> bool:
    """Whether the address is that address, or in that CIDR or range."""
    if "-" in value:
        first, last = (ip_address(end) for end in value.split("-"))
        return int(first) <= int(ip_address(address)) <= int(last)
    return ip_address(address) in ip_network(value)


def _value(key: str, packet: Packet) -> str:
    if key.endswith("dport"):
        return str(packet.port) if key in ("th dport", f"{packet.protocol} dport") else ""
    return {"saddr": packet.source, "daddr": packet.destination, "l4proto": packet.protocol,
            "iifname": packet.in_interface}[key.rpartition(" ")[2]]
