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
        """Who may be chosen from now on. Clients of those that are gone get another one."""
        if backends != self._backends:
            self._backends, self._next = backends, 0
        self._seconds = affinity_seconds
        self._kept = {client: kept for client, kept in self._kept.items()
                      if affinity_seconds and kept[0] in backends}

    def order(self, client: str, *, now: float) -> Iterator[Backend]:
        """The client's backend, and after it those to try when it does not answer, each once."""
        tried: set[Backend] = set()
        kept = self._kept.get(client)
        if kept and now - kept[1] < self._seconds:
            tried.add(kept[0])
            self._kept[client] = kept[0], now
            yield kept[0]
        for _ in range(2 * len(self._backends)):
            if not self._backends:
                return
            backend = self._backends[self._next % len(self._backends)]
            self._next = (self._next + 1) % len(self._backends)
            if backend not in tried:
                tried.add(backend)
                if self._seconds:
                    self._kept[client] = backend, now
                yield backend
            if len(tried) == len(self._backends):
                return
