"""An nftables table as a value: sets, verdict maps, chains and rules, as kube-proxy's nftables mode uses them.

Keys are nft's own words (`ip daddr`, `meta l4proto`, `th dport`), so IPv4 and IPv6 tables differ in words only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Compare(NamedTuple):
    """`KEY [!=] VALUE`: the packet has one of the values. A value is an address, a CIDR, a range or `@SET`."""

    key: str
    values: tuple[str, ...]
    inverted: bool = False


class Unmarked(NamedTuple):
    """`meta mark & MASK == 0`."""

    mask: int


class Verdict(NamedTuple):
    """`accept`, `drop`, `return`, or `jump`/`goto` with a chain."""

    kind: str
    chain: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.chain}" if self.chain else self.kind


class Lookup(NamedTuple):
    """`KEY . KEY vmap @MAP`: the verdict that the map has for these values; none: the next rule."""

    keys: tuple[str, ...]
    map: str


class Spread(NamedTuple):
    """`numgen random mod N vmap { 0 : goto CHAIN, ... }`: one of the chains, each as likely."""

    chains: tuple[str, ...]


class Update(NamedTuple):
    """`update @SET { KEY }`: remembers the packet's value in the set, for the set's timeout from now on."""

    set: str
    key: str


class ChangeMark(NamedTuple):
    """`meta mark set meta mark OPERATOR VALUE`; the operator is `|` or `^`."""

    operator: str
    value: int


class Masquerade(NamedTuple):
    """`masquerade fully-random`: the source becomes the address of the interface that the packet leaves by."""


class Reject(NamedTuple):
    """`reject`: the sender gets an ICMP port unreachable."""


class Dnat(NamedTuple):
    """`dnat to ADDRESS:PORT`."""

    address: str
    port: int


Match = Compare | Unmarked
Action = Verdict | Lookup | Spread | Update | ChangeMark | Masquerade | Reject | Dnat
DROP, RETURN = Verdict("drop"), Verdict("return")


class Rule(NamedTuple):
    """What must match, and what is then done."""

    matches: tuple[Match, ...]
    action: Action
    comment: str = ""


class Hook(NamedTuple):
    """Where the kernel calls a base chain; lower priorities first."""

    type: str
    name: str
    priority: int


class Chain(NamedTuple):
    """A chain; a base chain has a hook, and its policy is accept."""

    name: str
    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None
    comment: str = ""


class Collection(NamedTuple):
    """A set, or a map when `type` ends with `: verdict`; after `timeout` seconds what rules added is forgotten."""

    name: str
    type: str
    comment: str = ""
    timeout: int = 0

    @property
    def is_map(self) -> bool:
        """Whether its elements have verdicts."""
        return self.type.endswith(": verdict")


class Element(NamedTuple):
    """What a set or map has under a key; a set has no verdict."""

    verdict: Verdict | None = None
    comment: str = ""


Key = tuple[str, ...]
Elements = Mapping[str, Mapping[Key, Element]]


@dataclass(frozen=True)
class NftTable:
    """One table of one family (`ip` or `ip6`). What rules remember in sets with a timeout is no part of it."""

    family: str
    name: str
    comment: str = ""
    sets: Mapping[str, Collection] = field(default_factory=dict)
    elements: Elements = field(default_factory=dict)
    chains: Mapping[str, Chain] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NftTable):
            return NotImplemented
        return self is other or ((self.family, self.name, self.comment, self.sets, self.chains) \
            == (other.family, other.name, other.comment, other.sets, other.chains) \
            and _filled(self.elements) == _filled(other.elements))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class NftRuleset:
    """The tables of a netns that are ours, a table for each family."""

    tables: tuple[NftTable, ...] = ()


def by_name(items: Iterable[Chain]) -> dict[str, Chain]:
    """The chains by their names."""
    return {item.name: item for item in items}


def _filled(elements: Elements) -> dict[str, Mapping[Key, Element]]:
    return {name: found for name, found in elements.items() if found}
