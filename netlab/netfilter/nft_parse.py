"""Reads what `nft --stateless list table` prints."""

from __future__ import annotations

import re
from collections.abc import Callable

from netlab.netfilter.nft import (
    Action,
    Chain,
    ChangeMark,
    Collection,
    Compare,
    Dnat,
    Element,
    Hook,
    Key,
    Lookup,
    Masquerade,
    Match,
    NftRuleset,
    NftTable,
    Reject,
    Rule,
    Spread,
    Unmarked,
    Update,
    Verdict,
)
from netlab.netfilter.nft_render import PRIORITIES
from netlab.netfilter.parse import NotUnderstood

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_COMMENT = re.compile(r' comment "([^"]*)"$')
_HOOK = re.compile(r"type (\w+) hook (\w+) priority (-?\w+)(?: ([+-]) (\d+))?; policy accept;")
_VERDICT = r"(accept|drop|return|(?:jump|goto) \S+)"
_MATCH = re.compile(
    r"(ip6? [sd]addr|meta l4proto|(?:tcp|udp|sctp) dport|ct state|fib [sd]addr type|iifname) "
    r"(!= )?(?:\{ ([^}]*) \}|([^.\s]\S*)) ")
_UNMARKED = re.compile(r"meta mark & (0x[0-9a-f]+) == 0x0+ ")
_ACTIONS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Action]], ...] = (
    (re.compile(_VERDICT), lambda found: _verdict(found[1])),
    (re.compile(r"reject(?: with icmp(?:v6)? (?:type )?port-unreachable)?"), lambda found: Reject()),
    (re.compile("masquerade fully-random"), lambda found: Masquerade()),
    (re.compile(r"meta mark set meta mark ([|^]) (0x[0-9a-f]+)"),
     lambda found: ChangeMark(found[1], int(found[2], 16))),
    (re.compile(r"dnat to \[?([0-9a-f.:]+?)\]?:(\d+)"), lambda found: Dnat(found[1], int(found[2]))),
    (re.compile(r"update @(\S+) \{ (.+) \}"), lambda found: Update(found[1], found[2])),
    (re.compile(r"numgen random mod \d+ vmap \{ (.*) \}"), lambda found: Spread(_chains(found[1]))),
    (re.compile(r"([a-z0-9 .]+) vmap @(\S+)"), lambda found: Lookup(tuple(found[1].split(" . ")), found[2])),
)


def parse_nft(text: str) -> NftRuleset:
    """The tables that the text describes. NotUnderstood for what our tables never have."""
    tables: list[NftTable] = []
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    place = 0
    while place < len(lines):
        head = re.fullmatch(r"table (\S+) (\S+) \{(?: # handle \d+)?", lines[place])
        if not head:
            raise NotUnderstood(lines[place])
        reader = _Reader(lines, place + 1)
        tables.append(reader.table(head[1], head[2]))
        place = reader.place
    return NftRuleset(tuple(tables))


class _Reader:
    def __init__(self, lines: list[str], place: int) -> None:
        self.lines, self.place = lines, place

    def table(self, family: str, name: str) -> NftTable:
        comment = ""
        sets: dict[str, Collection] = {}
        elements: dict[str, dict[Key, Element]] = {}
        chains: dict[str, Chain] = {}
        while (line := self._next()) != "}":
            if line.startswith("comment "):
                comment = line[9:-1]
                continue
            kind, _, called = line.removesuffix(" {").partition(" ")
            body = self._block()
            if kind == "chain":
                chains[called] = _chain(called, body)
            elif kind in ("set", "map"):
                sets[called], elements[called] = _collection(called, body)
            else:
                raise NotUnderstood(line)
        return NftTable(family, name, comment, sets, elements, chains)

    def _next(self) -> str:
        self.place += 1
        if self.place > len(self.lines):
            raise NotUnderstood("a table without an end")
        return self.lines[self.place - 1]

    def _block(self) -> list[str]:
        body: list[str] = []
        while (line := self._next()) != "}":
            if body and body[-1].startswith("elements = {") and not body[-1].endswith(" }"):
                body[-1] += " " + line
            else:
                body.append(line)
        return body


def _chain(name: str, body: list[str]) -> Chain:
    chain = Chain(name)
    rules = []
    for line in body:
        if line.startswith("comment "):
            chain = chain._replace(comment=line[9:-1])
        elif line.startswith("type "):
            chain = chain._replace(hook=_hook(line))
        else:
            rules.append(parse_nft_rule(line))
    return chain._replace(rules=tuple(rules))


def _hook(line: str) -> Hook:
    found = _HOOK.fullmatch(line)
    if not found:
        raise NotUnderstood(line)
    base = PRIORITIES.get(found[3])
    priority = int(found[3]) if base is None else base
    if found[4]:
        priority += int(found[4] + found[5])
    return Hook(found[1], found[2], priority)


def parse_nft_rule(line: str) -> Rule:
    """The rule of that line."""
    comment = ""
    text = line
    if noted := _COMMENT.search(text):
        comment, text = noted[1], text[:noted.start()]
    matches: list[Match] = []
    while True:
        if found := _MATCH.match(text):
            values = tuple((found[3] or found[4]).split(", "))
            matches.append(Compare(found[1], values, bool(found[2])))
        elif found := _UNMARKED.match(text):
            matches.append(Unmarked(int(found[1], 16)))
        else:
            break
        text = text[found.end():]
    for pattern, make in _ACTIONS:
        if found := pattern.fullmatch(text):
            return Rule(tuple(matches), make(found), comment)
    raise NotUnderstood(line)


def _verdict(text: str) -> Verdict:
    kind, _, chain = text.partition(" ")
    return Verdict(kind, chain)


def _chains(text: str) -> tuple[str, ...]:
    chains = []
    for number, item in enumerate(text.split(", ")):
        key, _, chain = item.partition(" : goto ")
        if key != str(number) or not chain:
            raise NotUnderstood(text)
        chains.append(chain)
    return tuple(chains)


def _collection(name: str, body: list[str]) -> tuple[Collection, dict[Key, Element]]:
    found = Collection(name, "")
    elements: dict[Key, Element] = {}
    for line in body:
        word, _, rest = line.partition(" ")
        if word == "type":
            found = found._replace(type=rest)
        elif word == "comment":
            found = found._replace(comment=rest[1:-1])
        elif word == "timeout":
            seconds = sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([dhms])", rest))
            found = found._replace(timeout=seconds)
        elif word == "elements":
            elements = dict(map(_element, rest[4:-2].split(", ")))
        elif word not in ("size", "flags"):
            raise NotUnderstood(line)
    return found, {} if found.timeout else elements


def _element(text: str) -> tuple[Key, Element]:
    key, _, verdict = text.strip().partition(" : ")
    key, _, comment = key.partition(' comment "')
    return tuple(key.split(" . ")), Element(_verdict(verdict) if verdict else None, comment[:-1])
