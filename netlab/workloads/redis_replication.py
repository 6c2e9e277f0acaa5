"""Replicas of the small Redis: a leader tells its followers everything that it has, then every write.

Between two of ours alone: a follower says SYNC and gets the leader's keys as commands, where Redis sends a file.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from io import BufferedReader

from netlab.workloads.redis_protocol import Command, encoded
from netlab.workloads.serving import say

WRITES = frozenset((b"SET", b"DEL", b"INCR", b"DECR", b"INCRBY", b"LPUSH", b"RPUSH", b"LPOP", b"RPOP", b"EXPIRE",
                    b"FLUSHALL", b"FLUSHDB"))
READ_ONLY = b"READONLY You can't write against a read only replica."
RETRY = 1.0  # seconds until a follower tries again
SLOW = 1  # seconds after which a follower that takes nothing is given up

def dump(values: Mapping[bytes, bytes | list[bytes]], left: Callable[[bytes], float | None]) -> Iterable[Command]:
    """The commands that make a follower's keys these; `left` tells the seconds until one expires."""
    yield [b"FLUSHALL"]
    for key, value in values.items():
        yield [b"RPUSH", key, *value] if isinstance(value, list) else [b"SET", key, value]
        if (seconds := left(key)) is not None:
            yield [b"EXPIRE", key, b"%d" % max(1, round(seconds))]


class Followers:
    """The connections of a leader's followers. Its caller holds the database's lock."""

    def __init__(self) -> None:
        self._sockets: dict[socket.socket, str] = {}

    def addresses(self) -> list[str]:
        """Who follows."""
        return list(self._sockets.values())

    def add(self, connection: socket.socket, commands: Iterable[Command]) -> None:
        """Has a new follower know all that there is."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SLOW, 0))
        address = str(connection.getpeername()[0])
        say(f"* Replica {address} asks for synchronization")
        connection.sendall(b"".join(map(encoded, commands)))
        self._sockets[connection] = address
        say(f"* Synchronization with replica {address} succeeded")

    def remove(self, connection: socket.socket) -> None:
        """Forgets one that has gone."""
        self._sockets.pop(connection, None)

    def tell(self, command: Command) -> None:
        """Passes a write on."""
        for connection in list(self._sockets):
            try:
                connection.sendall(encoded(command))
            except OSError:
                self.remove(connection)


class Following:
    """A follower's side: a thread that asks the leader, again when the connection ends, until `stop`."""

    def __init__(self, host: str, port: int, apply: Callable[[Command], object],
                 read: Callable[[BufferedReader], Iterable[Command]]) -> None:
        self.host, self.port = host, port
        self.up = False
        self._apply, self._read = apply, read
        self._stopped = threading.Event()
        self._connection: socket.socket | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Follows no more."""
        self._stopped.set()
        connection = self._connection
        if connection is not None:
            connection.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                say(f"* Connecting to MASTER {self.host}:{self.port}")
                self._follow()
            except OSError as error:
                say(f"# Error condition on socket for SYNC: {error.strerror or error}")
            self.up = False
            time.sleep(RETRY)

    def _follow(self) -> None:
        with socket.create_connection((self.host, self.port), 5.0) as made, made.makefile("rb") as file:
            self._connection = made
            made.sendall(encoded([b"SYNC"]))
            made.settimeout(None)
            for command in self._read(file):
                if self._stopped.is_set():
                    return
                if not self.up:
                    say("* MASTER <-> REPLICA sync: Finished with success")
                    self.up = True
                self._apply(command)
