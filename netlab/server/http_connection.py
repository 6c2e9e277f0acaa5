"""One HTTP/1.1 connection: requests in, responses, watches and logs out."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING

import httptools

from netlab.api.request import BODY_LIMIT, Request, too_large
from netlab.api.response import LogRequest, Response, error_response
from netlab.api.routes import no_such_method
from netlab.api.users import ADMIN
from netlab.api.watch import Watch
from netlab.model.errors import ApiError, bad_request, forbidden_request, internal_error

if TYPE_CHECKING:
    from netlab.server.door import Door
    from netlab.server.http import ApiServer

HEAD_LIMIT = 64 * 1024  # bytes of request line and headers
QUEUE_LIMIT = 64  # requests that wait on one connection
BOOKMARK_SECONDS = 60.0
STRANGER_SECONDS = 30.0  # that a connection may last until it has shown a credential
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Parses what comes, answers in order. The methods named `on_…` are httptools' callbacks.

    A connection without a `door` comes by a unix socket: the kernel says who it is.
    """

    def __init__(self, server: ApiServer, *, read_only: bool = False, door: Door | None = None) -> None:
        self._door = door
        self._stranger: asyncio.TimerHandle | None = None
        self._user = ADMIN
        self._server = server
        self._read_only = read_only
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._refused = False
        self._new_message()

    def _new_message(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = self._body_size = 0

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)
        if self._door:
            self._stranger = asyncio.get_running_loop().call_later(STRANGER_SECONDS, self.abort)
            return
        uid = _peer_uid(transport.get_extra_info("socket"))
        if uid not in (0, os.geteuid()):
            self._refuse(forbidden_request("the API", "", f"user {uid} of this machine has no access to the lab"))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._is_known()
        self._waiting.clear()
        self._writable.set()
        self._server.connections.discard(self)
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # the request is answered as any other, in HTTP/1.1, and it is the last
            self._refused = True
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, ApiError) else bad_request("malformed HTTP request"))
        except httptools.HttpParserError as error:
            self._refuse(bad_request(f"malformed HTTP request: {error}"))

    def pause_writing(self) -> None:
        self._writable.clear()
        if self._transport:
            self._transport.pause_reading()  # who does not read answers has no further questions

    def resume_writing(self) -> None:
        self._writable.set()
        if self._transport:
            self._transport.resume_reading()

    def abort(self) -> asyncio.Task[None] | None:
        """Ends the connection; gives the task that still has to notice it."""
        if self._transport:
            self._transport.close()
        if self._task:
            self._task.cancel()
        return self._task

    def _is_known(self) -> None:
        if self._stranger:
            self._stranger.cancel()
            self._stranger = None

    # The parser's side

    def on_message_begin(self) -> None:
        self._new_message()

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text  # RFC 9110, 5.3
        self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        if self._door:
            self._user = self._door.admit(self._headers)
            self._is_known()
        length = self._headers.get("content-length", "0")
        if length.isdigit() and int(length) > BODY_LIMIT:
            raise too_large()
        if self._headers.get("expect", "").lower() == "100-continue" and not self._waiting and not self._task:
            self._write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > BODY_LIMIT:
            raise too_large()
        self._body.append(body)

    def on_message_complete(self) -> None:
        keep = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        method = self._parser.get_method().decode("latin-1")
        target = self._target.decode("latin-1")
        request = Request.from_target(method, target, self._headers, b"".join(self._body), read_only=self._read_only,
                                       user=self._user)
        self._waiting.append((request, keep))
        if len(self._waiting) > QUEUE_LIMIT:
            raise ApiError(429, "TooManyRequests", "too many requests wait on this connection")
        self._next()

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > HEAD_LIMIT:
            raise ApiError(431, "RequestHeaderFieldsTooLarge", "the request's headers are too large")

    # Answers

    def _next(self) -> None:
        while self._waiting and self._transport and not self._task:
            request, keep = self._waiting.popleft()
            route = self._server.extra_routes.get(request.path)
            if route is None:
                answer = self._server.api.handle(request)
                if isinstance(answer, Response):
                    self._respond(answer, keep=keep, head=request.method == "HEAD")
                    continue
                if request.method == "HEAD":
                    self._respond(error_response(no_such_method()), keep=keep, head=True)
                    continue
            else:
                answer = None
            self._task = asyncio.get_running_loop().create_task(self._run(request, answer, keep=keep))
            self._task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()):
            traceback.print_exception(error, file=sys.stderr)
            if self._transport:
                self._transport.abort()
        self._next()

    async def _run(self, request: Request, answer: Watch | LogRequest | None, *, keep: bool) -> None:
        if isinstance(answer, Watch):
            await self._watch(answer, keep=keep)
        elif isinstance(answer, LogRequest):
            await self._log(answer, keep=keep)
        else:
            self._respond(await self._extra(request), keep=keep)

    async def _extra(self, request: Request) -> Response:
        if request.read_only:
            return error_response(forbidden_request(request.path, "", "this socket is read-only"))
        try:
            self._server.api.authorize(request)
            return await self._server.extra_routes[request.path](request)
        except ApiError as error:
            return error_response(error)
        except Exception as error:
            self._server.api.on_bug(error)
            return error_response(internal_error(f"{type(error).__name__}: {error}"))

    async def _watch(self, watch: Watch, *, keep: bool) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + watch.timeout
        written = asyncio.Event()
        end = watch.store.subscribe((watch.resource,), written.set)
        try:
            self._begin_chunks("application/json", keep=keep)
            while self._transport and not watch.ended:
                written.clear()
                while watch.backlog and not watch.ended and self._transport:
                    self._chunk(b"".join(watch.take()))
                    if not self._writable.is_set() and not await self._drained(deadline):
                        return
                left = deadline - loop.time()
                if left <= 0 or watch.ended:
                    break
                try:
                    await asyncio.wait_for(written.wait(), min(left, BOOKMARK_SECONDS))
                except TimeoutError:
                    if watch.bookmarks and not watch.backlog:
                        self._chunk(watch.bookmark())
            self._end_chunks(keep=keep)
        finally:
            end()

    async def _drained(self, deadline: float) -> bool:
        """Waits for a reader that is slow; its events stay in the store's history meanwhile, not in this process's
        buffers. False when it was too slow and has been cut off.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._writable.wait()
        except TimeoutError:
            if self._transport:
                self._transport.abort()
            return False
        return True

    async def _log(self, wanted: LogRequest, *, keep: bool) -> None:
        if self._server.logs is None:
            self._respond(error_response(ApiError(501, "NotImplemented", "this server has no logs")), keep=keep)
            return
        pieces: AsyncIterator[bytes] = self._server.logs(wanted)
        begun = False
        try:
            async for piece in pieces:
                if not begun:
                    begun = True
                    self._begin_chunks("text/plain", keep=keep)
                self._chunk(piece)
                await self._writable.wait()
                if not self._transport:
                    return
        except ApiError as error:
            if not begun:
                self._respond(error_response(error), keep=keep)
                return
        finally:
            close = getattr(pieces, "aclose", None)
            if close:
                await close()
        if not begun:
            self._begin_chunks("text/plain", keep=keep)
        self._end_chunks(keep=keep)

    # Bytes

    def _write(self, data: bytes) -> None:
        if self._transport:
            self._transport.write(data)

    def _respond(self, response: Response, *, keep: bool, head: bool = False) -> None:
        lines = [f"Content-Type: {response.content_type}", f"Content-Length: {len(response.body)}"]
        lines += [f'Warning: 299 - "{_quoted(text)}"' for text in response.warnings]
        lines += [f"{name}: {value}" for name, value in response.headers]
        self._write(_head(response.code, lines, keep=keep) + (b"" if head else response.body))
        if not keep and self._transport:
            self._transport.close()

    def _refuse(self, error: ApiError) -> None:
        """The last answer: what follows on the connection cannot be understood or is not wanted."""
        self._refused = True
        self._waiting.clear()
        if self._task:
            self._task.cancel()
        self._respond(error_response(error), keep=False)

    def _begin_chunks(self, content_type: str, *, keep: bool) -> None:
        self._write(_head(200, [f"Content-Type: {content_type}", "Transfer-Encoding: chunked"], keep=keep))

    def _chunk(self, data: bytes) -> None:
        if data:
            self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def _end_chunks(self, *, keep: bool) -> None:
        self._write(b"0\r\n\r\n")
        if not keep and self._transport:
            self._transport.close()


def _peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a unix socket, as it was when the connection was made (unix(7), SO_PEERCRED)."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", data)[1]
    return uid


def _head(code: int, lines: list[str], *, keep: bool) -> bytes:
    try:
        phrase = HTTPStatus(code).phrase
    except ValueError:
        phrase = "Unknown"
    end = [] if keep else ["Connection: close"]
    return "\r\n".join([f"HTTP/1.1 {code} {phrase}", *lines, *end, "", ""]).encode("latin-1", "replace")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
