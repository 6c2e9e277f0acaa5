"""Joins a client's channels with a program in a pod, or with a container's log: exec and attach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from netlab.api.response import StreamRequest
from netlab.kernel.exec_streams import ExecStreams
from netlab.model.errors import ApiError
from netlab.server import descriptors, exec_status
from netlab.server.byte_streams import LINGER
from netlab.server.channels import STDERR, STDOUT, Channels

Start = Callable[[StreamRequest, tuple[int, int] | None], Awaitable[ExecStreams | AsyncGenerator[bytes, None]]]
FIRST_SIZE = 0.1  # seconds for the client's first resize, so that the program starts in the right size
REST = 0.2  # seconds without output after the program's end: then whoever holds its output open is not waited for
NOT_STARTED = 128  # the exit code of a container whose program cannot be executed
DEFAULT_SIZE = (24, 80)
END_OF_INPUT = b"\x04"  # on a terminal


async def serve(channels: Channels, wanted: StreamRequest, *, start: Start, protocol: str) -> int | None:
    """Runs until the program ends or the client is gone: its exit code, or None. Ends program and connection."""
    incoming = asyncio.create_task(channels.receive())
    work = asyncio.create_task(_work(channels, wanted, start))
    try:
        await asyncio.wait((incoming, work), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return None
        code, status = work.result()
        await channels.end(exec_status.encode(status, protocol))
        await asyncio.wait((incoming,), timeout=LINGER)
        return code
    finally:
        for task in (incoming, work):
            task.cancel()
        await asyncio.gather(incoming, work, return_exceptions=True)
        await channels.close()


async def _work(channels: Channels, wanted: StreamRequest, start: Start) -> tuple[int | None, dict[str, Any]]:
    """(exit code, status)."""
    if not await channels.opened():
        return None, exec_status.failed("timed out waiting for client to create streams")
    if wanted.resizes:
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SIZE):
                await channels.window.changed.wait()
    size = (channels.window.size or DEFAULT_SIZE) if wanted.tty else None
    try:
        started = await start(wanted, size)
    except OSError as error:
        return NOT_STARTED, exec_status.failed(error.strerror or str(error))
    except ApiError as error:
        return None, error.status()
    if isinstance(started, ExecStreams):
        try:
            code = await _Joined(channels, started).run()
        finally:
            started.close()
        # A container's own code is in the pod's status; attaching to it has been a success.
        return code, exec_status.exited(code) if wanted.kind == "exec" else exec_status.success()
    try:
        async with aclosing(started) as pieces:
            async for piece in pieces:
                await channels.send(STDOUT, piece)
    except ApiError as error:
        return None, error.status()
    return None, exec_status.success()


class _Joined:
    """One running program and its client."""

    def __init__(self, channels: Channels, program: ExecStreams) -> None:
        self._channels, self._program = channels, program
        self._moved = 0  # blocks of output so far
        self._sending = 0  # outputs that wait for the client

    async def run(self) -> int:
        program = self._program
        inputs = [asyncio.create_task(self._input())] if program.stdin >= 0 else []
        inputs += [asyncio.create_task(self._resizes())] if program.tty else []
        outputs = [asyncio.create_task(self._output(descriptor, channel))
                   for descriptor, channel in ((program.stdout, STDOUT), (program.stderr, STDERR)) if descriptor >= 0]
        try:
            await descriptors.readable(program.session.fileno())
            code = program.session.wait()
            self._channels.stdin.drop()
            await self._last_output(outputs)
            return code
        finally:
            for task in (*inputs, *outputs):
                task.cancel()
            await asyncio.gather(*inputs, *outputs, return_exceptions=True)

    async def _last_output(self, outputs: list[asyncio.Task[None]]) -> None:
        while any(not task.done() for task in outputs):
            before = self._moved
            await asyncio.wait(outputs, timeout=REST)
            if self._moved == before and not self._sending:
                return

    async def _output(self, descriptor: int, channel: int) -> None:
        while data := await descriptors.read(descriptor):
            self._moved += 1
            self._sending += 1
            self._program.copy(data)
            await self._channels.send(channel, data)
            self._sending -= 1

    async def _input(self) -> None:
        stdin, program = self._channels.stdin, self._program
        try:
            while data := await stdin.get():
                await descriptors.write(program.stdin, data)
            if program.tty:
                await descriptors.write(program.stdin, END_OF_INPUT)
        except OSError:
            stdin.drop()  # the program does not read any more
        program.close_stdin()

    async def _resizes(self) -> None:
        window = self._channels.window
        while True:
            await window.changed.wait()
            window.changed.clear()
            if window.size:
                with suppress(OSError):
                    self._program.resize(*window.size)
