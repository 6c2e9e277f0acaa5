"""Reads what iptables-save prints."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.model.family import IPV4
from netlab.netfilter.render import PROTOCOLS
from netlab.netfilter.rule import (
    ANY_PORT,
    WHOLE_ADDRESS,
    AddressType,
    Chance,
    Comment,
    Dnat,
    InSet,
    Jump,
    Marked,
    Masquerade,
    Match,
    NotBridged,
    Ports,
    Recent,
    Redirect,
    Reject,
    Rule,
    SetMark,
    State,
    Target,
    VirtualService,
    chance,
)
from netlab.netfilter.ruleset import BUILTIN, Chain, Ruleset, ruleset, table

_FIELDS = {"-s": "source", "-d": "destination", "-i": "in_interface", "-o": "out_interface", "-p": "protocol"}


class NotUnderstood(ValueError):
    """A line that says something that our rules cannot; the message has its number and text."""


def parse(text: str, *, family: str = IPV4) -> Ruleset:
    """The ruleset that the text of iptables-save (ip6tables-save for IPv6) describes; not counters and `#` lines."""
    tables, name = [], ""
    chains: dict[str, Chain] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        try:
            if line.startswith("*"):
                name, chains = line[1:], {}
                if name not in BUILTIN:
                    raise NotUnderstood(f"table {name}")
            elif line.startswith(":"):
                chain, policy, *_ = line[1:].split()
                chains[chain] = Chain(chain, (), policy)
            elif line == "COMMIT":
                tables.append(table(name, chains.values(), family=family))
            elif line and not line.startswith("#"):
                words = list(split(line))
                if words[0] != "-A" or words[1] not in chains:
                    raise NotUnderstood("-A and a chain of this table must come first")
                old = chains[words[1]]
                chains[words[1]] = old._replace(rules=(*old.rules, parse_rule(words[2:])))
        except (ValueError, IndexError) as error:
            raise NotUnderstood(f"line {number}: {error}: {line}") from None
    return ruleset(tables, family=family)


def split(line: str) -> Iterator[str]:
    """The words of a line; quotes hold words together, a backslash takes the next character as it is."""
    word, quoted, started, position = "", False, False, 0
    while position < len(line):
        character = line[position]
        if character == "\\":
            position += 1
            word, started = word + line[position], True
        elif character == '"':
            quoted, started = not quoted, True
        elif character == " " and not quoted:
            if started:
                yield word
            word, started = "", False
        else:
            word, started = word + character, True
        position += 1
    if started:
        yield word


def parse_rule(words: list[str]) -> Rule:
    """The rule after `-A CHAIN`."""
    fields: dict[str, str] = {}
    inverted: set[str] = set()
    matches: list[Match] = []
    target: Target | None = None
    rest = words
    while rest:
        negated = rest[0] == "!"
        word, *rest = rest[1:] if negated else rest
        if word in _FIELDS:
            fields[_FIELDS[word]] = rest[0]
            inverted |= {_FIELDS[word]} if negated else set()
            rest = rest[1:]
        elif word == "-m" and not negated:
            options, rest = _options(rest[1:], rest[0])
            matches.append(_match(options))
        elif word in ("-j", "-g") and not negated:
            options, rest = _options(rest[1:], rest[0])
            target = Jump(rest_name(options), True) if word == "-g" else _target(options)
        else:
            raise NotUnderstood(f"option {word}")
    return Rule(tuple(matches), target, **fields, inverted=frozenset(inverted))


class _Options:
    """An extension's options; each must be asked for, what is left is not understood."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: dict[str, str] = {}
        self.negated: set[str] = set()

    def take(self, option: str, absent: str | None = None) -> str:
        value = self.values.pop(option, absent)
        if value is None:
            raise NotUnderstood(f"{self.name} without {option}")
        return value

    def flag(self, option: str) -> bool:
        return self.values.pop(option, None) is not None

    def done(self) -> None:
        if self.values:
            raise NotUnderstood(f"{self.name} {' '.join(self.values)}")


def rest_name(options: _Options) -> str:
    """The name of a chain, which has no options."""
    options.done()
    return options.name


def _options(words: list[str], name: str) -> tuple[_Options, list[str]]:
    found = _Options(name)
    while words and (words[0].startswith("--") or (words[0] == "!" and words[1].startswith("--"))):
        negated = words[0] == "!"
        option, *words = words[1:] if negated else words
        # A value never begins with a dash, except for a comment's text.
        count = int(bool(words) and (option == "--comment" or not words[0].startswith(("-", "!"))))
        count += option == "--match-set"  # a name and sides
        found.values[option] = " ".join(words[:count])
        words = words[count:]
        if negated:
            found.negated.add(option)
    return found, words


def _match(options: _Options) -> Match:
    match: Match
    name = options.name
    if options.negated - {"--ctstate", "--state", "--mark", "--src-type", "--physdev-is-in"}:
        raise NotUnderstood(f"! {' '.join(sorted(options.negated))}")
    if name == "comment":
        match = Comment(options.take("--comment"))
    elif name in ("tcp", "udp", "sctp"):
        match = Ports(name, _ports(options.take("--dport", "")), _ports(options.take("--sport", "")))
    elif name == "conntrack":
        match = State(frozenset(options.take("--ctstate").split(",")), "--ctstate" in options.negated)
    elif name == "state":
        match = State(frozenset(options.take("--state").split(",")), "--state" in options.negated, old_name=True)
    elif name == "mark":
        match = Marked(*_masked(options.take("--mark")), "--mark" in options.negated)
    elif name == "statistic" and options.take("--mode") == "random":
        match = _chance(options)
    elif name == "addrtype":
        match = AddressType(options.take("--src-type", ""), options.take("--dst-type", ""),
                            "--src-type" in options.negated)
    elif name == "recent":
        match = _recent(options)
    elif name == "set":
        match = _in_set(options)
    elif name == "ipvs":
        protocol = {str(number): name for name, number in PROTOCOLS.items()}[options.take("--vproto")]
        match = VirtualService(protocol, options.take("--vaddr").partition("/")[0], int(options.take("--vport")))
    elif name == "physdev" and options.negated and options.flag("--physdev-is-in"):
        match = NotBridged()
    else:
        raise NotUnderstood(f"match {name}")
    options.done()
    return match


def _in_set(options: _Options) -> InSet:
    name, _, sides = options.take("--match-set").partition(" ")
    return InSet(name, tuple(sides.split(",")))


def _chance(options: _Options) -> Chance:
    return chance(float(options.take("--probability")))


def _recent(options: _Options) -> Recent:
    action = next((word for word in ("set", "rcheck", "update", "remove") if options.flag(f"--{word}")), "")
    options.flag("--rsource")
    mask = options.take("--mask", WHOLE_ADDRESS[IPV4])
    if not action or mask not in WHOLE_ADDRESS.values():
        raise NotUnderstood("this use of match recent")
    return Recent(action, options.take("--name"), int(options.take("--seconds", "0")), options.flag("--reap"), mask)


def _target(options: _Options) -> Target:
    target: Target
    name = options.name
    if name == "MARK":
        target = SetMark(*_masked(options.take("--set-xmark")))
    elif name == "MASQUERADE":
        target = Masquerade(options.flag("--random-fully"))
    elif name == "DNAT":
        address, _, port = options.take("--to-destination").rpartition(":")
        target = Dnat(address.strip("[]"), int(port))
    elif name == "REDIRECT":
        target = Redirect(int(options.take("--to-ports")))
    elif name == "REJECT":
        target = Reject(options.take("--reject-with", "icmp-port-unreachable"))
    else:
        target = Jump(name)
    options.done()
    return target


def _ports(text: str) -> tuple[int, int]:
    if not text:
        return ANY_PORT
    low, _, high = text.partition(":")
    return int(low), int(high or low)


def _masked(text: str) -> tuple[int, int]:
    value, _, mask = text.partition("/")
    return int(value, 0), int(mask, 0) if mask else 0xFFFFFFFF
