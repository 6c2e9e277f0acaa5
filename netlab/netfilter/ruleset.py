"""Chains, tables and whole rulesets as values, in the kernel's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from netlab.netfilter.rule import Rule

# Built-in chains in the order of their hooks. Tables in the order in which iptables-save prints them when they were
# first used in the reverse order: the kernel lists the newest first.
BUILTIN = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


class Chain(NamedTuple):
    """A chain; `policy` is what a built-in chain does with packets that no rule decided on."""

    name: str
    rules: tuple[Rule, ...] = ()
    policy: str = "-"


@dataclass(frozen=True)
class Table:
    """A table: built-in chains in hook order, then the others by name, as the kernel keeps them."""

    name: str
    chains: tuple[Chain, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Chain]:
        """The chains by their names."""
        return {chain.name: chain for chain in self.chains}


@dataclass(frozen=True)
class Ruleset:
    """What the legacy tables of a netns hold, in the order of iptables-save."""

    tables: tuple[Table, ...] = ()

    def table(self, name: str) -> Table:
        """The table of that name; an empty one when the ruleset has none."""
        return next((table for table in self.tables if table.name == name), None) or table(name, {})


def table(name: str, chains: Mapping[str, Iterable[Rule]] | Iterable[Chain]) -> Table:
    """A table with these chains, brought into the kernel's order; built-in chains are there in any case."""
    if isinstance(chains, Mapping):
        chains = [Chain(chain, tuple(rules)) for chain, rules in chains.items()]
    found = {chain.name: chain for chain in chains}
    builtin = [_with_policy(found.pop(hook, Chain(hook))) for hook in BUILTIN[name]]
    return Table(name, (*builtin, *(found[key] for key in sorted(found))))


def ruleset(tables: Iterable[Table]) -> Ruleset:
    """A ruleset with these tables, in the order of iptables-save."""
    order = list(BUILTIN)
    return Ruleset(tuple(sorted(tables, key=lambda item: order.index(item.name))))


def _with_policy(chain: Chain) -> Chain:
    return chain if chain.policy != "-" else chain._replace(policy="ACCEPT")
