"""Stops containers: preStop hook, SIGTERM, and SIGKILL when the time is over. Runs postStart hooks too."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netlab.controllers.kubelet.containers import ContainerState, every_container
from netlab.controllers.kubelet.doors import PodHandle
from netlab.controllers.kubelet.hooks import run_hook
from netlab.controllers.kubelet.pod_status import is_sidecar
from netlab.controllers.kubelet.threads import blocking
from netlab.model import meta
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.controllers.kubelet.worker import PodWorker

POST_START_LIMIT = 600.0


class Stopper:
    """The stops of one pod that are under way, by process name."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._deadlines: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.sent: set[tuple[str, int]] = set()

    def close(self) -> None:
        """Ends the hooks that still run."""
        for task in self._tasks.values():
            task.cancel()

    def stop(self, pod: Manifest, container: Mapping[str, Any], state: ContainerState, deadline: float,
             message: str) -> None:
        """Begins to stop the container's process, or brings the deadline (monotonic) forward. Repeatable."""
        process = state.process
        if process in self._deadlines:
            self._deadlines[process] = min(self._deadlines[process], deadline)
            return
        self._deadlines[process] = deadline
        self._worker.event("Normal", "Killing", message)
        hook = (container.get("lifecycle") or {}).get("preStop")
        self._tasks[process] = asyncio.create_task(self._ask(container, process, hook, deadline))

    def stop_all(self, pod: Manifest, states: Mapping[str, ContainerState], deadline: float) -> bool:
        """Stops everything, sidecars after the others; whether something still runs."""
        everything = every_container(pod)
        sidecars = [c for c in everything if is_sidecar(c)]
        others = [c for c in everything if not is_sidecar(c)]
        alive = [c for c in others if states[c["name"]].running] or [c for c in sidecars if states[c["name"]].running]
        for container in alive:
            self.stop(pod, container, states[container["name"]], deadline, f"Stopping container {container['name']}")
        self.enforce(states)
        return bool(alive)

    def enforce(self, states: Mapping[str, ContainerState]) -> float | None:
        """Kills what has outlived its deadline; gives the seconds until the next one."""
        running = {state.process for state in states.values() if state.running}
        left = []
        for process in tuple(self._deadlines):
            if process not in running:
                del self._deadlines[process]
                if task := self._tasks.pop(process, None):
                    task.cancel()
                continue
            wait = self._deadlines[process] - time.monotonic()
            if wait <= 0:
                self._signal(process, signal.SIGKILL)
            else:
                left.append(wait)
        return min(left, default=None)

    async def _ask(self, container: Mapping[str, Any], process: str, hook: Mapping[str, Any] | None,
                   deadline: float) -> None:
        limit = deadline - time.monotonic()
        if hook and limit > 0:
            done, text = await run_hook(hook, container, netns=self._worker.context.netns, handle=self._attach,
                                        address=self._worker.record.address, limit=limit)
            if not done:
                self._worker.event("Warning", "FailedPreStopHook", f"PreStopHook failed: {text}")
        left = deadline - time.monotonic()
        if self._worker.context.unrouted and left > 0:
            # Servers that close their ports at SIGTERM would refuse clients which old rules still send here.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left / 2):
                    await self._worker.context.unrouted()
        handle = self._worker.handle
        if handle is not None:
            with contextlib.suppress(OSError):
                await blocking(lambda: handle.signal(process, signal.SIGTERM))
        self._worker.wake()

    def post_start(self, pod: Manifest, container: Mapping[str, Any], process: str, hook: Mapping[str, Any]) -> None:
        """Runs the hook; the container counts as started after it, and is killed when it fails."""
        self._tasks[f"{process} postStart"] = asyncio.create_task(self._post_start(pod, container, process, hook))

    async def _post_start(self, pod: Manifest, container: Mapping[str, Any], process: str,
                          hook: Mapping[str, Any]) -> None:
        done, text = await run_hook(hook, container, netns=self._worker.context.netns, handle=self._attach,
                                    address=self._worker.record.address, limit=POST_START_LIMIT)
        self._tasks.pop(f"{process} postStart", None)
        self._worker.observer.release_startup(process)
        if not done:
            self._worker.event("Warning", "FailedPostStartHook", f"PostStartHook failed: {text}")
            state = self._worker.observer.states[container["name"]]
            if state.process == process and state.running:
                grace = meta.spec(pod).get("terminationGracePeriodSeconds", 30)
                self.stop(pod, container, state, time.monotonic() + grace, "FailedPostStartHook")
        self._worker.wake()

    def _attach(self) -> PodHandle | None:
        return self._worker.context.runtime.attach(str(self._worker.context.directory(self._worker.record.uid)))

    def _signal(self, process: str, number: int) -> None:
        handle = self._worker.handle
        if handle is not None and (process, number) not in self.sent:
            self.sent.add((process, number))
            with contextlib.suppress(OSError):
                handle.signal(process, number)
