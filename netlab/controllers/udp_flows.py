"""UDP flows that must end with their backends: the kernel sends a tracked flow's packets to the old one for ever."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Executor

from netlab.proxy.udp import Serving

PATIENCE = 0.1  # seconds


class UdpFlows:
    """Ends a node's flows to backends that serve no more, beside the next writes of rules.

    For it the kernel goes through the tracked flows of all netns, which can take longer than the rules themselves.
    `end` blocks; it gets who serves where somebody has gone. `on_done` is called when there is no more to look for.
    While `writing` rules of any node are under way, these come first, for a short time.
    """

    def __init__(self, end: Callable[[Serving], None], executor: Executor, *, on_done: Callable[[], None],
                 writing: Callable[[], bool] = lambda: False) -> None:
        self._end, self._executor, self._on_done, self._writing = end, executor, on_done, writing
        self._followed: Serving = {}
        self._now: Serving = {}  # what the look that goes on is for
        self._next: Serving = {}  # and the one after it
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether a look goes on."""
        return self._task is not None and not self._task.done()

    def expect(self, serving: Serving) -> None:
        """Before rules are written while a look goes on: flows to these may begin now, and it must not end them."""
        for looked_for in (self._now, self._next):
            for key, addresses in looked_for.items():
                addresses.update(serving.get(key, ()))

    def follow(self, serving: Serving) -> None:
        """After the rules were written: ends flows of those who have gone. Who only comes takes no flow from others."""
        before, self._followed = self._followed, serving
        self._next = {key: set(serving[key]) for key in self._next if key in serving} | {
            key: set(addresses) for key, addresses in serving.items()
            if key not in before or before[key] - addresses}
        if self._next and not self.pending:
            self._task = asyncio.create_task(self._look(), name="UDP flows")

    async def close(self) -> None:
        """Looks no more. What was known is forgotten."""
        self._followed, self._next = {}, {}
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _in_turn(self) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + PATIENCE
        while self._writing() and clock() < end:
            await asyncio.sleep(0.002)

    async def _look(self) -> None:
        try:
            while self._next:
                await self._in_turn()
                self._now, self._next = self._next, {}
                await asyncio.get_running_loop().run_in_executor(self._executor, self._end, self._now)
        except Exception as error:  # whatever it is, rules go on; the next write tries again
            self._followed, self._next = {}, {}
            print(f"kube-proxy: UDP flows: {error}", file=sys.stderr)
        finally:
            self._now = {}
            asyncio.get_running_loop().call_soon(self._on_done)
