"""Mappings that share most of what they have: one of thousands of entries is changed without a copy of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeVar

V = TypeVar("V")
FEW = 100  # entries that differ from the shared ones; with more they are copied


class Layered(Mapping[str, V]):
    """Shared entries, with others laid over some of them, and some taken away. It never changes."""

    def __init__(self, shared: dict[str, V], over: dict[str, V] | None = None,
                 gone: frozenset[str] = frozenset()) -> None:
        self._shared, self._over, self._gone = shared, over or {}, gone

    def __getitem__(self, key: str) -> V:
        if key in self._over:
            return self._over[key]
        if key in self._gone:
            raise KeyError(key)
        return self._shared[key]

    def __iter__(self) -> Iterator[str]:
        hidden = self._gone | self._over.keys()
        return chain((key for key in self._shared if key not in hidden), self._over)

    def __len__(self) -> int:
        return len(self._shared) - len(self._gone) + sum(key not in self._shared for key in self._over)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return len(self) == len(other) and all(key in self and key in other and self[key] == other[key]
                                               for key in may_differ(self, other) if key in self or key in other)

    __hash__ = None  # type: ignore[assignment]

    def changed(self, entries: Mapping[str, V], *, without: Iterable[str] = ()) -> Layered[V]:
        """The same without some, and then with these entries."""
        over, gone = dict(self._over), set(self._gone)
        for key in without:
            over.pop(key, None)
            if key in self._shared:
                gone.add(key)
        found = Layered(self._shared, over | dict(entries), frozenset(gone - entries.keys()))
        return found if len(over) + len(gone) <= FEW else Layered(found.flat())

    def flat(self) -> dict[str, V]:
        """All entries in a dict of their own."""
        found = dict(self._shared)
        for key in self._gone:
            del found[key]
        return found | self._over

    def beside(self, other: Layered[V]) -> list[str] | None:
        """The keys that may have different values in both; None: all may, for they share nothing."""
        if self._shared is not other._shared:
            return None
        return sorted({*self._over, *self._gone, *other._over, *other._gone})


def layered(entries: Mapping[str, V]) -> Layered[V]:
    """The entries so that they can be shared."""
    return entries if isinstance(entries, Layered) else Layered(dict(entries))


def may_differ(one: Mapping[str, V], other: Mapping[str, V]) -> Iterable[str]:
    """The keys under which they may have different values."""
    found = one.beside(other) if isinstance(one, Layered) and isinstance(other, Layered) else None
    return [*other, *sorted(one.keys() - other.keys())] if found is None else found
