"""Parts of a table: chains, and pieces of chains, that come and go together, such as those of one Service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

from netlab.model.family import IPV4
from netlab.netfilter.rule import Rule


class Chain(NamedTuple):
    """A chain; `policy` is what a built-in chain does with packets that no rule decided on."""

    name: str
    rules: tuple[Rule, ...] = ()
    policy: str = "-"


class Words(NamedTuple):
    """What differs between parts of one shape.

    `labels` are the ends of chain names, all of one length; names, addresses and ports may also stand in comments.
    """

    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class Shape(NamedTuple):
    """Many parts are alike: each is the `sample` with other words in the places of the sample's own."""

    sample: Part
    words: Words


class Part:
    """Chains that are made when somebody looks at them; a chain of several parts has the rules of all, in their order.

    Who knows the `shape` (the sample, and the words of this part) can do without the chains; both say the same.
    All addresses in it are of the `family`. `packed` belongs to the kernel's side, which keeps there what it made of
    this part.
    """

    def __init__(self, make: Callable[[], Iterable[Chain]], *, shape: Shape | None = None,
                 words: Words | None = None, family: str = IPV4) -> None:
        self._make = make
        self.family = family
        self.shape = shape
        self.words = words or (shape.words if shape else Words())
        self.packed: object = None

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """The chains, with the rules that this part has in them."""
        return tuple(self._make())

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Part):
            return NotImplemented
        if self.shape and other.shape and self.shape.sample is other.shape.sample \
                and self.shape.words == other.shape.words:
            return True
        return self.chains == other.chains

    __hash__ = None  # type: ignore[assignment]


def part(chains: Iterable[Chain], *, words: Words | None = None, family: str = IPV4) -> Part:
    """A part of chains that are there already."""
    held = tuple(chains)
    return Part(lambda: held, words=words, family=family)


def merged(parts: Iterable[Part]) -> dict[str, Chain]:
    """The chains of these parts by their names, each with the rules of all."""
    found: dict[str, Chain] = {}
    shared: dict[str, list[Rule]] = {}
    for one in parts:
        for chain in one.chains:
            known = found.setdefault(chain.name, chain)
            if known is not chain:
                shared.setdefault(chain.name, list(known.rules)).extend(chain.rules)
                if chain.policy != "-":
                    found[chain.name] = known._replace(policy=chain.policy)
    return found | {name: found[name]._replace(rules=tuple(rules)) for name, rules in shared.items()}
