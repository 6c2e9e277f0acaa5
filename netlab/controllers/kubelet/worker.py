"""One pod's life on a node: a task that looks at the object and at the machine, and makes the next step."""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Callable, Mapping, Set

from netlab.controllers.kubelet import pod_status, sandboxes, volumes
from netlab.controllers.kubelet.context import NodeContext
from netlab.controllers.kubelet.doors import Exited, PodHandle
from netlab.controllers.kubelet.ending import Ender
from netlab.controllers.kubelet.observing import Observer
from netlab.controllers.kubelet.pod_probes import PodProbes
from netlab.controllers.kubelet.records import PodRecord
from netlab.controllers.kubelet.starting import Starter
from netlab.controllers.kubelet.stopping import Stopper
from netlab.controllers.kubelet.threads import blocking
from netlab.model import meta
from netlab.model.errors import LabError
from netlab.model.meta import Manifest, ObjectKey

TERMINAL = ("Succeeded", "Failed")
RETRY = (0.2, 1.0, 5.0, 15.0)  # seconds before a failed step is tried again
CONFIG_RETRY = 10.0
KINDS = {"init": "initContainers", "main": "containers", "ephemeral": "ephemeralContainers"}
FORCED_GRACE = 1.0  # what processes get when the object is gone already
TURN = 0.02  # seconds before looking again for a netns name that a former pod still has


class PodWorker:
    """Level-triggered: `wake` asks for a look at everything. `busy` while the pod is being started or taken down."""

    def __init__(self, context: NodeContext, record: PodRecord, *, on_progress: Callable[[], None]) -> None:
        self.context = context
        self.record = record
        self.seen: Manifest | None = None
        self.done = False
        self.last_error = ""
        self.handle: PodHandle | None = None
        self.observer = Observer(record.uid)
        self._on_progress = on_progress
        self.volumes: tuple[volumes.Volume, ...] = ()
        self.attached = False
        self.stopper = Stopper(self)
        self._starter = Starter(self)
        self._probes = PodProbes(self)
        self._ender = Ender(self)
        self._in_turn = True
        self._told: set[str] = set()
        self._wake = asyncio.Event()
        self._working = True
        self._reader: int | None = None
        self.task = asyncio.create_task(self._run(), name=f"pod {record.namespace}/{record.name}")

    # The task

    @property
    def busy(self) -> bool:
        """Whether a step is under way or asked for."""
        return not self.done and (self._working or self._wake.is_set())

    def uses(self, changed: Set[ObjectKey]) -> bool:
        """Whether one of these ConfigMaps, Secrets and ServiceAccounts concerns it."""
        return not changed.isdisjoint(self.context.used.get(self.record.uid, ()))

    @property
    def title(self) -> str:
        """The pod as the kubelet's messages name it."""
        return f"{self.record.name}_{self.record.namespace}({self.record.uid})"

    def wake(self) -> None:
        """Asks for a look soon."""
        self._wake.set()

    async def _run(self) -> None:
        failures = 0
        try:
            while not self.done:
                self._working = True
                self._wake.clear()
                self._watch(None)
                try:
                    delay = await self._sync()
                    self.last_error, failures = "", 0
                except Exception as error:
                    self.last_error = f"{self.record.namespace}/{self.record.name}: {type(error).__name__}: {error}"
                    if not isinstance(error, LabError | OSError | volumes.MountError):
                        traceback.print_exc()
                    delay = RETRY[min(failures, len(RETRY) - 1)]
                    failures += 1
                self._watch(self.handle)
                self._working = self._ender.begun or not self._in_turn
                self._on_progress()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.0 if self.done else delay):
                        await self._wake.wait()
        finally:
            self._watch(None)
            self.stopper.close()
            self._probes.stop()
            self.handle = None

    def _watch(self, handle: PodHandle | None) -> None:
        # Readable stays readable until `exits` is called, so the descriptor is watched only between two looks.
        loop = asyncio.get_running_loop()
        if self._reader is not None:
            loop.remove_reader(self._reader)
            self._reader = None
        if handle is not None and not self.done:
            try:
                self._reader = handle.fileno()
            except OSError:  # the pod's init has just died
                self.wake()
            else:
                loop.add_reader(self._reader, self._on_readable)

    def _on_readable(self) -> None:
        self._watch(None)
        self.wake()

    # The steps

    def manifest(self) -> Manifest | None:
        """The pod's object, None when it is gone or another pod has its name."""
        found = self.context.registry.find("pods", self.record.name, self.record.namespace)
        return found if found is not None and meta.uid(found) == self.record.uid else None

    async def _sync(self) -> float | None:
        pod = self.seen = self.manifest()
        if pod is None:
            return await self._ender.end(pod, FORCED_GRACE)
        if meta.status(pod).get("phase") in TERMINAL:
            await self._ender.take_down()
            pod = self.manifest()  # others may have changed or removed it meanwhile
            if pod is not None:
                self._ender.tell(pod)
            if pod is not None and meta.is_deleting(pod):
                self._ender.forget_object(pod)
            return None if pod is not None else 0.0
        if meta.is_deleting(pod):
            return await self._ender.end(pod, float(meta.metadata(pod).get("deletionGracePeriodSeconds") or 0))
        return await self._progress(pod)

    async def _progress(self, pod: Manifest) -> float | None:
        if not self.context.claims.take(self.record.netns, self.record.uid):
            self._in_turn = False
            return TURN
        self._in_turn = True
        try:
            planned = volumes.plan(pod, self.context.directory(self.record.uid),
                                   self.context.finder(pod), self.context.token_source(pod),
                                   claims=self.context.claims_dir(self.record.namespace))
            if not self.attached or self.handle is None:
                self.volumes = planned
                await self._attach(pod)
            elif planned != self.volumes:
                await blocking(lambda: volumes.write(planned))
                self.volumes = planned
        except volumes.MountError as error:
            return self._blocked(pod, "FailedMount", str(error))
        except (OSError, ValueError) as error:
            self._blocked(pod, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            raise
        assert self.handle is not None
        if not await self.observe(pod):
            self.context.recorder.event(pod, "Normal", "SandboxChanged",
                                        "Pod sandbox changed, it will be killed and re-created.")
            self.write(pod)
            return 0.0
        delays = [self.stopper.enforce(self.observer.states)]
        if self._only_sidecars_are_left(pod):
            grace = float(meta.spec(pod).get("terminationGracePeriodSeconds", 30))
            self.stopper.stop_all(pod, self.observer.states, time.monotonic() + grace)
        else:
            delays += await self._starter.advance(pod)
        self.update_probes(pod)
        self.write(pod)
        return min((delay for delay in delays if delay is not None), default=None)

    def _only_sidecars_are_left(self, pod: Manifest) -> bool:
        spec = meta.spec(pod)
        return any(pod_status.is_sidecar(c) for c in spec.get("initContainers") or ()) and \
            pod_status.over(spec, self.observer.states)

    def _blocked(self, pod: Manifest, reason: str, message: str) -> float:
        if message not in self._told:
            self._told.add(message)
            self.context.recorder.event(pod, "Warning", reason, message)
        self.observer.look(pod, frozenset(), {})
        self.write(pod)
        return CONFIG_RETRY

    async def _attach(self, pod: Manifest) -> None:
        if not self.attached:
            self.observer.recall(pod)
            await self.adopt()
        if self.handle is None:
            planned = self.volumes
            self.handle, cut = await blocking(lambda: sandboxes.make(pod, self.record, planned, self.context))
            for message in cut:
                self.context.recorder.event(pod, "Warning", "DNSConfigForming", message)

    async def adopt(self) -> None:
        """Finds the pod's init that a former daemon has left, if there is one; looks once."""
        if self.handle is None and not self.attached:
            directory = str(self.context.directory(self.record.uid))
            self.handle = await blocking(lambda: self.context.runtime.attach(directory))
        self.attached = True

    def release(self) -> PodHandle | None:
        """Stops looking at the pod's init, and gives it away."""
        self._probes.stop()
        self._watch(None)
        handle, self.handle = self.handle, None
        return handle

    def update_probes(self, pod: Manifest) -> None:
        """Starts and stops probes as the containers' states want it."""
        self._probes.update(pod)

    async def observe(self, pod: Manifest) -> bool:
        """Looks at the processes; False when the pod's init has died, and with it all of them."""
        handle = self.handle
        if handle is None:
            self.observer.look(pod, frozenset(), {})
            return False

        def ask() -> tuple[frozenset[str], Mapping[str, Exited], bool]:
            # In this order a process that ends in between is in both, never in neither.
            try:
                running, alive = handle.running(), True
            except ConnectionError:
                running, alive = frozenset(), False
            return running, handle.exits(), alive

        running, exits, alive = await blocking(ask)
        if not alive:
            self.handle = None
        self.observer.look(pod, running, exits)
        return self.handle is not None

    # What it writes

    def write(self, pod: Manifest) -> None:
        """Writes the status if it changed; the pod's object may have changed meanwhile, so it is read again."""
        current = self.manifest()
        if current is None:
            return
        spec, states = meta.spec(current), self.observer.states
        status = pod_status.pod_status(
            current, addresses=self.record.addresses if self.handle or meta.status(current).get("podIP") else (),
            host_ips=self.context.addresses, sandbox=self.handle is not None, now=self.context.registry.now(),
            **{kind: [states[c["name"]] for c in spec.get(field) or ()] for kind, field in KINDS.items()})
        if status != meta.status(current):
            self.context.registry.update("pods", current | {"status": status}, subresource="status")
            if status["phase"] in TERMINAL:
                self.wake()
        if self.seen is pod:
            self.seen = self.manifest() if current is pod else self.seen

    def event(self, type: str, reason: str, message: str) -> None:
        """Records an event about the pod, if its object is there."""
        pod = self.manifest()
        if pod is not None:
            self.context.recorder.event(pod, type, reason, message)

    def tell_once(self, pod: Manifest, key: str, type: str, reason: str, message: str) -> None:
        """Records an event, once in the worker's life."""
        if key not in self._told:
            self._told.add(key)
            self.context.recorder.event(pod, type, reason, message)

