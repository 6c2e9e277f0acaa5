"""Tables and whole rulesets as values, in the kernel's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import is_

from netlab.model.family import IPV4
from netlab.netfilter.part import Chain, Part, merged, part
from netlab.netfilter.rule import Rule

__all__ = ["BUILTIN", "Chain", "Ruleset", "Table", "ruleset", "table"]

# Built-in chains in the order of their hooks. Tables in the order in which iptables-save prints them when they were
# first used in the reverse order: the kernel lists the newest first.
BUILTIN = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


class Table:
    """A table of parts, all of its family. `packed` belongs to the kernel's side, for what it made of it."""

    def __init__(self, name: str, parts: Iterable[Part], *, family: str = IPV4) -> None:
        self.name = name
        self.family = family
        self.parts = tuple(parts)
        self.packed: object = None

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {len(self.parts)} parts)"

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """Built-in chains in hook order, then the others by name, as the kernel keeps them."""
        found = merged(self.parts)
        builtin = [_with_policy(found.pop(hook, Chain(hook))) for hook in BUILTIN[self.name]]
        return (*builtin, *(found[key] for key in sorted(found)))

    @cached_property
    def by_name(self) -> Mapping[str, Chain]:
        """The chains by their names."""
        return {chain.name: chain for chain in self.chains}

    def made_of(self, parts: tuple[Part, ...]) -> bool:
        """Whether it consists of just these objects."""
        return len(parts) == len(self.parts) and all(map(is_, parts, self.parts))

    def __eq__(self, other: object) -> bool:
        """Whether the chains are the same; those of parts that both have in common are not even made."""
        if self is other:
            return True
        if not isinstance(other, Table):
            return NotImplemented
        if self.name != other.name or self.family != other.family:
            return False
        mine, theirs = _without_common(self.parts, other.parts)
        if mine == theirs:
            return True
        # Rules tell the tables apart at once. Chains without any, and policies, may be in the common parts as well.
        return _rules(mine) == _rules(theirs) and self.chains == other.chains

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Ruleset:
    """What the legacy tables of a netns hold for one family, in the order of iptables-save or ip6tables-save."""

    tables: tuple[Table, ...] = ()
    family: str = IPV4

    def table(self, name: str) -> Table:
        """The table of that name; an empty one when the ruleset has none."""
        return next((table for table in self.tables if table.name == name), None) or table(name, {}, family=self.family)


def table(name: str, chains: Mapping[str, Iterable[Rule]] | Iterable[Chain], *, family: str = IPV4) -> Table:
    """A table with these chains, brought into the kernel's order; built-in chains are there in any case."""
    if isinstance(chains, Mapping):
        chains = [Chain(chain, tuple(rules)) for chain, rules in chains.items()]
    return Table(name, (part(chains, family=family),), family=family)


def ruleset(tables: Iterable[Table], *, family: str = IPV4) -> Ruleset:
    """A ruleset with these tables, in the order of iptables-save."""
    order = list(BUILTIN)
    return Ruleset(tuple(sorted(tables, key=lambda item: order.index(item.name))), family)


def _without_common(mine: tuple[Part, ...], theirs: tuple[Part, ...]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """What is left of both without the objects that both begin and end with."""
    shorter = min(len(mine), len(theirs))
    head = next((i for i in range(shorter) if mine[i] is not theirs[i]), shorter)
    tail = next((i for i in range(shorter - head) if mine[-1 - i] is not theirs[-1 - i]), shorter - head)
    return mine[head:len(mine) - tail], theirs[head:len(theirs) - tail]


def _rules(parts: tuple[Part, ...]) -> dict[str, tuple[Rule, ...]]:
    return {name: chain.rules for name, chain in merged(parts).items() if chain.rules}


def _with_policy(chain: Chain) -> Chain:
    return chain if chain.policy != "-" else chain._replace(policy="ACCEPT")
