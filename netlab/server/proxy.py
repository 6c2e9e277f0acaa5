"""Passes requests on to pods and Services: the proxy subresources (k8s.io/apimachinery, util/proxy)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass

import httptools

from netlab.api.request import Request
from netlab.api.response import ProxyRequest
from netlab.model.errors import ApiError
from netlab.server import proxy_links
from netlab.server.byte_streams import PlainStream
from netlab.server.transports import abort
from netlab.server.upload import Upload

HEAD_LIMIT = 64 * 1024
DIAL_LIMIT = 30.0  # seconds
BLOCK = 64 * 1024
HOP_BY_HOP = frozenset(("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
                        "transfer-encoding", "upgrade", "proxy-connection"))
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Passed:
    """A backend's answer. `body` must be closed; `length` None is not known beforehand.

    After an upgrade (101) `backend` is the connection, and `rest` what came on it already.
    """

    code: int
    phrase: str
    headers: Headers
    length: int | None
    body: AsyncGenerator[bytes, None]
    backend: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    rest: bytes = b""


class _Answer:
    """What httptools reads of a response."""

    def __init__(self, *, head: bool) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: Headers = []
        self.phrase = ""
        self.pieces: list[bytes] = []
        self.complete_head = self.complete = False
        self._bodiless = head
        self._size = 0

    def on_status(self, phrase: bytes) -> None:
        self.phrase += phrase.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        if self._size > HEAD_LIMIT:
            raise ValueError("the headers are too large")
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        code = self.parser.get_status_code()
        if 100 <= code < 200 and code != 101:
            self.headers, self.phrase = [], ""  # such as 100 Continue: the answer follows
            return
        self.complete_head = True
        self.complete = self._bodiless or code in (101, 204, 304)

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.complete = self.complete or self.complete_head

    def value(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


class Proxy:
    """Requests to backends. `dial` makes unconnected non-blocking TCP sockets in the control plane's netns."""

    def __init__(self, dial: Callable[[int], socket.socket]) -> None:
        self._dial = dial

    async def fetch(self, request: Request, wanted: ProxyRequest, *, client: str = "",
                    upload: Upload | None = None) -> Passed:
        """The backend's answer as soon as its head is there. ApiError 503 when it cannot be reached.

        `client` is the address of who asks, and `upload` the request's body if that is not in it.
        """
        try:
            reader, writer = await self._connect(wanted)
        except (OSError, TimeoutError) as error:
            raise _unreachable(error, wanted) from None
        sender: asyncio.Task[None] | None = None
        try:
            writer.write(_head(request, wanted, client=client, upload=upload) + request.body)
            sender = asyncio.create_task(_send(upload, writer)) if upload else None
            answer = _Answer(head=request.method == "HEAD")
            rest = await self._read_head(reader, answer)
        except BaseException as error:
            abort(writer.transport)
            if sender:
                sender.cancel()
            if isinstance(error, (OSError, ValueError, EOFError, httptools.HttpParserError)):
                raise ApiError(503, "ServiceUnavailable", f"error trying to reach service: {error}") from None
            raise
        return await self._passed(request, wanted, answer, reader, writer, rest, sender)

    async def _connect(self, wanted: ProxyRequest) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        made = self._dial(socket.AF_INET6 if ":" in wanted.host else socket.AF_INET)
        try:
            async with asyncio.timeout(DIAL_LIMIT):
                await asyncio.get_running_loop().sock_connect(made, (wanted.host, wanted.port))
                if wanted.scheme != "https":
                    return await asyncio.open_connection(sock=made)
                import ssl

                context = ssl._create_unverified_context()  # as upstream: pods' certificates are nobody's here
                return await asyncio.open_connection(sock=made, ssl=context, server_hostname=wanted.host)
        except BaseException:
            made.close()
            raise

    @staticmethod
    async def _read_head(reader: asyncio.StreamReader, answer: _Answer) -> bytes:
        while not answer.complete_head:
            data = await reader.read(BLOCK)
            if not data:
                raise EOFError("EOF")
            try:
                answer.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                return data[upgrade.args[0]:]
        return b""

    async def _passed(self, request: Request, wanted: ProxyRequest, answer: _Answer, reader: asyncio.StreamReader,
                      writer: asyncio.StreamWriter, rest: bytes, sender: asyncio.Task[None] | None) -> Passed:
        code = answer.parser.get_status_code()
        dropped = HOP_BY_HOP | {"content-length"} | {
            part.strip().lower() for part in answer.value("connection").split(",")}
        place = proxy_links.Place(wanted, request.headers.get("host", ""))
        headers = [(name, place.rewrite(value) if name.lower() == "location" else value)
                   for name, value in answer.headers if name.lower() not in dropped]
        if code == 101:
            headers += [("Connection", "Upgrade"), ("Upgrade", answer.value("upgrade"))]
            return Passed(101, answer.phrase, headers, 0, _body(answer, reader, writer, sender), (reader, writer), rest)
        length = answer.value("content-length")
        size = int(length) if length.isascii() and length.isdigit() else 0 if answer.complete and not answer.pieces \
            and request.method != "HEAD" else None
        body = _body(answer, reader, writer, sender)
        if answer.value("content-type").lower().startswith("text/html") and not answer.value("content-encoding") \
                and request.method != "HEAD":
            return Passed(code, answer.phrase, headers, None, proxy_links.rewritten(body, place))
        return Passed(code, answer.phrase, headers, size, body)


async def _send(upload: Upload, writer: asyncio.StreamWriter) -> None:
    """Sends a body as it comes. A backend that wants no more of it may still answer."""
    with suppress(OSError):
        async for piece in upload.pieces():
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if upload.length is None else piece)
            await writer.drain()
        if upload.length is None:
            writer.write(b"0\r\n\r\n")


async def _body(answer: _Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                sender: asyncio.Task[None] | None) -> AsyncGenerator[bytes, None]:
    """The body in pieces as they come; ConnectionError when it ends too early."""
    try:
        while True:
            pieces, answer.pieces = answer.pieces, []
            if pieces:
                yield b"".join(pieces)
            if answer.complete:
                return
            data = await reader.read(BLOCK)
            if not data:
                if answer.value("content-length") or "chunked" in answer.value("transfer-encoding").lower():
                    raise ConnectionResetError("unexpected EOF")
                return
            try:
                answer.parser.feed_data(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
                raise ConnectionResetError(str(error)) from None
    finally:
        if sender:
            sender.cancel()
        abort(writer.transport)


async def relay(passed: Passed, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Joins an upgraded client with its backend until one side ends."""
    assert passed.backend is not None
    theirs, to_them = passed.backend

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(BLOCK):
                target.write(data)
                await target.drain()

    writer.write(passed.rest)
    tasks = [asyncio.create_task(copy(reader, to_them)), asyncio.create_task(copy(theirs, writer))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(tasks, timeout=1.0)  # what the other side says last
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        abort(to_them.transport)
        await PlainStream(reader, writer).close()


def _head(request: Request, wanted: ProxyRequest, *, client: str, upload: Upload | None) -> bytes:
    """The request's head as the backend sees it: without our credentials, told where it came from."""
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    upgrade = request.headers.get("upgrade") if "upgrade" in request.headers.get("connection", "").lower() else None
    dropped = HOP_BY_HOP | {"authorization", "host", "content-length", "expect", "x-forwarded-uri",
                            "x-forwarded-host", "x-forwarded-proto", "x-forwarded-for"}
    headers = {name: value for name, value in request.headers.items() if name not in dropped}
    uri = wanted.prefix + wanted.path.partition("?")[0]
    lines = [f"{request.method} {wanted.path} HTTP/1.1",
             f"Host: {host}" if wanted.port in (80, 443) else f"Host: {host}:{wanted.port}",
             *(f"{name}: {value}" for name, value in headers.items()),
             f"X-Forwarded-Uri: {uri}", f"X-Forwarded-Host: {request.headers.get('host', '')}",
             *(["Connection: Upgrade", f"Upgrade: {upgrade}"] if upgrade else ["Connection: close"])]
    before = request.headers.get("x-forwarded-for", "")
    if client or before:
        lines.append(f"X-Forwarded-For: {', '.join(filter(None, (before, client)))}")
    if upload and upload.length is None:
        lines.append("Transfer-Encoding: chunked")
    elif upload:
        lines.append(f"Content-Length: {upload.length}")
    elif request.body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _unreachable(error: Exception, wanted: ProxyRequest) -> ApiError:
    number = error.errno if isinstance(error, OSError) else None
    text = f"connect: {os.strerror(number).lower()}" if number and number in errno.errorcode else \
        "i/o timeout" if isinstance(error, TimeoutError) else str(error)
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    return ApiError(503, "ServiceUnavailable", f"error trying to reach service: dial tcp {host}:{wanted.port}: {text}")
