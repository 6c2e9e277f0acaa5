"""Blocking calls from the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def blocking(function: Callable[[], T]) -> T:
    """What a call of milliseconds gives, made in the loop's thread pool; when cancelled, it still waits for its end."""
    work = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


async def patient(function: Callable[[], T]) -> T:
    """What a call that may take long gives, made in a thread of its own; when cancelled, it is left to itself."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def work() -> None:
        try:
            value = function()
        except Exception as error:
            tell(result.set_exception, error)
        else:
            tell(result.set_result, value)

    def tell(end: Callable[..., None], value: object) -> None:
        def finish() -> None:
            if not result.cancelled():
                end(value)

        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(finish)

    threading.Thread(target=work, name="kubelet", daemon=True).start()
    return await result
