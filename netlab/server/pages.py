"""Small HTTP servers that answer each GET with one page: health checks, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from http import HTTPStatus

from netlab.kernel import sockets
from netlab.kernel.listening import wildcard
from netlab.kernel.netns import visit
from netlab.proxy.health import Page

Answer = Callable[[str], Page]
"""The page of a path (without its query)."""
LIMIT = 10.0  # seconds that a client may take to ask


class PageServer:
    """Answers at one listening socket until it is closed. Made within a running event loop."""

    def __init__(self, listener: socket.socket, answer: Answer) -> None:
        self._answer = answer
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._accept(), name=f"pages {listener.getsockname()}")

    def close(self) -> None:
        """Stops listening at once, and ends what is being answered."""
        for task in (self._task, *self._tasks):
            task.cancel()
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._listener)
            except OSError:  # out of descriptors, or the client is gone already
                await asyncio.sleep(0.05)
                continue
            task = asyncio.create_task(self._serve(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            client.setblocking(False)
            async with asyncio.timeout(LIMIT):
                reader, writer = await asyncio.open_connection(sock=client, limit=16384)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.partition("\r\n")[0].split(" ")
                writer.write(_bytes(self._answer(target.partition("?")[0]), head=method == "HEAD"))
                await writer.drain()
                writer.close()


def pages_in(netns: str) -> Callable[[str, int, Answer], PageServer]:
    """What starts such servers in a netns; OSError when the port is taken there.

    0.0.0.0 is every address, also of IPv6 where the netns has any.
    """
    def start(address: str, port: int, answer: Answer) -> PageServer:
        if address == "0.0.0.0":
            _, address = visit(netns, wildcard)
        return PageServer(sockets.listen(netns, address, port), answer)

    return start


def _bytes(page: Page, *, head: bool) -> bytes:
    body = page.body.encode()
    lines = [f"HTTP/1.1 {page.code} {HTTPStatus(page.code).phrase}",
             *(f"{key}: {value}" for key, value in page.headers),
             f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + (b"" if head else body)
