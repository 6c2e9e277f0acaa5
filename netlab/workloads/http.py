"""A small HTTP/1.1 server for workloads: a thread per connection, keep-alive, bodies read to their end.

The standard library's server is not used because it imports ssl and email, which every pod would pay for.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from netlab.kernel.listening import plain

MAX_HEAD = 64 * 1024
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
KEPT_BODY = 1024 * 1024  # of longer bodies only the length is kept
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
           301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
           308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed", 408: "Request Timeout", 412: "Precondition Failed", 417: "Expectation Failed",
           418: "I'm a teapot", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
           500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Timeout"}

KEEPS = ("Connection", "keep-alive")


class BadRequest(Exception):
    """The bytes are no request; `code` is the status to answer with."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Request:
    """A request with its connection's two ends. Header names keep their case; `header` finds them by any."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    client: tuple[str, int] = ("", 0)
    local: tuple[str, int] = ("", 0)
    body: bytes = b""
    body_length: int = 0

    @property
    def path(self) -> str:
        """The target's path, decoded."""
        return unquote(urlsplit(self._url).path)

    @property
    def _url(self) -> str:
        # A path may begin with two slashes (RFC 9112, 3.2.1); without a host before it, it would be taken for one.
        return f"http://h{self.target}" if self.target.startswith("/") else self.target

    def query(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return parse_qs(self.raw_query, keep_blank_values=True).get(name, [default])[0]

    @property
    def raw_query(self) -> str:
        """What follows the question mark, as it came."""
        return urlsplit(self._url).query

    def queries(self) -> dict[str, list[str]]:
        """All query parameters."""
        return parse_qs(self.raw_query, keep_blank_values=True)

    def header(self, name: str, default: str = "") -> str:
        """A header's value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), default)

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after the answer (RFC 9112, 9.3)."""
        wish = self.header("connection").lower()
        return wish != "close" and (self.version != "HTTP/1.0" or wish == "keep-alive")


@dataclass(frozen=True)
class Response:
    """An answer; Date and Content-Length are added. A header `Connection: close` ends the connection.

    KEEPS among the headers says that it stays open, which servers other than nginx and Node leave to HTTP/1.1.
    `reason` is what stands behind the code, where a server has words of its own.
    """

    body: bytes | str = b""
    code: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = field(default=())
    reason: str = ""

    def render(self, *, head_only: bool, keep_alive: bool, version: str = "HTTP/1.1") -> bytes:
        """The bytes on the wire, for a client of that version."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        told = not keep_alive or version == "HTTP/1.0" or KEEPS in self.headers
        lines = [f"HTTP/1.1 {self.code} {self.reason or REASONS.get(self.code, 'Status')}",
                 f"Date: {http_date(time.time())}",
                 *([f"Content-Type: {self.content_type}"] if self.content_type else []),
                 f"Content-Length: {len(body)}",
                 *([f"Connection: {'keep-alive' if keep_alive else 'close'}"] if told else []),
                 *(f"{name}: {value}" for name, value in self.headers if name != "Connection")]
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + (b"" if head_only else body)


    @property
    def closes(self) -> bool:
        """Whether it asks for the end of the connection."""
        return ("Connection", "close") in self.headers


Handler = Callable[[Request], Response]


def http_date(seconds: float) -> str:
    """A moment as HTTP writes it (RFC 9110, 5.6.7), whatever the locale is."""
    now = time.gmtime(seconds)
    return (f"{_DAYS[now.tm_wday]}, {now.tm_mday:02} {MONTHS[now.tm_mon - 1]} {now.tm_year} "
            f"{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT")


def read_request(stream: BufferedReader, *, client: tuple[str, int], local: tuple[str, int],
                 on_expect: Callable[[], None]) -> Request | None:
    """The next request of a connection, None at its end; raises BadRequest. `on_expect` answers 100-continue."""
    line = stream.readline(MAX_HEAD)
    while line in (b"\r\n", b"\n"):
        line = stream.readline(MAX_HEAD)
    if not line:
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise BadRequest(400, "malformed request line")
    headers: list[tuple[str, str]] = []
    size = 0
    while (line := stream.readline(MAX_HEAD)) not in (b"\r\n", b"\n"):
        if not line:
            return None
        size += len(line)
        if size > MAX_HEAD:
            raise BadRequest(431, "headers too large")
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "malformed header")
        headers.append((name, value.strip()))
    request = Request(words[0], words[1], words[2], tuple(headers), client, local)
    if request.header("expect").lower() == "100-continue":
        on_expect()
    body, length = _body(stream, request)
    return Request(words[0], words[1], words[2], tuple(headers), client, local, body, length)


def _body(stream: BufferedReader, request: Request) -> tuple[bytes, int]:
    kept, total = bytearray(), 0

    def take(size: int) -> None:
        nonlocal total
        while size > 0:
            part = stream.read1(min(size, 65536))
            if not part:
                raise BadRequest(400, "body ended early")
            size -= len(part)
            total += len(part)
            if len(kept) < KEPT_BODY:
                kept.extend(part)

    try:
        if request.header("transfer-encoding").lower().endswith("chunked"):
            while size := int(stream.readline(MAX_HEAD).split(b";")[0], 16):
                take(size)
                stream.readline(MAX_HEAD)
            while stream.readline(MAX_HEAD) not in (b"\r\n", b"\n", b""):
                pass
        else:
            take(int(request.header("content-length", "0")))
    except ValueError:
        raise BadRequest(400, "malformed length") from None
    return bytes(kept), total


def serve_connection(connection: socket.socket, handler: Handler, *, stopping: Callable[[], bool],
                     busy: Callable[[bool], None]) -> None:
    """Answers the requests of one connection until either side closes it; `busy` tells when one is being answered."""
    with connection, connection.makefile("rb") as stream:
        client, local = _plain(connection.getpeername()), _plain(connection.getsockname())
        while True:
            try:
                request = read_request(stream, client=client, local=local,
                                       on_expect=lambda: connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"))
            except BadRequest as error:
                connection.sendall(Response(f"{error}\n", error.code).render(head_only=False, keep_alive=False))
                return
            if request is None:
                return
            busy(True)
            try:
                response = handler(request)
                stay = request.keep_alive and not response.closes and not stopping()
                connection.sendall(response.render(head_only=request.method == "HEAD", keep_alive=stay,
                                                   version=request.version))
            finally:
                busy(False)
            if not stay:
                return


def _plain(name: tuple[Any, ...]) -> tuple[str, int]:
    return plain(name[0]), int(name[1])
