"""One request to another server, as workloads send it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from io import BufferedReader

NO_BODY = (204, 304)


@dataclass(frozen=True)
class Reply:
    """An answer. Header names keep their case."""

    code: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str, default: str = "") -> str:
        """A header's value."""
        return next((value for key, value in self.headers if key.lower() == name), default)


def fetch(host: str, port: int, target: str, *, method: str = "GET", headers: tuple[tuple[str, str], ...] = (),
          body: bytes = b"", limit: float = 5.0) -> Reply:
    """The answer, on a connection of its own. `limit` is for connecting and for each part that comes; OSError."""
    with socket.create_connection((host, port), limit) as made, made.makefile("rb") as stream:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "Connection: close"]
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        made.sendall("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body)
        return _read(stream, method)


def _read(stream: BufferedReader, method: str) -> Reply:
    code = 100
    while code < 200:
        words = stream.readline(65536).split(None, 2)
        if len(words) < 2 or not words[1].isdigit():
            raise ConnectionError("EOF")
        code, headers = int(words[1]), []
        while (line := stream.readline(65536)) not in (b"\r\n", b"\n"):
            if not line:
                raise ConnectionError("unexpected EOF")
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
    reply = Reply(code, tuple(headers), b"")
    if method == "HEAD" or code in NO_BODY:
        return reply
    return Reply(code, reply.headers, _body(stream, reply))


def _body(stream: BufferedReader, reply: Reply) -> bytes:
    try:
        if "chunked" in reply.header("transfer-encoding").lower():
            body = b""
            while size := int(stream.readline(65536).split(b";")[0] or b"0", 16):
                body += stream.read(size)
                stream.readline(65536)
            return body
        length = reply.header("content-length")
        return stream.read(int(length)) if length else stream.read()
    except ValueError:
        raise ConnectionError("malformed answer") from None
