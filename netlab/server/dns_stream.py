"""TCP for DNS and for the two HTTP probes: one thread, all connections, nobody waits for a slow client."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from netlab.kernel.listening import listening

IDLE = 10.0  # seconds without a whole message, or with a response not taken, before a connection is closed
MAX_CONNECTIONS = 256
MAX_PEER = 64  # of them from one address, while there are others
BATCH = 4  # messages of one connection before the others, and the thread that serves datagrams, have their turn
MAX_OUTPUT = 256 << 10  # bytes of responses not taken yet; nothing more is read above

Consume = Callable[[bytes], tuple[int, bytes, bool]]
"""Takes what has arrived; gives (bytes used: 0 when the message is not whole, response, whether that was the last)."""


@dataclass(eq=False)
class _Connection:
    socket: socket.socket
    consume: Consume
    deadline: float
    peer: str = ""
    input: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)
    ended: bool = False  # nothing more will be read
    more: bool = False  # there may be whole messages that had no turn yet


class StreamServer:
    """Listeners and their connections; `run` serves them until the process ends."""

    def __init__(self, *, idle: float = IDLE, max_connections: int = MAX_CONNECTIONS) -> None:
        self._idle = idle
        self._max_connections = max_connections
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._waiting: set[_Connection] = set()  # with messages that have arrived and had no turn yet

    def listen(self, port: int, consume: Consume) -> None:
        """Listens on all addresses of both families; OSError when the port is taken."""
        listener = listening(socket.SOCK_STREAM, port)
        listener.listen(128)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, consume)

    def run(self) -> None:
        """Serves until the process ends."""
        while True:
            first = min((connection.deadline for connection in self._connections), default=None)
            wait = None if first is None else max(0.0, first - time.monotonic())
            waiting, self._waiting = self._waiting, set()
            for connection in waiting:
                self._serve(connection)
            for key, _ in self._selector.select(0 if self._waiting else wait):
                if isinstance(key.data, _Connection):
                    self._serve(key.data)
                else:
                    self._accept(key.fileobj, key.data)  # type: ignore[arg-type]
            now = time.monotonic()
            for connection in [c for c in self._connections if c.deadline <= now]:
                self._close(connection)

    def _accept(self, listener: socket.socket, consume: Consume) -> None:
        try:
            client, address = listener.accept()
        except BlockingIOError:
            return
        except OSError:
            time.sleep(0.05)  # out of descriptors: let the present connections end
            return
        if len(self._connections) >= self._max_connections:
            self._close(self._least_missed())
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(client, consume, time.monotonic() + self._idle, peer=address[0])
        self._connections.add(connection)
        self._selector.register(client, selectors.EVENT_READ, connection)

    def _least_missed(self) -> _Connection:
        """The connection that has to go: the one quiet for longest, of an address that has too many if there is one."""
        count = Counter(connection.peer for connection in self._connections)
        greedy = {peer for peer, number in count.items() if number > MAX_PEER}
        return min((connection for connection in self._connections if not greedy or connection.peer in greedy),
                   key=lambda connection: connection.deadline)

    def _serve(self, connection: _Connection) -> None:
        if connection not in self._connections:
            return
        try:
            if not connection.more and not connection.ended and len(connection.output) < MAX_OUTPUT:
                self._receive(connection)
            connection.more = self._answer(connection)
            if connection.output:
                with contextlib.suppress(BlockingIOError):
                    del connection.output[:connection.socket.send(connection.output)]
            if connection.more and len(connection.output) < MAX_OUTPUT:
                self._waiting.add(connection)
        except Exception:  # reset by the client, or a message that its protocol cannot take
            self._close(connection)
            return
        if connection.ended and not connection.output and not connection.more:
            self._close(connection)
            return
        events = selectors.EVENT_WRITE if connection.output else 0
        if not connection.ended and not connection.more and len(connection.output) < MAX_OUTPUT:
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
            if len(connection.output) >= MAX_OUTPUT:
                return True
            used, response, last = connection.consume(bytes(connection.input)) if connection.input else (0, b"", False)
            if not used and not last:
                return False
            connection.deadline = time.monotonic() + self._idle
            del connection.input[:used]
            connection.output += response
            if last:
                connection.ended = True
                connection.input.clear()
        return bool(connection.input)

    def _close(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self._waiting.discard(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()


def dns_messages(respond: Callable[[bytes], bytes | None]) -> Consume:
    """DNS over TCP (RFC 7766): messages after their length in two bytes, any number of them on one connection."""

    def consume(data: bytes) -> tuple[int, bytes, bool]:
        size = 2 + int.from_bytes(data[:2], "big")
        if len(data) < max(2, size):
            return 0, b"", False
        response = respond(data[2:size])
        return (size, b"", True) if response is None else (size, len(response).to_bytes(2, "big") + response, False)

    return consume


def http_probe(path: str, state: Callable[[], tuple[int, str]]) -> Consume:
    """An HTTP server of one path; `state` gives its present status code and text."""

    def consume(data: bytes) -> tuple[int, bytes, bool]:
        if b"\r\n\r\n" not in data and b"\n\n" not in data:
            return 0, b"", len(data) > 16384
        words = data.split(b"\n", 1)[0].split()
        asked = words[1].split(b"?")[0] if len(words) > 1 else b""
        code, text = state() if asked == path.encode() else (404, "404 page not found\n")
        body = text.encode()
        reason = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[code]
        head = f"HTTP/1.1 {code} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n" \
               f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return len(data), head.encode() + (b"" if words[:1] == [b"HEAD"] else body), True

    return consume
