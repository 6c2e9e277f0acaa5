"""A program that was started in a pod from outside, held by its connection: closing it kills the program."""

from __future__ import annotations

import os
import select
import socket
import time
from types import TracebackType

from netlab.kernel import packets

TIMED_OUT = 124  # as timeout(1) says it
KILLED = 137
_GRACE = 2.0  # seconds in which a killed program is reported


class ExecSession:
    """A running exec. `master` is the pseudo-terminal's descriptor, or -1."""

    def __init__(self, connection: socket.socket, pid: int, master: int) -> None:
        self.pid, self.master = pid, master
        self._connection = connection
        connection.settimeout(None)

    def __enter__(self) -> ExecSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def fileno(self) -> int:
        """Becomes readable when the program has ended: `wait` does not block then."""
        return self._connection.fileno()

    def wait(self, limit: float | None = None) -> int:
        """The exit code; at `limit` seconds the program is killed and it is 124."""
        if not self._readable(limit):
            self.kill()
            return TIMED_OUT
        try:
            return int(packets.receive(self._connection)[0]["code"])
        except (EOFError, ConnectionError):
            return KILLED  # with its pod

    def _readable(self, limit: float | None) -> bool:
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        end = None if limit is None else time.monotonic() + limit
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            if poll.poll(None if left is None else left * 1000):
                return True
            if left is not None and left <= 0:
                return False

    def signal(self, number: int) -> None:
        """Signals the program's process group."""
        packets.send(self._connection, {"signal": int(number)})

    def kill(self) -> None:
        """Kills all processes of the program's session, and waits for it."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            return
        if self._readable(_GRACE):
            try:
                packets.receive(self._connection)
            except (EOFError, OSError):
                pass

    def close(self) -> None:
        """Lets go of the program; one that runs still is killed."""
        self._connection.close()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
