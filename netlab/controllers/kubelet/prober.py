"""Runs one probe of one run of a container, again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from netlab.controllers.kubelet.probes import Probe, Verdict
from netlab.controllers.kubelet.probing import Outcome

# A kubelet sees a container run about a second after it does. Here it knows at once, so in that second a program that
# is not there yet is asked again instead of being called unready for a whole period.
SECOND, SETTLE, AGAIN = 1.0, 1.0, 0.02


class Prober:
    """A task that probes; `verdict` is what the results amount to.

    `attempt` makes one probe; `on_change` is called when the verdict has changed,
    `on_failure` with each failure's text.
    """

    def __init__(self, probe: Probe, attempt: Callable[[], Awaitable[Outcome]], *, started_at: float,
                 healthy: bool | None, on_change: Callable[[], None], on_failure: Callable[[str], None]) -> None:
        self.probe = probe
        self.verdict = Verdict(healthy)
        self._attempt = attempt
        self._started_at = started_at
        self._on_change = on_change
        self._on_failure = on_failure
        self._task = asyncio.create_task(self._run(), name=f"{probe.kind} probe")

    def stop(self) -> None:
        """Ends it."""
        self._task.cancel()

    async def _run(self) -> None:
        # What was adopted from a former kubelet may have run for long: its initial delay is over.
        await asyncio.sleep(max(0.0, self._started_at + self.probe.initial_delay - time.time()))
        lenient_until = time.monotonic() + SETTLE - max(0.0, time.time() - self._started_at - self.probe.initial_delay)
        while True:
            success, text = await self._attempt()
            if not success and self.probe.kind != "liveness" and time.monotonic() < lenient_until:
                await asyncio.sleep(AGAIN)
                continue
            before, self.verdict = self.verdict.healthy, self.verdict.after(success, self.probe)
            if not success:
                self._on_failure(text)
            if self.verdict.healthy != before:
                self._on_change()
            if self.probe.kind == "startup" and self.verdict.healthy is not None:
                return
            await asyncio.sleep(self.probe.period * SECOND)
