"""Answers as HTTP/1.1 bytes on one connection: whole responses, and bodies in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from netlab.api.response import Response, error_response
from netlab.api.watch import Watch
from netlab.model.errors import ApiError
from netlab.server.transports import abort

BOOKMARK_SECONDS = 60.0
LONG = 32 * 1024  # bytes of a body from which on a copy costs more than another system call
# To send an event costs some 10 us for each watch. When many watch, each rests after it has sent something, and then
# sends what has come meanwhile at once; so a burst of writes leaves the processor to the requests.
REST = 50e-6  # seconds for each watch of the resource
SHORTEST_REST, LONGEST_REST = 1e-3, 10e-3
PHRASES = {413: "Request Entity Too Large", 422: "Unprocessable Entity"}  # Go's; newer Pythons have others


class Writer:
    """What is written goes to the transport while there is one; `writable` says whether the reader keeps up."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    @property
    def client(self) -> str:
        """The client's IP address; "" when it came by a unix socket."""
        peer = self.transport.get_extra_info("peername") if self.transport else None
        return str(peer[0]) if isinstance(peer, tuple) else ""

    def write(self, data: bytes) -> None:
        """Sends bytes as they are."""
        if self.transport:
            self.transport.write(data)

    def respond(self, response: Response, *, keep: bool, head: bool = False) -> None:
        """Sends a whole response; without `keep` the connection ends with it."""
        lines = [f"Content-Type: {response.content_type}", f"Content-Length: {len(response.body)}"]
        lines += [f'Warning: 299 - "{_quoted(text)}"' for text in response.warnings]
        lines += [f"{name}: {value}" for name, value in response.headers]
        top, body = head_of(response.code, lines, keep=keep), b"" if head else response.body
        if len(body) < LONG:
            self.write(top + body)
        else:
            self.write(top)
            self.write(body)
        if not keep and self.transport:
            self.transport.close()

    async def watch(self, watch: Watch, *, keep: bool) -> None:
        """Sends a watch's events as they come, until it ends or its time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + watch.timeout
        written = asyncio.Event()
        end = watch.store.subscribe((watch.resource,), written.set)
        # One timer for many waits: a timeout for each costs more than to send an event.
        due = min(deadline, loop.time() + BOOKMARK_SECONDS)
        timer = loop.call_at(due, written.set)
        try:
            self._begin_chunks("application/json", keep=keep)
            while self.transport and not watch.ended:
                written.clear()
                sent = False
                while watch.backlog and not watch.ended and self.transport:
                    sent |= self._chunk(b"".join(watch.take()))
                    if not self.writable.is_set() and not await self._drained(deadline):
                        return
                if sent and (rest := watch.store.subscribers(watch.resource) * REST) > SHORTEST_REST:
                    await asyncio.sleep(min(rest, LONGEST_REST))
                    continue
                now = loop.time()
                if now >= deadline or watch.ended:
                    break
                if now >= due:
                    if watch.bookmarks:
                        self._chunk(watch.bookmark())
                    due = min(deadline, now + BOOKMARK_SECONDS)
                    timer = loop.call_at(due, written.set)
                await written.wait()
            self._end_chunks(keep=keep)
        finally:
            end()
            timer.cancel()

    async def text(self, pieces: AsyncIterator[bytes], *, keep: bool) -> None:
        """Sends text as it comes; an ApiError before the first piece becomes the response."""
        begun = False
        try:
            async for piece in pieces:
                if not begun:
                    begun = True
                    self._begin_chunks("text/plain", keep=keep)
                self._chunk(piece)
                await self.writable.wait()
                if not self.transport:
                    return
        except ApiError as error:
            if not begun:
                self.respond(error_response(error), keep=keep)
                return
        finally:
            close = getattr(pieces, "aclose", None)
            if close:
                await close()
        if not begun:
            self._begin_chunks("text/plain", keep=keep)
        self._end_chunks(keep=keep)

    async def _drained(self, deadline: float) -> bool:
        """Waits for a reader that is slow; its events stay in the store's history meanwhile, not in this process's
        buffers. False when it was too slow and has been cut off.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self.writable.wait()
        except TimeoutError:
            if self.transport:
                abort(self.transport)
            return False
        return True

    def _begin_chunks(self, content_type: str, *, keep: bool) -> None:
        self.write(head_of(200, [f"Content-Type: {content_type}", "Transfer-Encoding: chunked"], keep=keep))

    def _chunk(self, data: bytes) -> bool:
        if data:
            self.write(b"%x\r\n%b\r\n" % (len(data), data))
        return bool(data)

    def _end_chunks(self, *, keep: bool) -> None:
        self.write(b"0\r\n\r\n")
        if not keep and self.transport:
            self.transport.close()


def head_of(code: int, lines: list[str], *, keep: bool, phrase: str = "") -> bytes:
    """Status line and headers; the code's usual phrase unless another is given."""
    try:
        phrase = phrase or PHRASES.get(code) or HTTPStatus(code).phrase
    except ValueError:
        phrase = "Unknown"
    end = [] if keep else ["Connection: close"]
    return "\r\n".join([f"HTTP/1.1 {code} {phrase}", *lines, *end, "", ""]).encode("latin-1", "replace")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
