"""From a message to its response, with responses kept as bytes for as long as they are right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count

from netlab.dns.cache import Entry, WireCache
from netlab.dns.names import Zones
from netlab.dns.view import DnsView
from netlab.dns.wire import HEADER, Reply, failure, reply
from netlab.server.dns_log import Log


class Responder:
    """Answers messages from the present view. `update` comes from any thread, `udp` from one."""

    def __init__(self, zones: Zones, log: Log) -> None:
        self.zones = zones
        self.cache = WireCache()
        self._log = log
        self._updating = threading.Lock()  # one change of the view after the other
        self._changing = threading.Lock()  # of view and cache together; held for microseconds
        self._view = DnsView(serial=int(time.time()))
        self._turn = count()
        self._kept = self.cache.kept

    @property
    def view(self) -> DnsView:
        """What questions are answered from."""
        return self._view

    def update(self, change: Callable[[DnsView], DnsView]) -> None:
        """Replaces the view by what `change` makes of it, and forgets the responses that this can make wrong."""
        with self._updating:
            new = change(self._view)
            if new is not self._view:
                with self._changing:
                    self._view = new
                    self.cache.forget(new.touched)

    def udp(self, data: bytes) -> bytes | None:
        """The response to a datagram, or None when there must be none."""
        entry = self._kept.get(data[2:])
        if entry is None:
            return self._not_kept(data)
        entry.hits += 1
        return data[:2] + (entry.wire or entry.current(self._view.serial))

    def tcp(self, data: bytes) -> bytes | None:
        """The whole response, or None when there must be none."""
        return self._made(data, tcp=True)

    def _not_kept(self, data: bytes) -> bytes | None:
        """The response to a datagram whose like was seen at most once, or only with its name in another case."""
        end = data.find(b"\0", HEADER.size)
        name = data[HEADER.size:end]
        key = data[2:HEADER.size] + name.lower() + data[end:]
        with self._changing:
            entry = self.cache.get(key)
        if entry is None or (not entry.caseless and key != data[2:]):
            return self._made(data, key=key)
        entry.hits += 1
        wire = entry.wire or entry.current(self._view.serial)
        return data[:2] + wire[:10] + name + wire[end - 2:]

    def _made(self, data: bytes, *, key: bytes = b"", tcp: bool = False) -> bytes | None:
        view = self._view
        try:
            made = reply(data, view, self.zones, tcp=tcp)
            if made is None:
                return None
            if made.rcode == "SERVFAIL" and made.question:
                why = "the name is in no zone of this server and there is no upstream" if view.synced else \
                    "the API was not read yet"
                self._log.limited("ERROR", f"plugin/errors: 2 {made.question.name} {made.question.type}: {why}")
            if key and made.keep and (made.caseless or key == data[2:]):
                self._keep(view, key, made)
            return made.make(next(self._turn) if made.turns > 1 else 0)
        except Exception as error:  # one odd question must not end the service for all others
            self._log.limited("ERROR", f"plugin/errors: 2 {data[HEADER.size:80]!r}: {type(error).__name__}: {error}")
            return failure(data)

    def _keep(self, view: DnsView, key: bytes, made: Reply) -> None:
        entry = Entry(made.packed, made.tags, caseless=made.caseless)
        with self._changing:
            if self._view is view:  # otherwise it may be wrong already
                self.cache.put(key, entry)
