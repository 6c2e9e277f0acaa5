"""One HTTP/1.1 connection: what comes is parsed into requests, and answered in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Coroutine
from time import thread_time
from typing import TYPE_CHECKING, Any

import httptools

from netlab.api import routes
from netlab.api.request import BODY_LIMIT, Request, too_large
from netlab.api.response import ProxyRequest, Response, error_response
from netlab.api.routes import no_such_method
from netlab.api.users import ADMIN
from netlab.model.errors import ApiError, bad_request, forbidden_request
from netlab.server.http_writer import Writer
from netlab.server.long_answers import LongAnswers
from netlab.server.transports import abort
from netlab.server.upload import Upload

if TYPE_CHECKING:
    from netlab.server.door import Door
    from netlab.server.http import ApiServer

HEAD_LIMIT = 64 * 1024  # bytes of request line and headers
QUEUE_LIMIT = 64  # requests that wait on one connection for a watch or the like to end
SO_SNDBUFFORCE = 32  # socket(7); the socket module has no name for it
SEND_BUFFER = 512 * 1024  # bytes: a long list goes to the kernel in one piece
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
        self._body_limit = BODY_LIMIT
        self._server = server
        self._read_only = read_only
        self._parser = httptools.HttpRequestParser(self)
        self._out = Writer()
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._upload: Upload | None = None
        self._after_upgrade = bytearray()
        self._answers = LongAnswers(server, self._out, self._after_upgrade, self._given_away)
        self._refused = self._upgrading = False
        self._new_message()

    def _new_message(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = self._body_size = 0

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out.transport = transport
        self._server.connections.add(self)
        peer = transport.get_extra_info("socket")
        if self._door:
            # asyncio does so only for sockets whose protocol is named; without, the end of a list waits for 40 ms.
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stranger = asyncio.get_running_loop().call_later(STRANGER_SECONDS, self.abort)
            return
        with contextlib.suppress(OSError):  # without the right to it, the machine's default stays
            peer.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
        uid = _peer_uid(peer)
        if uid not in (0, os.geteuid()):
            self._refuse(forbidden_request("the API", "", f"user {uid} of this machine has no access to the lab"))

    def connection_lost(self, error: Exception | None) -> None:
        self._out.transport = None
        self._is_known()
        self._waiting.clear()
        self._out.writable.set()
        self._server.connections.discard(self)
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._upgrading:
            self._keep(data)
            return
        if self._refused:
            return
        begin = thread_time()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:  # it is the last request, whatever its answer is
            self._upgrading = True
            self._keep(data[upgrade.args[0]:])
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, ApiError) else bad_request("malformed HTTP request"))
        except httptools.HttpParserError as error:
            self._refuse(bad_request(f"malformed HTTP request: {error}"))
        self._server.seconds += thread_time() - begin

    def _keep(self, data: bytes) -> None:
        """Holds what comes after a request for an upgrade until it is known who reads it."""
        self._after_upgrade += data
        if len(self._after_upgrade) > HEAD_LIMIT and self._out.transport:
            self._out.transport.pause_reading()

    def pause_writing(self) -> None:
        self._out.writable.clear()
        if self._out.transport:
            self._out.transport.pause_reading()  # who does not read answers has no further questions

    def resume_writing(self) -> None:
        self._out.writable.set()
        # Not at once: a transport that is closed within this call ends twice.
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._next()
        if self._out.transport and self._out.writable.is_set():
            self._out.transport.resume_reading()

    def abort(self) -> asyncio.Task[None] | None:
        """Ends the connection; gives the task that still has to notice it."""
        if self._out.transport:
            self._out.transport.close()
        if self._task:
            self._task.cancel()
        return self._task

    def _given_away(self) -> None:
        self._server.connections.discard(self)

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
        # A repeated header is a list (RFC 9110, section 5.3): kubectl's offers of protocols come so.
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text
        self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        limit = BODY_LIMIT
        if self._door:
            shown = self._out.transport.get_extra_info("peercert") if self._out.transport else None
            self._user = self._door.admit(self._headers, shown)
            if self._user.is_stranger:
                limit = self._body_limit = 0
                self._server.api.authorize(self._request())  # before anything of a body is read
            else:
                self._body_limit = BODY_LIMIT
                self._is_known()
        text = self._headers.get("content-length", "0")
        length = int(text) if text.isascii() and text.isdigit() else 0
        passes_on = limit > 0 and (length > 0 or "transfer-encoding" in self._headers) and self._passes_on()
        if length > limit and not passes_on:
            raise too_large()
        if self._headers.get("expect", "").lower() == "100-continue" and not self._waiting and not self._task:
            self._out.write(CONTINUE)
        if passes_on:
            self._begin_upload(length)

    def on_body(self, body: bytes) -> None:
        if self._upload:
            self._upload.feed(body)
            return
        self._body_size += len(body)
        if self._body_size > self._body_limit:
            raise too_large()
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._upload:
            self._upload.end()
            self._upload = None
            return
        keep = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        request = self._request(b"".join(self._body))
        self._waiting.append((request, keep))
        if len(self._waiting) > QUEUE_LIMIT and self._task:
            raise ApiError(429, "TooManyRequests", "too many requests wait on this connection")
        self._next()

    def _passes_on(self) -> bool:
        """Whether the request is the next to be answered, and is for a backend of the proxy subresources."""
        if self._waiting or self._task or self._upload or "upgrade" in self._headers or b"/proxy" not in self._target:
            return False
        route = routes.find(self._request().path)
        return route is not None and route.subresource == "proxy"

    def _begin_upload(self, length: int) -> None:
        """Answers the request before its body is there; a refusal waits for the body, as others do."""
        request = self._request()
        answer = self._server.api.handle(request)
        if isinstance(answer, ProxyRequest) and self._out.transport:
            self._server.requests += 1
            self._upload = Upload(self._out.transport, None if "transfer-encoding" in self._headers else length)
            self._start(self._answers.pass_on(request, answer, keep=self._parser.should_keep_alive(),
                                              upload=self._upload))

    def _request(self, body: bytes = b"") -> Request:
        method, target = self._parser.get_method().decode("latin-1"), self._target.decode("latin-1")
        return Request.from_target(method, target, self._headers, body, read_only=self._read_only, user=self._user)

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > HEAD_LIMIT:
            raise ApiError(431, "RequestHeaderFieldsTooLarge", "the request's headers are too large")

    # Answers

    def _next(self) -> None:
        # Who has not read the former answers waits for the next: they would be kept in memory.
        while self._waiting and self._out.transport and not self._task and self._out.writable.is_set():
            request, keep = self._waiting.popleft()
            self._server.requests += 1
            route = self._server.extra_routes.get(request.path)
            if route is None:
                answer = self._server.api.handle(request)
                if isinstance(answer, Response):
                    self._out.respond(answer, keep=keep, head=request.method == "HEAD")
                    continue
                if request.method == "HEAD" and not isinstance(answer, ProxyRequest):
                    self._out.respond(error_response(no_such_method()), keep=keep, head=True)
                    continue
            else:
                answer = None
            self._start(self._answers.run(request, answer, keep=keep))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()):
            traceback.print_exception(error, file=sys.stderr)
            if self._out.transport:
                abort(self._out.transport)
        self._next()

    def _refuse(self, error: ApiError) -> None:
        """The last answer: what follows on the connection cannot be understood or is not wanted."""
        self._refused = True
        self._waiting.clear()
        if self._task:
            self._task.cancel()
        self._out.respond(error_response(error), keep=False)


def _peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a unix socket, as it was when the connection was made (unix(7), SO_PEERCRED)."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", data)[1]
    return uid
