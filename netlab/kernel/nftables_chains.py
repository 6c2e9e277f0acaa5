"""Chains as messages. What is made for one node serves the others: their chains are the same objects."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from netlab.kernel import nftables_sets
from netlab.kernel.nftables_expressions import action_words, load, lookup, match_words
from netlab.kernel.nftables_words import (
    APPEND,
    CREATE,
    FAMILIES,
    NEWCHAIN,
    NEWRULE,
    LeftToNft,
    expression,
    message,
    nest,
    note,
    number,
    text,
)
from netlab.netfilter.nft import Chain, Compare, Hook, Rule, Spread

KEPT = 20.0  # seconds; nodes that get the same do so one right after the other
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_ACCEPT = 1


class ChainWords(NamedTuple):
    """The message that makes the chain, and those that put its rules into it."""

    chain: Chain
    made: bytes
    rules: bytes


class Chains:
    """The chains of a table by their identity. Those that nobody asked for in some time are forgotten."""

    def __init__(self, family: str, table: str) -> None:
        self.family, self.table = family, text(1, table)
        self._new: dict[int, ChainWords] = {}
        self._old: dict[int, ChainWords] = {}
        self._since = time.monotonic()

    def words(self, chains: Iterable[Chain]) -> list[ChainWords]:
        """Each chain's messages."""
        self.forget()
        return [self._new.get(id(chain)) or self._found(chain) for chain in chains]

    def forget(self) -> None:
        """Drops what is old; to be called now and then."""
        now = time.monotonic()
        if now - self._since >= KEPT:
            self._old, self._new, self._since = self._new if now - self._since < KEPT * 2 else {}, {}, now

    def _found(self, chain: Chain) -> ChainWords:
        found = self._old.get(id(chain)) or chain_words(self.family, self.table, chain)
        self._new[id(chain)] = found  # which holds the chain, so its id stays its own
        return found


def chain_words(family: str, table: bytes, chain: Chain) -> ChainWords:
    """The messages of a chain; `table` is the attribute with the table's name. LeftToNft when nft must do it."""
    number_of = FAMILIES[family]
    body = table + text(3, chain.name) + (_hook(chain.hook) if chain.hook else b"") \
        + (note(12, chain.comment) if chain.comment else b"")
    place = table + text(2, chain.name)
    return ChainWords(chain, message(NEWCHAIN, CREATE, number_of, body),
                      b"".join([_rule(family, number_of, table, place, rule) for rule in chain.rules]))


def _hook(hook: Hook) -> bytes:
    if hook.name not in HOOKS:
        raise LeftToNft
    return text(7, hook.type) + number(5, _ACCEPT) \
        + nest(4, number(1, HOOKS[hook.name]) + number(2, hook.priority & 0xFFFFFFFF))


def _rule(family: str, number_of: int, table: bytes, place: bytes, rule: Rule) -> bytes:
    before, steps = b"", b""
    for match in rule.matches:
        if type(match) is Compare and len(match.values) > 1 and match.key.endswith("addr"):
            name, reference, made = nftables_sets.values(table, number_of, match.values,
                                                         size=16 if family == "ip6" else 4)
            before += made
            steps += load(match.key) + lookup(name, inverted=match.inverted, number_of=reference)
        else:
            steps += match_words(match)
    action = rule.action
    if type(action) is Spread:
        name, reference, made = nftables_sets.spread(table, number_of, action.chains)
        before += made
        steps += _pick(len(action.chains)) + lookup(name, answers=True, number_of=reference)
    else:
        steps += action_words(action, family)
    words = place + nest(4, steps)
    return before + message(NEWRULE, CREATE | APPEND, number_of,
                            words + note(7, rule.comment) if rule.comment else words)


@lru_cache(64)
def _pick(most: int) -> bytes:
    """A random number below that."""
    return expression("numgen", number(1, 1) + number(2, most) + number(3, 1) + number(4, 0))
