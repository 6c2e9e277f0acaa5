"""Answers that take their time: watches, logs, the proxy, and what a connection is upgraded to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from netlab.api.request import Request
from netlab.api.response import LogRequest, ProxyRequest, Response, StreamRequest, error_response
from netlab.api.watch import Watch
from netlab.model.errors import ApiError, forbidden_request, internal_error
from netlab.server.http_writer import Writer
from netlab.server.proxy_answer import pass_on
from netlab.server.streams import Takeover, hand_over
from netlab.server.upload import Upload

if TYPE_CHECKING:
    from netlab.server.http import ApiServer

Waiting = Watch | LogRequest | StreamRequest | ProxyRequest


class LongAnswers:
    """Those of one connection, which writes by `out`.

    `after` is what has come behind a request for an upgrade; `gone` is called when the connection is another's.
    """

    def __init__(self, server: ApiServer, out: Writer, after: bytearray, gone: Callable[[], None]) -> None:
        self._server, self._out, self._after, self._gone = server, out, after, gone

    async def run(self, request: Request, answer: Waiting | None, *, keep: bool) -> None:
        """Answers one request."""
        if isinstance(answer, Watch):
            await self._out.watch(answer, keep=keep)
        elif isinstance(answer, LogRequest):
            if self._server.logs is None:
                self._out.respond(error_response(ApiError(501, "NotImplemented", "this server has no logs")), keep=keep)
            else:
                await self._out.text(self._server.logs(answer), keep=keep)
        elif isinstance(answer, StreamRequest):
            await self._upgrade(request, answer)
        elif isinstance(answer, ProxyRequest):
            await self.pass_on(request, answer, keep=keep)
        else:
            self._out.respond(await self._extra(request), keep=keep)

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

    async def _upgrade(self, request: Request, wanted: StreamRequest) -> None:
        try:
            if self._server.streams is None:
                raise ApiError(501, "NotImplemented", "this server has no streams")
            found = self._server.streams.open(request, wanted)
        except ApiError as error:
            found = error_response(error)
        if isinstance(found, Response):
            self._out.respond(found, keep=False)
        else:
            await self._hand_over(found)

    async def pass_on(self, request: Request, wanted: ProxyRequest, *, keep: bool,
                      upload: Upload | None = None) -> None:
        """Asks a backend of the proxy subresources, with what comes of the body meanwhile."""
        try:
            takeover = await pass_on(self._server.proxy, self._out, request, wanted, keep=keep, upload=upload)
            if takeover:
                await self._hand_over(takeover)
        finally:
            if upload and not upload.ended and self._out.transport:
                self._out.transport.close()  # the answer came before all was asked: the rest is nobody's

    async def _hand_over(self, takeover: Takeover) -> None:
        transport = self._out.transport
        if transport is None:
            return
        already = bytes(self._after)
        self._after.clear()
        try:
            await hand_over(transport, takeover, already)
        finally:
            self._out.transport = None
            self._gone()
