"""Joins connections of a client with ports of a pod: kubectl port-forward (SPDY) and that of Python clients."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from netlab.server import spdy
from netlab.server.byte_streams import SpdyStream, WebSocketStream
from netlab.server.stream_input import StreamInput
from netlab.server.transports import abort

PROTOCOL = "portforward.k8s.io"
TUNNEL = f"SPDY/3.1+{PROTOCOL}"
CHANNEL_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", PROTOCOL)
MAX_STREAMS = 4096  # that are open at once on one connection
_BLOCK = 32 * 1024
Dial = Callable[[int], Awaitable[socket.socket]]
"""A connection to that port of the pod; OSError with the text that the client is told."""
Send = Callable[[bytes], Awaitable[None]]


async def join(connection: socket.socket, inbox: StreamInput, send: Send) -> None:
    """Copies both ways until the pod's side ends; the end of `inbox` is passed on to it."""
    reader, writer = await asyncio.open_connection(sock=connection)

    async def up() -> None:
        with suppress(OSError):
            while data := await inbox.get():
                writer.write(data)
                await writer.drain()
            writer.write_eof()
            return
        inbox.drop()

    upward = asyncio.create_task(up())
    try:
        with suppress(OSError):
            while data := await reader.read(_BLOCK):
                await send(data)
    finally:
        inbox.drop()
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)
        abort(writer.transport)


@dataclass
class _Forward:
    """One connection: its two streams."""

    inbox: StreamInput
    port: int
    error: int = 0
    data: int = 0
    task: asyncio.Task[None] | None = None


class SpdyForwarder:
    """All forwards of one kubectl. Two streams with the same `requestid` are a connection: first error, then data."""

    def __init__(self, stream: SpdyStream, dial: Dial) -> None:
        self._stream, self._dial = stream, dial
        self._forwards: dict[str, _Forward] = {}
        self._by_data: dict[int, _Forward] = {}

    async def serve(self) -> None:
        """Until the client is gone; ends the connection."""
        try:
            with suppress(ConnectionError):
                async for event in self._stream.events():
                    await self._take(event)
        finally:
            tasks = [forward.task for forward in self._by_data.values() if forward.task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stream.close()

    async def _take(self, event: spdy.Opened | spdy.Data | spdy.Reset) -> None:
        if isinstance(event, spdy.Opened):
            await self._open(event)
            return
        forward = self._by_data.get(event.stream)
        if forward is None:
            return  # of an error stream, or late
        if isinstance(event, spdy.Reset):
            if forward.task:
                forward.task.cancel()
            return
        if event.data:
            await forward.inbox.put(event.data)
        if event.ended:
            forward.inbox.end()

    async def _open(self, event: spdy.Opened) -> None:
        kind, port = event.headers.get("streamtype"), event.headers.get("port", "")
        number = event.headers.get("requestid", "")
        known = self._forwards.get(number)
        if kind not in ("error", "data") or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536) \
                or len(self._forwards) >= MAX_STREAMS or (known and getattr(known, kind)):
            await self._stream.write(spdy.reset(event.stream, spdy.REFUSED_STREAM))
            return
        forward = self._forwards.setdefault(number, _Forward(StreamInput(self._stream.gone), int(port)))
        if kind == "error":
            forward.error = event.stream
        else:
            forward.data = event.stream
            self._by_data[event.stream] = forward
        await self._stream.accept(event.stream)
        if forward.error and forward.data:
            forward.task = asyncio.create_task(self._run(forward, number))

    async def _run(self, forward: _Forward, number: str) -> None:
        text = b""
        try:
            try:
                connection = await self._dial(forward.port)
            except OSError as error:
                text = str(error.strerror or error).encode()
            else:
                await join(connection, forward.inbox,
                           lambda data: self._stream.write(spdy.data_frames(forward.data, data)))
            await self._stream.write(spdy.data_frames(forward.data, b"", end=True)
                                     + spdy.data_frames(forward.error, text, end=True))
        finally:
            forward.inbox.drop()
            del self._forwards[number], self._by_data[forward.data]


async def serve_channels(stream: WebSocketStream, ports: Sequence[int], dial: Dial) -> None:
    """One connection per port, at once: channel 2i is the i-th port's data, 2i+1 its errors. Until all have ended.

    The first message of each channel is the port, two bytes, little-endian.
    """
    inboxes = [StreamInput(stream.gone) for _ in ports]

    async def forward(index: int, port: int) -> None:
        try:
            connection = await dial(port)
        except OSError as error:
            await stream.send(bytes([2 * index + 1]) + str(error.strerror or error).encode())
            return
        await join(connection, inboxes[index], lambda data: stream.send(bytes([2 * index]) + data))

    async def receive() -> None:
        with suppress(ConnectionError):
            while (message := await stream.receive()) is not None:
                if message[:1] == b"\xff":
                    if len(message) == 2 and message[1] % 2 == 0 and message[1] // 2 < len(inboxes):
                        inboxes[message[1] // 2].end()
                elif len(message) > 1 and message[0] % 2 == 0 and message[0] // 2 < len(inboxes):
                    await inboxes[message[0] // 2].put(message[1:])

    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await stream.send(struct.pack("<BH", channel, port))
    incoming = asyncio.create_task(receive())
    forwards = asyncio.gather(*(forward(index, port) for index, port in enumerate(ports)))
    try:
        await asyncio.wait((incoming, forwards), return_when=asyncio.FIRST_COMPLETED)
        if forwards.done():
            await stream.say_close()
            await asyncio.wait((incoming,), timeout=1.0)
    finally:
        incoming.cancel()
        forwards.cancel()
        await asyncio.gather(incoming, forwards, return_exceptions=True)
        await stream.close()
