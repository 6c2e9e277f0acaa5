"""What a load balancer knows of the health of nodes, since it asks them again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

PERIOD = 1.0  # seconds from look to look, longer when there are many places
SOON = (0.05, 0.1, 0.2)  # seconds to the next looks after a change: nodes hear of it a little later than we do
PER_SECOND = 200  # looks
FAILURES = 2  # that follow each other until a healthy place is unhealthy; one success is enough for the way back

Place = tuple[str, int]
Probe = Callable[[str, int], Awaitable[bool | None]]
"""Whether that address and port answer an HTTP GET of /healthz with 200; None: not at all. It ends within a second."""


class HealthChecks:
    """Asks every wanted place; `on_change` is called when one has become healthy or unhealthy."""

    def __init__(self, probe: Probe, on_change: Callable[[], None]) -> None:
        self._probe = probe
        self._on_change = on_change
        self._healthy: dict[Place, bool] = {}
        self._silent: set[Place] = set()
        self._failures: dict[Place, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._soon: list[float] = []
        self._hurried = asyncio.Event()

    @property
    def pending(self) -> bool:
        """Whether answers are likely to change in a moment."""
        return bool(self._soon)

    def hurry(self) -> None:
        """Asks all again soon, and some more times: something has changed that they may answer differently to."""
        self._soon = list(SOON)
        self._hurried.set()

    def healthy(self, address: str, port: int) -> bool:
        """Whether the place was well when it was asked last."""
        return self._healthy.get((address, port), False)

    async def want(self, places: Collection[Place]) -> None:
        """Asks these and no others from now on; new ones are asked at once."""
        for place in self._healthy.keys() - set(places):
            del self._healthy[place]
            self._failures.pop(place, None)
        new = sorted(set(places) - self._healthy.keys())
        self._silent &= set(places)
        for place, well in await self._ask(new):
            self._healthy[place] = well
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._go_on(), name="load balancer health")

    async def look(self) -> None:
        """Asks all once. While in a hurry one failure is enough: a node that has just lost its endpoints says so."""
        enough = 1 if self._soon else FAILURES
        places = sorted(self._healthy)
        changed = False
        for start in range(0, len(places), 50):
            for place, well in await self._ask(places[start:start + 50]):
                if place not in self._healthy:
                    continue
                failures = self._failures[place] = 0 if well else self._failures.get(place, 0) + 1
                if well != self._healthy[place] and (well or failures >= enough):
                    self._healthy[place] = well
                    changed = True
        if changed:
            self._on_change()

    async def heard(self, limit: float) -> None:
        """Waits until every place has answered in some way, at most so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while self._silent and loop.time() < end:
            await asyncio.sleep(SOON[0])
            for place, well in await self._ask(sorted(self._silent)):
                self._healthy[place] = well

    async def _ask(self, places: Sequence[Place]) -> list[tuple[Place, bool]]:
        answers = await asyncio.gather(*(self._probe(*place) for place in places))
        silent = {place for place, answer in zip(places, answers, strict=True) if answer is None}
        self._silent = self._silent - set(places) | silent
        return [(place, bool(answer)) for place, answer in zip(places, answers, strict=True)]

    async def close(self) -> None:
        """Asks no more. What was known is forgotten: it may not be true when it is wanted again."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._healthy.clear()
        self._silent.clear()
        self._failures.clear()
        self._soon = []

    async def _go_on(self) -> None:
        while True:
            delay = self._soon[0] if self._soon else max(PERIOD, len(self._healthy) / PER_SECOND)
            self._hurried.clear()
            try:
                async with asyncio.timeout(delay):
                    await self._hurried.wait()
                continue
            except TimeoutError:
                pass
            await self.look()
            if self._soon:
                del self._soon[0]
                if not self._soon:
                    self._on_change()
