"""A request's body that is passed on while it still comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

HIGH, LOW = 256 * 1024, 64 * 1024  # bytes that wait when the client is stopped, and when it may go on


class Upload:
    """What the parser has read and a reader has not taken. `length` is the body's, None when it comes in chunks."""

    def __init__(self, transport: asyncio.Transport, length: int | None) -> None:
        self.length = length
        self.ended = False
        self._transport = transport
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """Takes a piece; the client is stopped when the reader does not keep up."""
        self._pieces.append(data)
        self._size += len(data)
        self._news.set()
        if self._size > HIGH:
            self._transport.pause_reading()

    def end(self) -> None:
        """Says that it was whole."""
        self.ended = True
        self._news.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body in pieces, as it comes."""
        while True:
            while self._pieces:
                data = self._pieces.popleft()
                self._size -= len(data)
                if self._size < LOW and not self._transport.is_closing():
                    self._transport.resume_reading()
                yield data
            if self.ended:
                return
            self._news.clear()
            await self._news.wait()
