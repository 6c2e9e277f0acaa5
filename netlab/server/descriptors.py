"""Reading and writing non-blocking descriptors (pipes, terminals) from coroutines."""

from __future__ import annotations

import asyncio
import os
import select

BLOCK = 32 * 1024


async def readable(descriptor: int) -> None:
    """Returns when there is something to read, or the other side is closed."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _tell, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def read(descriptor: int) -> bytes:
    """The next bytes, b"" at the end. A terminal that nobody has open any more is at its end too."""
    while True:
        try:
            return os.read(descriptor, BLOCK)
        except BlockingIOError:
            await readable(descriptor)
        except OSError:  # EIO
            return b""


async def write(descriptor: int, data: bytes) -> None:
    """Writes all of it. OSError when nobody reads any more."""
    loop = asyncio.get_running_loop()
    while data:
        try:
            data = data[os.write(descriptor, data):]
            continue
        except BlockingIOError:
            pass
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(descriptor, _tell, ready)
        try:
            await ready
        finally:
            loop.remove_writer(descriptor)


def hung_up(descriptor: int) -> bool:
    """Whether the other side of a stream socket is closed, whatever of its data was not read yet (poll(2))."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
