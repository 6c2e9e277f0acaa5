"""A mapping that never changes and whose next version costs little, however large it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
COUNT = 256  # a power of two


class Shards(Mapping[K, V]):
    """Many small dicts. `Draft` makes the next version, which shares those that are as before."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[dict[K, V], ...] = ()) -> None:
        self.parts = parts or ({},) * COUNT

    def __getitem__(self, key: K) -> V:
        return self.parts[hash(key) & COUNT - 1][key]

    def get(self, key: K, default: Any = None) -> Any:
        """The value, else the default; Mapping's own way costs an exception for what is not there."""
        return self.parts[hash(key) & COUNT - 1].get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self.parts[hash(key) & COUNT - 1]

    def __iter__(self) -> Iterator[K]:
        for part in self.parts:
            yield from part

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __repr__(self) -> str:
        return repr(dict(self))


class Draft(Generic[K, V]):
    """The next version of a Shards while it is written; the present one stays as it is."""

    def __init__(self, base: Shards[K, V]) -> None:
        self._parts = list(base.parts)
        self._own: set[int] = set()

    def get(self, key: K) -> V | None:
        """The value as written so far."""
        return self._parts[hash(key) & COUNT - 1].get(key)

    def put(self, key: K, value: V | None) -> None:
        """Sets the value; None takes it away."""
        index = hash(key) & COUNT - 1
        if index not in self._own:
            self._own.add(index)
            self._parts[index] = self._parts[index].copy()
        if value is None:
            self._parts[index].pop(key, None)
        else:
            self._parts[index][key] = value

    def done(self) -> Shards[K, V]:
        """The next version."""
        return Shards(tuple(self._parts))
