"""Whose turn it is: the userspace mode's choice of backends."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.proxy.backends import Backend


class RoundRobin:
    """The backends of one port of a Service in turn; with affinity a client keeps its own for so many seconds."""

    def __init__(self) -> None:
        self._backends: tuple[Backend, ...] = ()
        self._next = 0
        self._seconds = 0
        self._kept: dict[str, tuple[Backend, float]] = {}

    def set(self, backends: tuple[Backend, ...], *, affinity_seconds: int) -> None:
        """Who may be chosen from now on. Clients of those that are gone get another one; only addresses count."""
        texts = [one.text for one in backends]
        if texts != [one.text for one in self._backends]:
            self._next = 0
        self._backends, self._seconds = backends, affinity_seconds
        there = set(texts)
        self._kept = {client: kept for client, kept in self._kept.items() if affinity_seconds and kept[0].text in there}

    def order(self, client: str, *, now: float) -> Iterator[Backend]:
        """The client's backend, and then, for as long as the one before did not answer, the next in turn."""
        kept = self._kept.get(client)
        if kept and now - kept[1] < self._seconds:
            self._kept[client] = kept[0], now
            yield kept[0]
        while self._backends:
            backend = self._backends[self._next % len(self._backends)]
            self._next = (self._next + 1) % len(self._backends)
            if self._seconds:
                self._kept[client] = backend, now
            yield backend
