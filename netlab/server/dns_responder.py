"""From a message to its response, with responses kept as bytes for as long as they are right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine
from itertools import count
from typing import NamedTuple

from netlab.dns.answer import Answer
from netlab.dns.cache import Entry, WireCache
from netlab.dns.chain import Effect, Request
from netlab.dns.configuration import Configuration, Server
from netlab.dns.plugins.log import Log as QueryLog
from netlab.dns.view import DnsView
from netlab.dns.wire import CD, DO, HEADER, RD, Query, Reply, failure, parse, response
from netlab.server.dns_log import Log
from netlab.server.dns_observer import Client, Observer

LATER = b""  # in place of a response that is sent when it is there
NOBODY = Client("", 0)

Send = Callable[[bytes], None]
Do = Callable[[Effect, Callable[[Answer], None]], None]
"""Carries out an effect and calls back with the answer, perhaps at once, perhaps from another thread."""


class Knowledge:
    """What all ports answer from: the view and the configuration. Changed from any thread."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.view = DnsView(serial=int(time.time()))
        self.responders: tuple[Responder, ...] = ()
        self._updating = threading.Lock()  # one change after the other

    def update(self, change: Callable[[DnsView], DnsView]) -> None:
        """Replaces the view by what `change` makes of it, and forgets the responses that this can make wrong."""
        with self._updating:
            new = change(self.view)
            if new is not self.view:
                self.view = new
                for responder in self.responders:
                    responder.changed()

    def configure(self, configuration: Configuration) -> None:
        """Questions are answered by this configuration from now on."""
        with self._updating:
            self.configuration = configuration
            for responder in self.responders:
                responder.changed(everything=True)

    def add(self, responder: Responder) -> None:
        """A port is answered on."""
        with self._updating:
            self.responders += (responder,)
            responder.changed(everything=True)

    def remove(self, responder: Responder) -> None:
        """The port is not answered on any more."""
        with self._updating:
            self.responders = tuple(each for each in self.responders if each is not responder)


class _Exchange(NamedTuple):
    """A question on its way."""

    query: Query
    data: bytes
    server: Server | None
    view: DnsView
    configuration: Configuration
    client: Client
    key: bytes
    tcp: bool
    began: float


class Responder:
    """Answers the messages of one port. `udp` comes from one thread, `tcp` from one, effects end in any.

    `udp` and `tcp` give the response, None when there must be none, LATER when `send` gets it.
    """

    def __init__(self, known: Knowledge, port: int, *, log: Log, observer: Observer, do: Do) -> None:
        self.cache = WireCache()
        self.hit_seconds = 0.0  # that a kept response took when that was last measured
        self._known = known
        self._port = port
        self._log = log
        self._observer = observer
        self._do = do
        self._changing = threading.Lock()  # of view and cache together; held for microseconds
        self._present = known.view, known.configuration  # replaced as one
        self._turn = count()
        self._kept = self.cache.kept
        known.add(self)

    def changed(self, *, everything: bool = False) -> None:
        """View or configuration is another: responses that this can make wrong are forgotten."""
        with self._changing:
            self._present = self._known.view, self._known.configuration
            self.cache.forget(None if everything else self._known.view.touched)

    def hits(self) -> list[tuple[object, int, float]]:
        """(kind, how many, seconds of each) of the questions that kept responses answered since the last call."""
        with self._changing:
            return [(kind, times, self.hit_seconds) for kind, times in self.cache.hits().items()]

    def kept(self, data: bytes) -> bytes | None:
        """The response to a datagram, None when it is not among those that are kept as bytes."""
        entry = self._kept.get(data[2:])
        if entry is None:
            return None
        entry.hits += 1
        return data[:2] + (entry.wire or entry.current(self._present[0].serial))

    def udp(self, data: bytes, client: Client = NOBODY, send: Send = lambda wire: None) -> bytes | None:
        """The response to a datagram."""
        return self.kept(data) or self.missed(data, client, send)

    def tcp(self, data: bytes, client: Client = NOBODY, send: Send = lambda wire: None) -> bytes | None:
        """The whole response."""
        return self._made(data, client, send, tcp=True)

    def missed(self, data: bytes, client: Client, send: Send) -> bytes | None:
        """The response to a datagram that `kept` has none for, perhaps because its name is in another case."""
        began = time.perf_counter()
        end = data.find(b"\0", HEADER.size)
        name = data[HEADER.size:end]
        lower = name.lower()
        if lower == name:
            return self._made(data, client, send, key=data[2:])
        key = data[2:HEADER.size] + lower + data[end:]
        entry = self._kept.get(key)
        if entry is None or not entry.caseless:
            return self._made(data, client, send, key=key)
        entry.hits += 1
        wire = entry.wire or entry.current(self._present[0].serial)
        self.hit_seconds = time.perf_counter() - began
        return data[:2] + wire[:10] + name + wire[end - 2:]

    def _made(self, data: bytes, client: Client, send: Send, *, key: bytes = b"", tcp: bool = False) -> bytes | None:
        began = time.perf_counter()
        try:
            query = parse(data)
            if query is None:
                return None
            view, configuration = self._present
            refused = query.refusal or query.question is None
            server = configuration.server(self._port, query.question.name) if query.question else None
            exchange = _Exchange(query, data, server, view, configuration, client, key, tcp, began)
            if refused or server is None:
                return self._finish(exchange, Answer(query.refusal or "REFUSED", authoritative=False))
            return self._step(exchange, server.handler(self._request(exchange)), None, send)
        except Exception as error:  # one odd question must not end the service for all others
            return self._broken(data, error)

    def _request(self, exchange: _Exchange) -> Request:
        query, configuration, port = exchange.query, exchange.configuration, self._port
        assert query.question is not None

        async def resolve(request: Request) -> Answer:
            server = configuration.server(port, request.question.name)
            return await server.handler(request) if server else Answer("REFUSED", authoritative=False)

        flags = query.edns.flags if query.edns else 0
        return Request(query.question, exchange.view, resolve, now=time.monotonic(), type=query.type,
                       recursion_desired=bool(query.flags & RD), checking_disabled=bool(query.flags & CD),
                       dnssec_ok=bool(flags & DO), size=query.edns.size if query.edns else 0, tcp=exchange.tcp)

    def _step(self, exchange: _Exchange, chain: Coroutine[Effect, Answer, Answer], answer: Answer | None,
              send: Send) -> bytes | None:
        """Goes on with the chain: its response, or LATER when it waits for an effect."""
        try:
            effect = chain.send(answer)  # type: ignore[arg-type]
        except StopIteration as end:
            return self._finish(exchange, end.value)

        def resume(answer: Answer) -> None:
            try:
                wire = self._step(exchange, chain, answer, send)
            except Exception as error:
                wire = self._broken(exchange.data, error)
            if wire:
                send(wire)

        self._do(effect, resume)
        return LATER

    def _finish(self, exchange: _Exchange, result: Answer) -> bytes:
        made = response(exchange.query, result, tcp=exchange.tcp)
        wire = made.make(next(self._turn) if made.turns > 1 else 0)
        kind = self._observer.done(exchange.server, exchange.query, result, wire, client=exchange.client,
                                   size=len(exchange.data), tcp=exchange.tcp,
                                   seconds=time.perf_counter() - exchange.began)
        if exchange.key and made.keep and (made.caseless or exchange.key == exchange.data[2:]) \
                and self.cache.wanted(exchange.key):
            self._keep(exchange, made, kind)
        return wire

    def _keep(self, exchange: _Exchange, made: Reply, kind: object) -> None:
        server, question = exchange.server, exchange.query.question
        if server and question and (log := server.get(QueryLog)) and log.applies(question.name):
            return  # each question is to have its line
        entry = Entry(made.packed, made.tags, caseless=made.caseless, kind=kind)
        with self._changing:
            view, configuration = self._present
            if view is exchange.view and configuration is exchange.configuration:
                self.cache.put(exchange.key, entry)  # otherwise it may be wrong already

    def _broken(self, data: bytes, error: Exception) -> bytes:
        self._observer.count(self._observer.panics)
        self._log.limited("ERROR", f"plugin/errors: 2 {data[HEADER.size:80]!r}: {type(error).__name__}: {error}")
        return failure(data)
