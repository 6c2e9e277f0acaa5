"""The stream subresources of pods: what a request is upgraded to, and who serves it then."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from netlab.api.request import Request
from netlab.api.response import Response, StreamRequest
from netlab.kernel.exec_streams import ExecStreams
from netlab.model.errors import bad_request
from netlab.server import channels, port_forward, remote_command
from netlab.server.byte_streams import ByteStream, PlainStream, SpdyStream, TunnelStream, WebSocketStream
from netlab.server.transports import abort
from netlab.server.upgrade import SPDY, Upgrade, negotiate

HEAD_LIMIT = 64 * 1024
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class PodDoor(Protocol):
    """The kubelets' side of streams."""

    async def start(self, wanted: StreamRequest, size: tuple[int, int] | None,
                    ) -> ExecStreams | AsyncGenerator[bytes, None]:
        """The program of an exec; the session or the log of an attach. OSError says why it cannot be started."""

    async def left(self, wanted: StreamRequest, code: int | None) -> None:
        """The attached session has ended with that code, or (None) its client is gone."""

    async def dial(self, wanted: StreamRequest, port: int) -> socket.socket:
        """A connection to a port of the pod, made within it. OSError with the kubelet's text."""


@dataclass(frozen=True)
class Takeover:
    """What an upgraded connection is answered with, and what goes on there. `serve` ends the connection."""

    head: bytes
    serve: Serve


async def hand_over(transport: asyncio.Transport, takeover: Takeover, already: bytes) -> None:
    """Gives a transport of any kind, TLS included, away to `takeover`, with what was read `already`; ends it."""
    reader = asyncio.StreamReader(limit=HEAD_LIMIT)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    reader.feed_data(already)
    transport.resume_reading()
    writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    writer.write(takeover.head)
    try:
        await takeover.serve(reader, writer)
    finally:
        abort(transport)


class Streams:
    """exec, attach and portforward of a lab's pods."""

    def __init__(self, pods: PodDoor) -> None:
        self._pods = pods

    def open(self, request: Request, wanted: StreamRequest) -> Takeover | Response:
        """Agrees with the client on a protocol. ApiError 400 when it asks for no upgrade."""
        if wanted.kind == "portforward":
            found = negotiate(request, websocket=(port_forward.TUNNEL, *port_forward.CHANNEL_PROTOCOLS),
                              spdy=(port_forward.PROTOCOL,))
            if isinstance(found, Upgrade) and found.kind != SPDY and found.protocol != port_forward.TUNNEL \
                    and not wanted.ports:
                raise bad_request('query parameter "port" is required')
            serve = self._forward
        else:
            found = negotiate(request, websocket=channels.WEBSOCKET_PROTOCOLS, spdy=channels.SPDY_PROTOCOLS)
            serve = self._command
        if isinstance(found, Response):
            return found
        upgrade = found
        return Takeover(upgrade.head, lambda reader, writer: serve(wanted, upgrade, PlainStream(reader, writer)))

    async def _command(self, wanted: StreamRequest, upgrade: Upgrade, plain: PlainStream) -> None:
        joined = channels.SpdyChannels(SpdyStream(plain), wanted) if upgrade.kind == SPDY else \
            channels.WebSocketChannels(WebSocketStream(plain))
        code = None
        try:
            code = await remote_command.serve(joined, wanted, start=self._pods.start, protocol=upgrade.protocol)
        finally:
            if wanted.kind == "attach":
                await self._pods.left(wanted, code)

    async def _forward(self, wanted: StreamRequest, upgrade: Upgrade, plain: PlainStream) -> None:
        async def dial(port: int) -> socket.socket:
            return await self._pods.dial(wanted, port)

        if upgrade.kind != SPDY and upgrade.protocol != port_forward.TUNNEL:
            await port_forward.serve_channels(WebSocketStream(plain), wanted.ports, dial)
            return
        stream: ByteStream = plain if upgrade.kind == SPDY else TunnelStream(WebSocketStream(plain))
        await port_forward.SpdyForwarder(SpdyStream(stream), dial).serve()
