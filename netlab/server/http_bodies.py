"""Answers that take time: watches, logs, what a backend says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from netlab.api.response import error_response
from netlab.api.watch import Watch
from netlab.model.errors import ApiError
from netlab.server.http_output import HttpOutput, head_of
from netlab.server.proxy import Passed

BOOKMARK_SECONDS = 60.0


async def send_watch(out: HttpOutput, watch: Watch, *, keep: bool) -> None:
    """The events of a watch until its time is over. A slow reader's events stay in the store's history meanwhile."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + watch.timeout
    written = asyncio.Event()
    end = watch.store.subscribe((watch.resource,), written.set)
    try:
        out.begin_chunks(200, ["Content-Type: application/json"], keep=keep)
        while out.transport and not watch.ended:
            written.clear()
            while watch.backlog and not watch.ended and out.transport:
                out.chunk(b"".join(watch.take()))
                if not out.writable.is_set() and not await out.drained(deadline):
                    return
            left = deadline - loop.time()
            if left <= 0 or watch.ended:
                break
            try:
                await asyncio.wait_for(written.wait(), min(left, BOOKMARK_SECONDS))
            except TimeoutError:
                if watch.bookmarks and not watch.backlog:
                    out.chunk(watch.bookmark())
        out.end_chunks(keep=keep)
    finally:
        end()


async def send_log(out: HttpOutput, pieces: AsyncIterator[bytes], *, keep: bool) -> None:
    """The pieces as plain text; an ApiError before the first one is the answer instead."""
    begun = False
    try:
        async for piece in pieces:
            if not begun:
                begun = True
                out.begin_chunks(200, ["Content-Type: text/plain"], keep=keep)
            out.chunk(piece)
            if not await out.drained():
                return
    except ApiError as error:
        if not begun:
            out.respond(error_response(error), keep=keep)
            return
    finally:
        close = getattr(pieces, "aclose", None)
        if close:
            await close()
    if not begun:
        out.begin_chunks(200, ["Content-Type: text/plain"], keep=keep)
    out.end_chunks(keep=keep)


async def send_passed(out: HttpOutput, passed: Passed, *, keep: bool, head: bool) -> None:
    """A backend's answer; one that ends too early ends the connection, so that the client sees it."""
    lines = [f"{name}: {value}" for name, value in passed.headers]
    async with aclosing(passed.body) as pieces:
        if passed.length is not None or head or passed.code in (204, 304):
            length = [] if passed.length is None or passed.code == 204 else [f"Content-Length: {passed.length}"]
            out.write(head_of(passed.code, [*lines, *length], keep=keep, phrase=passed.phrase))
            write = out.write
        else:
            out.begin_chunks(passed.code, lines, keep=keep)
            write = out.chunk
        try:
            async for piece in pieces:
                if not head:
                    write(piece)
                if not await out.drained():
                    return
        except OSError:
            if out.transport:
                out.transport.abort()
            return
    if write == out.chunk:
        out.end_chunks(keep=keep)
    else:
        out.end(keep=keep)
