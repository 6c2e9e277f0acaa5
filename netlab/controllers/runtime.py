"""What every controller is, and the manager that runs them and knows when all is settled."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Iterable

from netlab.api.registry import Registry
from netlab.model.errors import LabError

BACKOFF = (0.05, 0.2, 1.0, 5.0)  # seconds before a failed reconcile is tried again
REST = 0.1  # at most so many seconds between two reconciles that follow each other at once


class Controller:
    """One reconcile function. Level-triggered: it is woken by writes to `resources`, and looks at everything.

    A subclass sets `name` and `resources` and writes `reconcile`. `observed_revision` is the store revision
    that the last successful reconcile has seen; `last_error` the text of the last failure, "" after a success.
    """

    name: str
    resources: tuple[str, ...]
    longest_rest = REST

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.store = registry.store
        self.observed_revision = -1
        self.last_error = ""
        self._wake = asyncio.Event()
        self.on_progress: Callable[[], None] = lambda: None

    async def reconcile(self) -> float | None:
        """Makes it so. Gives the seconds after which to look again even if nothing was written, or None."""
        raise NotImplementedError

    async def close(self) -> None:
        """Ends tasks that the controller started; what it made in the kernel stays."""

    @property
    def pending(self) -> bool:
        """Whether work goes on that the last reconcile started and did not wait for."""
        return False

    def wake(self) -> None:
        """Asks for a reconcile soon, for a reason that is not in the store."""
        self._wake.set()

    @property
    def settled(self) -> bool:
        """Whether the last reconcile saw the newest write of its resources, and nothing is in flight."""
        return self.observed_revision >= self.store.revision_of(*self.resources) and not self.pending \
            and not self._wake.is_set()

    async def run(self) -> None:
        """Reconciles until cancelled.

        After a reconcile that took long it rests as long (up to `longest_rest`): a burst of writes is then seen as
        one, and the other tasks of the loop get half of the time. In a small lab this is far below a millisecond.
        """
        failures = 0
        known = self.resources
        end = self.store.subscribe(known, self._wake.set)
        try:
            while True:
                self._wake.clear()
                revision = self.store.revision
                started = time.monotonic()
                try:
                    delay = await self.reconcile()
                    self.observed_revision, self.last_error, failures = revision, "", 0
                except Exception as error:
                    self.last_error = f"{type(error).__name__}: {error}"
                    if not isinstance(error, LabError):
                        traceback.print_exc()
                    delay = BACKOFF[min(failures, len(BACKOFF) - 1)]
                    failures += 1
                if known != self.resources:  # what it has just seen made it follow others: what of these it missed?
                    end()
                    known = self.resources
                    end = self.store.subscribe(known, self._wake.set)
                    self._wake.set()
                self.on_progress()
                await asyncio.sleep(BACKOFF[0] if failures else min(time.monotonic() - started, self.longest_rest))
                try:
                    async with asyncio.timeout(delay):  # wait_for of Python 3.11 can lose a cancellation
                        await self._wake.wait()
                except TimeoutError:
                    self._wake.set()
        finally:
            end()
            await self.close()


class Manager:
    """Runs controllers as tasks; one can be stopped and started by name."""

    def __init__(self, controllers: Iterable[Controller]) -> None:
        self.controllers = {controller.name: controller for controller in controllers}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._progress = asyncio.Event()

    def start(self, *names: str) -> None:
        """Starts the named controllers (all, without names); those that run already are left alone."""
        for name in names or tuple(self.controllers):
            if name not in self._tasks:
                controller = self.controllers[name]
                controller.on_progress = self._progress.set
                controller.wake()
                self._tasks[name] = asyncio.create_task(controller.run(), name=name)

    async def stop(self, *names: str) -> None:
        """Stops the named controllers (all, without names). What they made stays."""
        tasks = [task for name in names or tuple(self._tasks) if (task := self._tasks.pop(name, None))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def running(self, name: str) -> bool:
        """Whether the controller runs."""
        return name in self._tasks

    def unsettled(self) -> list[str]:
        """The running controllers that still have something to do, with their last error if they have one."""
        return [f"{name} ({c.last_error})" if c.last_error else name
                for name, c in self.controllers.items() if name in self._tasks and not c.settled]

    async def settled(self, limit: float = 10.0) -> None:
        """Waits until every running controller is settled; LabError (exit code 124) after `limit` seconds."""
        try:
            async with asyncio.timeout(limit):
                while self.unsettled():
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            waiting = ", ".join(self.unsettled())
            raise LabError(f"not settled after {limit:g} s: {waiting}", hint="netlab status", exit_code=124) from None

    async def caught_up(self, *names: str) -> None:
        """Waits until those of the named controllers that run have seen all that is written by now."""
        wanted = {name: c.store.revision_of(*c.resources) for name in names if (c := self.controllers[name])}
        while any(name in self._tasks and self.controllers[name].observed_revision < revision
                  for name, revision in wanted.items()):
            self._progress.clear()
            await self._progress.wait()
