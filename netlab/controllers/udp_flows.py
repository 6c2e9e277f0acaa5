"""UDP flows that must end with their backends: the kernel sends a tracked flow's packets to the old one for ever."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Executor

from netlab.proxy.udp import Serving

NOBODY: frozenset[str] = frozenset()


class UdpFlows:
    """Ends a node's flows to backends that serve no more, beside the next writes of rules.

    For it the kernel goes through the tracked flows of all netns, which can take longer than the rules themselves.
    `end` blocks; it gets who serves, and asks it after it has looked. `on_done` is called after each look.
    """

    def __init__(self, end: Callable[[Serving], None], executor: Executor, *, on_done: Callable[[], None]) -> None:
        self._end, self._executor, self._on_done = end, executor, on_done
        self._live: Serving = {}  # changed in place: a look that goes on must not take flows of somebody new
        self._followed: Serving = {}
        self._again = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether a look goes on."""
        return self._task is not None and not self._task.done()

    def expect(self, serving: Serving) -> None:
        """Before rules are written while a look goes on: flows to these may begin now."""
        self._live.clear()
        self._live.update(serving)

    def follow(self, serving: Serving) -> None:
        """After the rules were written: ends flows of those who have gone. Who only comes takes no flow from others."""
        self.expect(serving)
        before, self._followed = self._followed, serving
        if any(before.get(key, NOBODY) - addresses or key not in before for key, addresses in serving.items()):
            self._again = True
            if not self.pending:
                self._task = asyncio.create_task(self._look(), name="UDP flows")

    async def close(self) -> None:
        """Looks no more. What was known is forgotten."""
        self._again, self._followed = False, {}
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _look(self) -> None:
        try:
            while self._again:
                self._again = False
                await asyncio.get_running_loop().run_in_executor(self._executor, self._end, self._live)
        except Exception as error:  # whatever it is, rules go on; the next write tries again
            self._followed = {}
            print(f"kube-proxy: UDP flows: {error}", file=sys.stderr)
        finally:
            asyncio.get_running_loop().call_soon(self._on_done)
