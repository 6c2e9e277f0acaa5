"""The channels of exec and attach, over WebSocket messages or SPDY streams (k8s.io/apimachinery, remotecommand).

    WebSocket   every message begins with its channel: 0 stdin, 1 stdout, 2 stderr, 3 status, 4 resize;
                255 in v5: the channel that follows is closed
    SPDY        one stream each, which the client opens and names in its header `streamtype`
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

from netlab.api.response import StreamRequest
from netlab.server import spdy
from netlab.server.byte_streams import SpdyStream, WebSocketStream
from netlab.server.stream_input import StreamInput

STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSED = 0, 1, 2, 3, 4, 255
STREAM_TYPES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": STATUS, "resize": RESIZE}
WEBSOCKET_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
_OPEN_LIMIT = 30.0  # seconds in which a client opens its SPDY streams, as upstream


class Window:
    """The size of the client's terminal, as (rows, columns); `changed` is set by each resize."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.changed = asyncio.Event()

    def resize(self, text: bytes) -> None:
        """Takes a line such as {"Width":80,"Height":24}; what cannot be read is left out."""
        try:
            said = json.loads(text)
            rows, columns = int(said["Height"]), int(said["Width"])
        except (ValueError, TypeError, KeyError):
            return
        if 0 < rows < 65536 and 0 < columns < 65536:
            self.size = rows, columns
            self.changed.set()


class Channels(Protocol):
    """One client's channels."""

    stdin: StreamInput
    window: Window

    async def receive(self) -> None:
        """Takes what comes into `stdin` and `window`, until the client is gone."""

    async def opened(self) -> bool:
        """Whether all channels are there, which takes the client a moment with SPDY."""

    async def send(self, channel: int, data: bytes) -> None:
        """Output of the program."""

    async def end(self, status: bytes) -> None:
        """The last that the client hears: the status, and that nothing follows."""

    async def close(self) -> None:
        """Ends the connection."""


class WebSocketChannels:
    """Channels by the first byte of each message."""

    def __init__(self, stream: WebSocketStream) -> None:
        self._stream = stream
        self.stdin, self.window = StreamInput(stream.gone), Window()
        self.close = stream.close

    async def receive(self) -> None:
        """Until the client closes."""
        while (message := await self._stream.receive()) is not None:
            channel, data = message[:1], message[1:]
            if channel == b"\0":
                if data:
                    await self.stdin.put(data)
            elif channel == b"\x04":
                self.window.resize(data)
            elif message[:2] == b"\xff\0":
                self.stdin.end()

    async def opened(self) -> bool:
        """At once."""
        return True

    async def send(self, channel: int, data: bytes) -> None:
        """One message."""
        await self._stream.send(bytes([channel]) + data)

    async def end(self, status: bytes) -> None:
        """Status and close frame."""
        if status:
            await self.send(STATUS, status)
        await self._stream.say_close()


class SpdyChannels:
    """Channels as streams."""

    def __init__(self, stream: SpdyStream, wanted: StreamRequest) -> None:
        self._stream = stream
        self.stdin, self.window = StreamInput(stream.gone), Window()
        self._ids: dict[int, int] = {}
        flags = {STDIN: wanted.stdin, STDOUT: wanted.stdout, STDERR: wanted.stderr, STATUS: True,
                 RESIZE: wanted.resizes}
        self._missing = {channel for channel, there in flags.items() if there}
        self._complete = asyncio.Event()
        self.close = stream.close

    async def receive(self) -> None:
        """Until the client says GOAWAY or hangs up."""
        async for event in self._stream.events():
            if isinstance(event, spdy.Opened):
                await self._open(event)
            elif isinstance(event, spdy.Data):
                if event.stream == self._ids.get(STDIN):
                    if event.data:
                        await self.stdin.put(event.data)
                    if event.ended:
                        self.stdin.end()
                elif event.stream == self._ids.get(RESIZE):
                    for line in event.data.splitlines():
                        self.window.resize(line)

    async def _open(self, event: spdy.Opened) -> None:
        channel = STREAM_TYPES.get(event.headers.get("streamtype", ""))
        if channel is None or channel in self._ids:
            await self._stream.write(spdy.reset(event.stream, spdy.REFUSED_STREAM))
            return
        self._ids[channel] = event.stream
        await self._stream.accept(event.stream)
        self._missing.discard(channel)
        if not self._missing:
            self._complete.set()

    async def opened(self) -> bool:
        """When the client has opened those that it asked for in its request."""
        try:
            async with asyncio.timeout(_OPEN_LIMIT):
                await self._complete.wait()
        except TimeoutError:
            return False
        return True

    async def send(self, channel: int, data: bytes) -> None:
        """Frames of the channel's stream."""
        if channel in self._ids:
            await self._stream.write(spdy.data_frames(self._ids[channel], data))

    async def end(self, status: bytes) -> None:
        """The status, and the end of our streams."""
        last = {STATUS: status}
        await self._stream.write(b"".join(
            spdy.data_frames(self._ids[channel], last.get(channel, b""), end=True)
            for channel in (STDOUT, STDERR, STATUS) if channel in self._ids))
