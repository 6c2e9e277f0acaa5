"""The end of a pod on its node: its containers stop, then everything that it had goes."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from typing import TYPE_CHECKING

from netlab.controllers.kubelet.threads import blocking
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.controllers.kubelet.worker import PodWorker

SANDBOX = "PodReadyToStartContainers"


class Ender:
    """The end of one pod; `begun` while it is under way."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._since: float | None = None

    @property
    def begun(self) -> bool:
        """Whether the pod is on its way out."""
        return self._since is not None

    async def end(self, pod: Manifest | None, grace: float) -> float | None:
        """Stops the containers within `grace` seconds of the first call, then removes everything."""
        worker, now = self._worker, time.monotonic()
        if self._since is None:
            self._since = now
            if not worker.attached and pod is not None:
                worker.observer.recall(pod)
        await worker.adopt()
        if await self._stop_all(pod, self._since + grace):
            if pod is not None:
                worker.update_probes(pod)
                worker.write(pod)
            return max(0.01, self._since + grace - now)
        if pod is not None:
            if not worker.observer.states:
                worker.observer.look(pod, frozenset(), {})
            with contextlib.suppress(ApiError):
                worker.write(pod)  # nobody serves there any more: told before the network goes
        await self.take_down()
        if pod is not None:
            self.forget_object(pod)
            if worker.manifest() is not None:  # finalizers hold it: nothing is left to do here until they are gone
                self._since = None
                return None
        directory = worker.context.directory(worker.record.uid)
        await blocking(lambda: shutil.rmtree(directory, ignore_errors=True))
        worker.done = True
        return None

    async def _stop_all(self, pod: Manifest | None, deadline: float) -> bool:
        """Whether something still runs."""
        handle, stopper = self._worker.handle, self._worker.stopper
        if handle is None:
            return False
        if pod is not None:
            if not await self._worker.observe(pod):
                return False
            return stopper.stop_all(pod, self._worker.observer.states, deadline)
        try:
            running, _ = await blocking(lambda: (handle.running(), handle.exits()))
            for process in running:
                number = signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL
                if (process, number) not in stopper.sent:
                    stopper.sent.add((process, number))
                    handle.signal(process, number)
        except ConnectionError:
            return False
        return bool(running) and time.monotonic() < deadline

    async def take_down(self) -> None:
        """Ends the sandbox and gives back network, name and address; repeatable. The directory stays, for logs."""
        worker, record, context = self._worker, self._worker.record, self._worker.context
        await worker.adopt()
        handle = worker.release()

        def work() -> None:
            if handle is not None:
                handle.kill()
            if record.netns:
                context.network.detach(record.netns)

        if handle is not None or context.claims.take(record.netns, record.uid):
            await blocking(work)
        context.claims.release(record.netns, record.uid)
        context.book.by_uid.pop(record.uid, None)

    def tell(self, pod: Manifest) -> None:
        """Says in the status of a pod that is over that its sandbox is gone."""
        status = meta.status(pod)
        told = [c | {"status": "False", "lastTransitionTime": self._worker.context.registry.now()}
                if c["type"] == SANDBOX and c["status"] != "False" else c for c in status.get("conditions") or ()]
        if told == (status.get("conditions") or []):
            return
        self._worker.context.registry.update("pods", pod | {"status": {**status, "conditions": told}},
                                             subresource="status")

    def forget_object(self, pod: Manifest) -> None:
        """Lets the pod's object go, now that nothing of it is left here."""
        if meta.metadata(pod).get("deletionGracePeriodSeconds") == 0 and meta.metadata(pod).get("finalizers"):
            return
        record = self._worker.record
        with contextlib.suppress(ApiError):
            self._worker.context.registry.delete("pods", record.name, namespace=record.namespace, grace_period=0)
        self._worker.wake()
