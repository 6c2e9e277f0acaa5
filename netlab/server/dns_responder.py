"""From a message to its response, with the responses of the present view kept as bytes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count

from netlab.dns.names import Zones
from netlab.dns.view import DnsView
from netlab.dns.wire import HEADER, Reply, failure, reply
from netlab.server.dns_log import Log

MAX_ENTRIES = 20_000
MAX_BYTES = 16 << 20
MAX_KEY = 512  # longer requests are not kept
MAX_TURNS = 64  # orders of addresses that are kept of one response


class _Turns:
    """A response in the orders of its addresses, each made when its turn first comes."""

    def __init__(self, made: Reply) -> None:
        self._make = made.make
        self._wires: list[bytes | None] = [None] * min(made.turns, MAX_TURNS)
        self._turn = 0

    def next(self) -> bytes:
        """The next order, without the ID."""
        self._turn = turn = (self._turn + 1) % len(self._wires)
        wire = self._wires[turn]
        if wire is None:
            wire = self._wires[turn] = self._make(turn)[2:]
        return wire


class Cache:
    """Responses of one view by everything of the request but its ID; emptied when it is full.

    Random names and options make every request a new key, so without a bound it would grow for ever.
    """

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | _Turns] = {}
        self._bytes = 0

    def put(self, key: bytes, entry: bytes | _Turns, size: int) -> None:
        """Keeps an entry that takes at most `size` bytes."""
        if len(self.entries) >= MAX_ENTRIES or self._bytes + size > MAX_BYTES:
            self.entries.clear()
            self._bytes = 0
        self.entries[key] = entry
        self._bytes += size


class Responder:
    """Answers messages from the present view. `update` comes from any thread, `udp` from one.

    View and cache are swapped together: what is made from an old view only ever enters the old view's cache.
    """

    def __init__(self, zones: Zones, log: Log) -> None:
        self.zones = zones
        self._log = log
        self._lock = threading.Lock()
        self._state = (DnsView(serial=int(time.time())), Cache())
        self._turn = count()

    @property
    def view(self) -> DnsView:
        """What questions are answered from."""
        return self._state[0]

    def update(self, change: Callable[[DnsView], DnsView]) -> None:
        """Replaces the view by what `change` makes of it; the cache goes with the view, and only with it."""
        with self._lock:
            view = self._state[0]
            new = change(view)
            if new is not view:
                self._state = (new, Cache())

    def udp(self, data: bytes) -> bytes | None:
        """The response to a datagram, or None when there must be none."""
        state = self._state
        entry = state[1].entries.get(data[2:])
        if entry is None:
            return self._made(state, data)
        return data[:2] + (entry if type(entry) is bytes else entry.next())  # type: ignore[union-attr]

    def tcp(self, data: bytes) -> bytes | None:
        """The whole response, or None when there must be none."""
        return self._made(self._state, data, tcp=True)

    def _made(self, state: tuple[DnsView, Cache], data: bytes, *, tcp: bool = False) -> bytes | None:
        view, cache = state
        try:
            made = reply(data, view, self.zones, tcp=tcp)
            if made is None:
                return None
            if made.rcode == "SERVFAIL" and made.question:
                why = "the name is in no zone of this server and there is no upstream" if view.synced else \
                    "the API was not read yet"
                self._log.limited("ERROR", f"plugin/errors: 2 {made.question.name} {made.question.type}: {why}")
            wire = made.make(next(self._turn) if made.turns > 1 else 0)
            if made.keep and not tcp and len(data) <= MAX_KEY:
                turns = min(made.turns, MAX_TURNS)
                cache.put(data[2:], wire[2:] if turns == 1 else _Turns(made), len(data) + turns * len(wire))
            return wire
        except Exception as error:  # one odd question must not end the service for all others
            self._log.limited("ERROR", f"plugin/errors: 2 {data[HEADER.size:80]!r}: {type(error).__name__}: {error}")
            return failure(data)
