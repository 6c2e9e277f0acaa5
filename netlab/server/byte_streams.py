"""Connections after their upgrade: bytes as they come, or WebSocket messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from netlab.server import spdy
from netlab.server.descriptors import hung_up
from netlab.server.transports import abort
from netlab.server.websocket import (
    BINARY,
    CLOSE,
    NORMAL,
    PING,
    PONG,
    Message,
    WebSocketError,
    WebSocketServer,
    close_frame,
    frame,
)

BLOCK = 64 * 1024
LINGER = 1.0  # seconds in which the client may say good-bye


class ByteStream(Protocol):
    """Bytes in order, both ways. `read` gives b"" when the client is gone; then `write` does nothing."""

    async def read(self) -> bytes: ...
    async def write(self, data: bytes) -> None: ...
    async def close(self) -> None: ...
    def gone(self) -> bool: ...


class PlainStream:
    """The connection itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        """The next bytes."""
        try:
            return await self._reader.read(BLOCK)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Sends them; waits while the client is slow."""
        if self._writer.is_closing():
            return
        with suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def close(self) -> None:
        """Ends the connection when all is sent, or after a second."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._writer.wait_closed()
        abort(self._writer.transport)

    def gone(self) -> bool:
        """Whether the client has closed its side, also while nobody reads."""
        connection = self._writer.get_extra_info("socket")
        return self._writer.is_closing() or connection is None or connection.fileno() < 0 or \
            hung_up(connection.fileno())


class WebSocketStream:
    """Messages over a connection; pings are answered within `receive`."""

    def __init__(self, plain: PlainStream) -> None:
        self._plain = plain
        self._frames = WebSocketServer()
        self._messages: list[Message] = []
        self._closed = False  # we have sent our close frame
        self.gone = plain.gone

    async def receive(self) -> bytes | None:
        """The next message, None when the client has ended the conversation."""
        while True:
            while self._messages:
                message = self._messages.pop(0)
                if message.opcode == PING:
                    await self._plain.write(frame(PONG, message.payload))
                elif message.opcode == CLOSE:
                    await self._say_close(message.payload[:2])
                    return None
                elif message.opcode != PONG:
                    return message.payload
            data = await self._plain.read()
            if not data:
                self._closed = True
                return None
            try:
                self._messages += self._frames.receive(data)
            except WebSocketError as error:
                await self._plain.write(close_frame(error.code, str(error)))
                self._closed = True
                return None

    async def send(self, payload: bytes) -> None:
        """Sends one binary message."""
        if not self._closed:
            await self._plain.write(frame(BINARY, payload))

    async def say_close(self) -> None:
        """Ends the conversation from our side; the client's answer ends `receive`."""
        await self._say_close(close_frame(NORMAL)[2:])

    async def _say_close(self, payload: bytes) -> None:
        if not self._closed:
            self._closed = True
            await self._plain.write(frame(CLOSE, payload))

    async def close(self) -> None:
        """Ends the connection."""
        await self.say_close()
        await self._plain.close()


class TunnelStream:
    """A stream of bytes in slices, each a WebSocket message; their borders mean nothing."""

    def __init__(self, messages: WebSocketStream) -> None:
        self._messages = messages
        self.write, self.close, self.gone = messages.send, messages.close, messages.gone

    async def read(self) -> bytes:
        """The next bytes."""
        while (message := await self._messages.receive()) is not None:
            if message:
                return message
        return b""


class SpdyStream:
    """SPDY over any stream of bytes; pings are answered within `events`."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._frames = spdy.SpdyServer()
        self.write, self.close, self.gone = stream.write, stream.close, stream.gone

    async def events(self) -> AsyncIterator[spdy.Opened | spdy.Data | spdy.Reset]:
        """What the client does, until it ends the connection or breaks the protocol."""
        while data := await self._stream.read():
            try:
                events = self._frames.receive(data)
            except spdy.SpdyError:
                return
            for event in events:
                if isinstance(event, spdy.GoAway):
                    return
                if isinstance(event, spdy.Ping):
                    await self.write(spdy.ping(event.number))
                else:
                    yield event

    async def accept(self, stream: int) -> None:
        """Says yes to a stream that the client has opened."""
        await self.write(self._frames.reply(stream))
