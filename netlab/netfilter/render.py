"""Rules as iptables-save prints them (iptables 1.8, legacy variant)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from netlab.model.family import with_port
from netlab.netfilter.rule import (
    ANY_PORT,
    CERTAIN,
    AddressType,
    Chance,
    Comment,
    Dnat,
    InSet,
    Jump,
    Marked,
    Masquerade,
    NotBridged,
    Ports,
    Recent,
    Redirect,
    Reject,
    Rule,
    SetMark,
    State,
    VirtualService,
)
from netlab.netfilter.ruleset import Chain, Ruleset, Table

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
FULL_MASK = 0xFFFFFFFF
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_OPTIONS = (("source", " -s "), ("destination", " -d "), ("in_interface", " -i "), ("out_interface", " -o "),
            ("protocol", " -p "))


def render(ruleset: Ruleset) -> str:
    """The text of iptables-legacy-save (ip6tables-legacy-save) for fresh tables, without its `#` lines."""
    return "".join(render_table(table) for table in ruleset.tables)


def render_table(table: Table) -> str:
    """One table from `*name` to `COMMIT`."""
    heads = (f":{chain.name} {chain.policy} [0:0]\n" for chain in table.chains)
    rules = (line + "\n" for chain in table.chains for line in render_chain(chain))
    return "".join((f"*{table.name}\n", *heads, *rules, "COMMIT\n"))


def render_chain(chain: Chain) -> list[str]:
    """The chain's rules, a line each."""
    return [f"-A {chain.name}{render_rule(rule)}" for rule in chain.rules]


def render_rule(rule: Rule) -> str:
    """The rule's options, each with a space before it."""
    parts = []
    for field, option in _OPTIONS:
        value = getattr(rule, field)
        if value:
            parts.append((" !" if field in rule.inverted else "") + option + value)
    parts += [_MATCHES[type(match)](match) for match in rule.matches]
    if rule.target is not None:
        parts.append(_TARGETS[type(rule.target)](rule.target))
    return "".join(parts)


def quote(text: str) -> str:
    """A word as iptables-save writes it: in quotes unless it is plain."""
    return text if _PLAIN.fullmatch(text) else '"' + re.sub(r"([\"'\\])", r"\\\1", text) + '"'


def _comment(match: Comment) -> str:
    return f" -m comment --comment {quote(match.text)}"


def _ports(match: Ports) -> str:
    return f" -m {match.protocol}{_range(' --sport', match.source)}{_range(' --dport', match.destination)}"


def _range(option: str, ports: tuple[int, int]) -> str:
    if ports == ANY_PORT:
        return ""
    low, high = ports
    return f"{option} {low}" if low == high else f"{option} {low}:{high}"


def _state(match: State) -> str:
    states = ",".join(state for state in STATES if state in match.states)
    name, option = ("state", "--state") if match.old_name else ("conntrack", "--ctstate")
    return f" -m {name}{' !' if match.inverted else ''} {option} {states}"


def _marked(match: Marked) -> str:
    mask = "" if match.mask == FULL_MASK else f"/{match.mask:#x}"
    return f" -m mark{' !' if match.inverted else ''} --mark {match.value:#x}{mask}"


def _chance(match: Chance) -> str:
    return f" -m statistic --mode random --probability {match.share / CERTAIN:.11f}"


def _address_type(match: AddressType) -> str:
    source = f"{' !' if match.not_source else ''} --src-type {match.source}" if match.source else ""
    return f" -m addrtype{source}" + (f" --dst-type {match.destination}" if match.destination else "")


def _recent(match: Recent) -> str:
    seconds = f" --seconds {match.seconds}" if match.seconds else ""
    reap = " --reap" if match.reap else ""
    return f" -m recent --{match.action}{seconds}{reap} --name {match.name} --mask {match.mask} --rsource"


def _jump(target: Jump) -> str:
    return f" {'-g' if target.goto else '-j'} {target.chain}"


def _set_mark(target: SetMark) -> str:
    return f" -j MARK --set-xmark {target.value:#x}/{target.mask:#x}"


def _masquerade(target: Masquerade) -> str:
    return " -j MASQUERADE" + (" --random-fully" if target.random_fully else "")


def _dnat(target: Dnat) -> str:
    return f" -j DNAT --to-destination {with_port(target.address, target.port)}"


def _reject(target: Reject) -> str:
    return f" -j REJECT --reject-with {target.answer}"


_MATCHES: dict[type, Callable[[Any], str]] = {
    Comment: _comment, Ports: _ports, State: _state, Marked: _marked, Chance: _chance,
    AddressType: _address_type, Recent: _recent,
    InSet: lambda match: f" -m set --match-set {match.name} {','.join(match.sides)}",
    VirtualService: lambda match: f" -m ipvs --vproto {PROTOCOLS[match.protocol]} --vaddr {match.address}"
                                  f" --vport {match.port}",
    NotBridged: lambda match: " -m physdev ! --physdev-is-in",
}
_TARGETS: dict[type, Callable[[Any], str]] = {
    Jump: _jump, SetMark: _set_mark, Masquerade: _masquerade, Dnat: _dnat, Reject: _reject,
    Redirect: lambda target: f" -j REDIRECT --to-ports {target.port}",
}
