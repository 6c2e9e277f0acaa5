"""One question to one other DNS server: its socket, and what goes wrong, in Go's words."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from netlab.dns import upstream
from netlab.dns.plugins.forward import Upstream


@dataclass(eq=False)
class Try:
    """A question to one server, on a connected socket."""

    server: Upstream
    data: bytes
    ident: int
    tcp: bool
    done: Callable[[Try, bytes | None, str], None]  # response, or None and what went wrong
    socket: socket.socket | None = None
    connected: bool = False
    received: bytearray = field(default_factory=bytearray)

    @property
    def transport(self) -> str:
        """As error messages name it."""
        return "tcp" if self.tcp else "udp"

    def failed(self, error: OSError) -> str:
        """The error in Go's words."""
        text = os.strerror(error.errno or 0).lower()
        if not self.connected:
            return f"dial {self.transport} {self.server}: connect: {text}"
        return f"read {self.transport} {self._local()}->{self.server}: read: {text}"

    def timed_out(self) -> str:
        """That time is up, in Go's words."""
        if not self.connected:
            return f"dial {self.transport} {self.server}: i/o timeout"
        return f"read {self.transport} {self._local()}->{self.server}: i/o timeout"

    def receive(self) -> bytes | None:
        """The whole response as far as it is there; OSError when there will be none."""
        made = self.socket
        assert made is not None
        if not self.tcp:
            while True:
                data = made.recv(65535)
                if upstream.is_response(data, self.ident):
                    return data
        if not self.connected:
            code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            self.connected = True
            made.send(len(self.data).to_bytes(2, "big") + self.data)
            return None
        data = made.recv(65535)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        self.received += data
        size = 2 + int.from_bytes(self.received[:2], "big")
        if len(self.received) < max(2, size):
            return None
        return bytes(self.received[2:size])

    def _local(self) -> str:
        try:
            host, port = self.socket.getsockname()[:2] if self.socket else ("", 0)
        except OSError:
            host, port = "", 0
        return str(Upstream(host, port))
