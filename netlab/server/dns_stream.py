"""TCP for DNS and for HTTP pages: one thread, all connections, nobody waits for a slow client."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from netlab.kernel.listening import listening

IDLE = 10.0  # seconds without a whole message, or with a response not taken, before a connection is closed
MAX_CONNECTIONS = 256
MAX_PEER = 64  # of them from one address, while there are others
BATCH = 4  # messages of one connection before the others, and the thread that serves datagrams, have their turn
MAX_WAITING = 64  # responses to one connection that come later
MAX_OUTPUT = 256 << 10  # bytes of responses not taken yet; nothing more is read above

Peer = tuple[str, int]
Deliver = Callable[[bytes], None]
Consume = Callable[[bytes, Peer, Deliver], tuple[int, "bytes | None", bool]]
"""Takes what has arrived; gives (bytes used: 0 when the message is not whole, response, whether that was the last).

The response is None when it comes later; then, and only then, `Deliver` is called with it, from any thread.
"""


@dataclass(eq=False)
class _Connection:
    socket: socket.socket
    consume: Consume
    deadline: float
    peer: Peer
    input: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)
    waiting: int = 0  # responses that come later
    ended: bool = False  # nothing more will be read
    more: bool = False  # there may be whole messages that had no turn yet

    @property
    def is_full(self) -> bool:
        """Whether it is to take or to get some of its responses first."""
        return len(self.output) >= MAX_OUTPUT or self.waiting >= MAX_WAITING


class StreamServer:
    """Listeners and their connections; `run` serves them until the process ends."""

    def __init__(self, *, idle: float = IDLE, max_connections: int = MAX_CONNECTIONS) -> None:
        self._idle = idle
        self._max_connections = max_connections
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._turns: set[_Connection] = set()  # with messages that have arrived and had no turn yet
        self._listeners: dict[int, socket.socket] = {}
        self._posted: deque[Callable[[], object]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def listen(self, port: int, consume: Consume) -> None:
        """Listens on all addresses of both families; OSError when the port is taken. From any thread."""
        listener = listening(socket.SOCK_STREAM, port)
        listener.listen(128)
        listener.setblocking(False)
        self._listeners[port] = listener
        self._post(partial(self._selector.register, listener, selectors.EVENT_READ, consume))

    def unlisten(self, port: int) -> None:
        """Ends what `listen` began; connections that are there go on. From any thread."""
        listener = self._listeners.pop(port)

        def end() -> None:
            self._selector.unregister(listener)
            listener.close()

        self._post(end)

    def _post(self, do: Callable[[], object]) -> None:
        """Has something done by the thread that serves."""
        self._posted.append(do)
        os.eventfd_write(self._wake, 1)

    def start(self) -> None:
        """Serves in a thread until the process ends."""
        threading.Thread(target=self.run, name="streams", daemon=True).start()

    def run(self) -> None:
        """Serves until the process ends."""
        while True:
            first = min((connection.deadline for connection in self._connections), default=None)
            wait = None if first is None else max(0.0, first - time.monotonic())
            turns, self._turns = self._turns, set()
            for connection in turns:
                self._serve(connection)
            for key, _ in self._selector.select(0 if self._turns else wait):
                if isinstance(key.data, _Connection):
                    self._serve(key.data)
                elif key.data is None:
                    os.eventfd_read(self._wake)
                    while self._posted:
                        self._posted.popleft()()
                else:
                    self._accept(key.fileobj, key.data)  # type: ignore[arg-type]
            now = time.monotonic()
            for connection in [c for c in self._connections if c.deadline <= now]:
                self._close(connection)

    def _accept(self, listener: socket.socket, consume: Consume) -> None:
        try:
            client, peer = listener.accept()
        except BlockingIOError:
            return
        except OSError:
            time.sleep(0.05)  # out of descriptors: let the present connections end
            return
        if len(self._connections) >= self._max_connections:
            self._close(self._least_missed())
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(client, consume, time.monotonic() + self._idle, peer[:2])
        self._connections.add(connection)
        self._selector.register(client, selectors.EVENT_READ, connection)

    def _least_missed(self) -> _Connection:
        """The connection that has to go: the one quiet for longest, of an address that has too many if there is one."""
        count = Counter(connection.peer[0] for connection in self._connections)
        greedy = {peer for peer, number in count.items() if number > MAX_PEER}
        return min((connection for connection in self._connections if not greedy or connection.peer[0] in greedy),
                   key=lambda connection: connection.deadline)

    def _serve(self, connection: _Connection) -> None:
        if connection not in self._connections:
            return
        try:
            if not connection.more and not connection.ended and not connection.is_full:
                self._receive(connection)
            connection.more = self._answer(connection)
            if connection.output:
                with contextlib.suppress(BlockingIOError):
                    del connection.output[:connection.socket.send(connection.output)]
            if connection.more and not connection.is_full:
                self._turns.add(connection)
        except Exception:  # reset by the client, or a message that its protocol cannot take
            self._close(connection)
            return
        if connection.ended and not (connection.output or connection.waiting or connection.more):
            self._close(connection)
            return
        events = selectors.EVENT_WRITE if connection.output else 0
        if not connection.ended and not connection.more and not connection.is_full:
            events |= selectors.EVENT_READ
        self._selector.modify(connection.socket, events, connection)

    @staticmethod
    def _receive(connection: _Connection) -> None:
        try:
            data = connection.socket.recv(8192)
        except BlockingIOError:
            return
        connection.input += data
        if not data:
            connection.ended = True

    def _answer(self, connection: _Connection) -> bool:
        """Answers some of the whole messages that have arrived; whether there may be more whose turn it can be."""
        for _ in range(BATCH):
            if connection.is_full:
                return True
            if not connection.input:
                return False
            used, response, last = connection.consume(bytes(connection.input), connection.peer,
                                                      partial(self._later, connection))
            if not used and not last:
                return False
            connection.deadline = time.monotonic() + self._idle
            del connection.input[:used]
            connection.waiting += response is None
            connection.output += response or b""
            if last:
                connection.ended = True
                connection.input.clear()
        return bool(connection.input)

    def _later(self, connection: _Connection, response: bytes) -> None:
        self._post(partial(self._late, connection, response))

    def _late(self, connection: _Connection, response: bytes) -> None:
        if connection in self._connections:
            connection.waiting -= 1
            connection.output += response
            connection.deadline = time.monotonic() + self._idle
            self._serve(connection)

    def _close(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self._turns.discard(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()


def dns_messages(respond: Callable[[bytes, Peer, Deliver], bytes | None]) -> Consume:
    """DNS over TCP (RFC 7766): messages after their length in two bytes, any number of them on one connection.

    `respond` gives b"" for a response that comes later, None when there is none to be.
    """

    def consume(data: bytes, peer: Peer, deliver: Deliver) -> tuple[int, bytes | None, bool]:
        size = 2 + int.from_bytes(data[:2], "big")
        if len(data) < max(2, size):
            return 0, b"", False
        response = respond(data[2:size], peer, lambda late: deliver(_framed(late)))
        if not response:
            return size, b"" if response is None else None, response is None
        return size, _framed(response), False

    return consume


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


@dataclass(frozen=True)
class Page:
    """What an HTTP request gets."""

    code: int
    text: str
    type: str = "text/plain; charset=utf-8"


def http_pages(pages: Mapping[str, Callable[[], Page]]) -> Consume:
    """An HTTP server of some paths."""

    def consume(data: bytes, peer: Peer, deliver: Deliver) -> tuple[int, bytes | None, bool]:
        if b"\r\n\r\n" not in data and b"\n\n" not in data:
            return 0, b"", len(data) > 16384
        words = data.split(b"\n", 1)[0].split()
        asked = words[1].split(b"?")[0].decode("latin-1") if len(words) > 1 else ""
        page = pages[asked]() if asked in pages else Page(404, "404 page not found\n")
        body = page.text.encode()
        reason = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[page.code]
        head = f"HTTP/1.1 {page.code} {reason}\r\nContent-Type: {page.type}\r\n" \
               f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return len(data), head.encode() + (b"" if words[:1] == [b"HEAD"] else body), True

    return consume
