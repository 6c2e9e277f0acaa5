"""The answers of one HTTP/1.1 connection as bytes on its transport."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

from netlab.api.response import Response


class HttpOutput:
    """Writes answers; nothing once the transport is gone. `writable` is clear while the client is slow."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        if self.transport:
            self.transport.write(data)

    def respond(self, response: Response, *, keep: bool, head: bool = False) -> None:
        """A complete answer. With `head` its body is left out; without `keep` the connection ends."""
        lines = [f"Content-Type: {response.content_type}", f"Content-Length: {len(response.body)}"]
        lines += [f'Warning: 299 - "{_quoted(text)}"' for text in response.warnings]
        lines += [f"{name}: {value}" for name, value in response.headers]
        self.write(head_of(response.code, lines, keep=keep) + (b"" if head else response.body))
        self.end(keep=keep)

    def begin_chunks(self, code: int, lines: Iterable[str], *, keep: bool) -> None:
        """The head of an answer whose length nobody knows yet."""
        self.write(head_of(code, [*lines, "Transfer-Encoding: chunked"], keep=keep))

    def chunk(self, data: bytes) -> None:
        """A part of it."""
        if data:
            self.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_chunks(self, *, keep: bool) -> None:
        """Its end."""
        self.write(b"0\r\n\r\n")
        self.end(keep=keep)

    def end(self, *, keep: bool) -> None:
        """The end of an answer."""
        if not keep and self.transport:
            self.transport.close()

    async def drained(self, deadline: float | None = None) -> bool:
        """Waits for a client that is slow, so that nothing piles up here. False when it is gone, or was too slow
        and has been cut off.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self.writable.wait()
        except TimeoutError:
            if self.transport:
                self.transport.abort()
            return False
        return self.transport is not None


def head_of(code: int, lines: Iterable[str], *, keep: bool, phrase: str = "") -> bytes:
    """Status line and headers."""
    if not phrase:
        try:
            phrase = HTTPStatus(code).phrase
        except ValueError:
            phrase = "Unknown"
    end = [] if keep else ["Connection: close"]
    return "\r\n".join([f"HTTP/1.1 {code} {phrase}", *lines, *end, "", ""]).encode("latin-1", "replace")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
