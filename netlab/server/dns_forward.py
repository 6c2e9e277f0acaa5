"""Asks other DNS servers: one thread, all questions, each with its own socket, so that nobody waits for another."""

from __future__ import annotations

import errno
import heapq
import os
import random
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from netlab.dns import upstream
from netlab.dns.answer import Answer, Question
from netlab.dns.chain import Effect, Request, failure
from netlab.dns.plugins.forward import Ask, Forward, Upstream
from netlab.dns.view import DnsView
from netlab.server.dns_observer import Observer
from netlab.server.dns_try import Try

TIMEOUT = 5.0  # seconds for a question with all its tries
TRY_TIMEOUT = 2.0
CHECK_TIMEOUT = 1.0
TRIES = 2  # of each server, for one question
NS = 2

Resume = Callable[[Answer], None]


@dataclass
class _Health:
    """What is known of a server: failed checks since it last answered."""

    fails: int = 0
    checking: bool = False

    def down(self, most: int) -> bool:
        """Whether others are to be asked."""
        return bool(most) and self.fails > most


class Forwarder:
    """Carries out Ask effects. `do` comes from any thread, and calls back from the forwarder's own."""

    def __init__(self, observer: Observer, *, most: int = 1000) -> None:
        self._observer = observer
        self._most = most  # sockets
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._posted: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._health: dict[tuple[Forward, Upstream], _Health] = {}
        self._turn = count()
        self._running: dict[int, int] = {}  # questions under way, by the id of their plugin
        self._tries = 0

    def start(self) -> None:
        """Serves in a thread until the process ends."""
        threading.Thread(target=self.run, name="forward", daemon=True).start()

    def do(self, effect: Effect, resume: Resume) -> None:
        """Carries out the effect."""
        assert isinstance(effect, Ask)
        self._posted.append(lambda: self._begin(effect, resume))
        os.eventfd_write(self._wake, 1)

    def run(self) -> None:
        """Serves until the process ends."""
        while True:
            wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, _ in self._selector.select(wait):
                if key.data is None:
                    os.eventfd_read(self._wake)
                else:
                    key.data()
            while self._posted:
                self._posted.popleft()()
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()

    def at(self, moment: float, do: Callable[[], None]) -> None:
        """Has something done at a time of the monotonic clock."""
        heapq.heappush(self._timers, (moment, next(self._number), do))

    def health(self, forward: Forward, server: Upstream) -> _Health:
        """What is known of the server."""
        return self._health.setdefault((forward, server), _Health())

    def _begin(self, ask: Ask, resume: Resume) -> None:
        forward = ask.forward
        running = self._running.get(id(forward), 0)
        if forward.max_concurrent and running >= forward.max_concurrent:
            self._observer.count(self._observer.rejects)
            resume(failure(f"concurrent queries exceeded maximum {forward.max_concurrent}", "REFUSED"))
            return
        if self._tries >= self._most:
            resume(failure(f"more than {self._most} questions wait for other servers"))
            return
        self._running[id(forward)] = running + 1

        def done(answer: Answer) -> None:
            self._running[id(forward)] -= 1
            resume(answer)

        _Asking(self, self._observer, ask, self._order(forward), done).next()

    def _order(self, forward: Forward) -> list[Upstream]:
        servers = list(forward.upstreams)
        if forward.policy == "random":
            random.shuffle(servers)
        elif forward.policy == "round_robin":
            first = next(self._turn) % len(servers)
            servers = servers[first:] + servers[:first]
        return servers

    def send(self, attempt: Try, limit: float) -> None:
        """Sends the question; its `done` gets what comes of it within the seconds."""
        family = socket.AF_INET6 if ":" in attempt.server.address else socket.AF_INET
        kind = socket.SOCK_STREAM if attempt.tcp else socket.SOCK_DGRAM
        ended = False

        def end(data: bytes | None, problem: str) -> None:
            nonlocal ended
            if ended:
                return
            ended = True
            self._tries -= 1
            with suppress(KeyError, ValueError):
                self._selector.unregister(made)
            made.close()
            attempt.done(attempt, data, problem)

        def ready() -> None:
            try:
                response = attempt.receive()
            except BlockingIOError:
                return
            except OSError as error:
                end(None, attempt.failed(error))
                return
            if attempt.connected and attempt.tcp:
                self._selector.modify(made, selectors.EVENT_READ, ready)
            if response is not None:
                end(response, "")

        self._tries += 1
        made = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        attempt.socket = made
        try:
            code = made.connect_ex((attempt.server.address, attempt.server.port))
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            if not attempt.tcp:
                attempt.connected = True
                made.send(attempt.data)
        except OSError as error:
            problem = attempt.failed(error)
            self._posted.append(lambda: end(None, problem))
            return
        self._selector.register(made, selectors.EVENT_WRITE if attempt.tcp else selectors.EVENT_READ, ready)
        self.at(time.monotonic() + limit, lambda: end(None, "" if ended else attempt.timed_out()))

    def check(self, forward: Forward, server: Upstream) -> None:
        """Asks the server for something harmless until it answers."""
        health = self.health(forward, server)
        if health.checking or not forward.max_fails:
            return
        health.checking = True
        ident = random.getrandbits(16)
        request = Request(Question(forward.check_name, "NS"), DnsView(), _nobody, type=NS,
                          recursion_desired=forward.check_recursion)

        def once() -> None:
            self.send(Try(server, upstream.question(request, ident), ident, forward.force_tcp, done), CHECK_TIMEOUT)

        def done(attempt: Try, data: bytes | None, problem: str) -> None:
            if data is not None:
                health.fails, health.checking = 0, False
                return
            health.fails += 1
            self._observer.count(self._observer.check_failures, "forward", str(server))
            if (forward, server) in self._health:
                self.at(time.monotonic() + forward.check_every, once)

        once()

    def forget(self, forwards: tuple[Forward, ...]) -> None:
        """Only these plugins are there any more: what is known of the servers of others goes."""
        def do() -> None:
            self._health = {key: health for key, health in self._health.items() if key[0] in forwards}
            self._running = {number: n for number, n in self._running.items() if n}

        self._posted.append(do)
        os.eventfd_write(self._wake, 1)


async def _nobody(request: Request) -> Answer:
    return failure("")


class _Asking:
    """One question, until a server has answered it or all have failed."""

    def __init__(self, forwarder: Forwarder, observer: Observer, ask: Ask, servers: list[Upstream],
                 done: Resume) -> None:
        self._forwarder, self._observer, self._done = forwarder, observer, done
        self._forward, self._request, self._servers = ask.forward, ask.request, servers
        self._until = time.monotonic() + TIMEOUT
        self._left = TRIES * len(servers)
        self._index = 0
        self._problem = ""
        self._tcp = ask.forward.force_tcp or (ask.request.tcp and not ask.forward.prefer_udp)
        self._began = 0.0

    def next(self) -> None:
        """Asks the next server that is up; any one when none is."""
        left = self._until - time.monotonic()
        if not self._left or left <= 0:
            self._done(failure(self._problem or "no healthy proxies"))
            return
        self._left -= 1
        server = self._choose()
        if server is None:
            self._done(failure(self._problem or "no healthy proxies"))
            return
        self._send(server, min(left, TRY_TIMEOUT))

    def _choose(self) -> Upstream | None:
        for _ in self._servers:
            server = self._servers[self._index % len(self._servers)]
            self._index += 1
            if not self._forwarder.health(self._forward, server).down(self._forward.max_fails):
                return server
        self._observer.count(self._observer.checks_broken)
        if self._forward.fail_fast:
            return None
        self._left = 0  # all are down: perhaps only the checks are wrong, but one try is enough
        return random.choice(self._servers)

    def _send(self, server: Upstream, limit: float) -> None:
        self._began = time.monotonic()
        ident = random.getrandbits(16)
        data = upstream.question(self._request, ident)
        self._forwarder.send(Try(server, data, ident, self._tcp, self._answered), limit)

    def _answered(self, attempt: Try, data: bytes | None, problem: str) -> None:
        if data is None:
            self._problem = problem
            self._forwarder.check(self._forward, attempt.server)
            self.next()
            return
        answer = upstream.parse(data, self._request)
        self._observer.time(self._observer.proxied, time.monotonic() - self._began, "forward", str(attempt.server),
                            answer.rcode if answer else "FORMERR")
        if answer and answer.truncated and self._forward.prefer_udp and not attempt.tcp:
            self._tcp = True
            self._send(attempt.server, max(0.001, min(self._until - time.monotonic(), TRY_TIMEOUT)))
            return
        self._done(answer or failure("", "FORMERR"))
