"""What a client has sent for one reader, until that takes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

LIMIT = 4 * 1024 * 1024  # bytes that wait; then the client has to
_LOOK = 2.0  # seconds between looks if the client that waits is there still


class StreamInput:
    """Bytes with an end. While it is full, `put` waits, and the client's connection is not read meanwhile."""

    def __init__(self, gone: Callable[[], bool]) -> None:
        self._gone = gone
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self.ended = False

    async def put(self, data: bytes) -> None:
        """Adds bytes. ConnectionError when the client has gone while it had to wait."""
        if self.ended:
            return  # nobody reads it any more, or the client contradicts itself
        self._pieces.append(data)
        self._size += len(data)
        self._changed.set()
        while self._size > LIMIT and not self.ended:
            self._changed.clear()
            try:
                async with asyncio.timeout(_LOOK):
                    await self._changed.wait()
            except TimeoutError:
                if self._gone():
                    raise ConnectionResetError("the client is gone") from None

    def end(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._changed.set()

    def drop(self) -> None:
        """Nobody takes it any more."""
        self._pieces.clear()
        self._size = 0
        self.end()

    async def get(self) -> bytes:
        """The next bytes, b"" at the end."""
        while not self._pieces:
            if self.ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = self._pieces.popleft()
        self._size -= len(data)
        self._changed.set()
        return data
