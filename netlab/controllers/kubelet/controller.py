"""The kubelet of one node: a worker for each pod that is bound to it."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address
from pathlib import Path

from netlab.api.registry import Registry
from netlab.controllers.kubelet import admission, node_status, records, sandboxes
from netlab.controllers.kubelet.context import NodeContext
from netlab.controllers.kubelet.doors import LabNetwork, Network, Recorder, Runtime
from netlab.controllers.kubelet.records import Claims, PodRecord
from netlab.controllers.kubelet.worker import PodWorker
from netlab.controllers.runtime import Controller
from netlab.model import meta, pod_status
from netlab.model.errors import LabError
from netlab.model.images import Catalogue
from netlab.model.meta import Manifest, ObjectKey
from netlab.store import Expired
from netlab.topology import names

OBJECTS = ("configmaps", "secrets", "serviceaccounts")
FULL_RETRY = 5.0


class Kubelet(Controller):
    """Runs the pods whose spec.nodeName is its node; adopts those that run already.

    `network` and `run_dir`, below which pods have their directories, are the lab's unless a test says otherwise.
    The kubelets of one lab share `claims`: `kubelets` makes them so.
    """

    resources = ("pods", *OBJECTS)

    def __init__(self, registry: Registry, *, node: str, runtime: Runtime, catalogue: Catalogue, recorder: Recorder,
                 network: Network | None = None, run_dir: Path | None = None, claims: Claims | None = None,
                 which: Callable[[str], str | None] = shutil.which,
                 unrouted: Callable[[], Awaitable[None]] | None = None) -> None:
        super().__init__(registry)
        self.name = f"kubelet/{node}"
        self.node = node
        self._pods_dir = (run_dir or names.run_dir(registry.spec.name)) / "pods"
        self._context = NodeContext(
            registry=registry, node=node, runtime=runtime, network=network or LabNetwork(registry.spec),
            catalogue=catalogue, which=which, pods_dir=self._pods_dir, recorder=recorder, unrouted=unrouted,
            claims=claims if claims is not None else Claims(records.read_all(self._pods_dir)))
        self._workers: dict[str, PodWorker] = {}
        self._adopted = False
        self._tell_at = 0.0
        self._objects_revision = -1
        self._told: set[str] = set()

    @property
    def pending(self) -> bool:
        """Whether a pod is being started or taken down (back-off and waiting for probes do not count)."""
        return any(worker.busy for worker in self._workers.values())

    async def reconcile(self) -> float | None:
        """Has a worker for each pod of the node, and wakes those whose object has changed."""
        if not self._adopted:
            self._adopt()
            self._adopted = True
        due = self._tell()
        for uid in [uid for uid, worker in self._workers.items() if worker.done or worker.task.done()]:
            del self._workers[uid]
            self._context.used.pop(uid, None)
        objects, changed = self.store.revision_of(*OBJECTS), self._changed_objects()
        present = set()
        full = False
        for pod in self.store.manifests("pods"):
            if meta.spec(pod).get("nodeName") != self.node:
                continue
            uid = meta.uid(pod)
            present.add(uid)
            worker = self._workers.get(uid)
            if worker is None:
                full |= not (self._refuses(pod) or self._begin(pod))
            elif worker.seen is not pod or changed is None or worker.uses(changed):
                worker.wake()
        for uid, worker in self._workers.items():
            if uid not in present:
                worker.wake()
        self._objects_revision = objects
        return min(due, FULL_RETRY) if full else due

    def _tell(self) -> float:
        """Says how the node is when that is due; gives the seconds until it is due again."""
        now = time.monotonic()
        if now >= self._tell_at:
            node_status.report(self.registry, self.node, node_status.conditions(self._pods_dir))
            self._tell_at = now + node_status.renew_lease(self.registry, self.node)
        return self._tell_at - now

    def _changed_objects(self) -> set[ObjectKey] | None:
        """What pods may use and was written since the last look; None when that is not known."""
        try:
            return {change.entry.key for resource in OBJECTS
                    if self.store.revision_of(resource) > self._objects_revision
                    for change in self.store.changes(resource, self._objects_revision)}
        except Expired:
            return None

    def _adopt(self) -> None:
        pods = {meta.uid(pod) for pod in self.store.manifests("pods")}
        for record in records.read_all(self._pods_dir):
            if record.node != self.node:
                continue
            if record.netns:
                self._context.book.by_uid[record.uid] = tuple(map(ip_address, record.addresses))
            if record.uid not in pods:  # its object went while no kubelet ran
                self._work(record)

    def _refuses(self, pod: Manifest) -> bool:
        if not admission.is_new(pod):
            return pod_status.is_finished(pod) and not self._context.directory(meta.uid(pod)).exists()
        node = self.registry.find("nodes", self.node)
        others = (other for other in self.store.manifests("pods") if meta.uid(other) in self._workers
                  and not pod_status.is_finished(other))
        predicate, text = admission.refusal(pod, node, others) if node else ("", "")
        if predicate:
            admission.reject(pod, predicate, text, registry=self.registry, recorder=self._context.recorder)
        return bool(predicate)

    def _begin(self, pod: Manifest) -> bool:
        try:
            record = sandboxes.record_of(pod, self._context)
        except LabError as error:
            if meta.uid(pod) not in self._told:
                self._told.add(meta.uid(pod))
                self._context.recorder.event(pod, "Warning", "FailedCreatePodSandBox",
                                             f"Failed to create pod sandbox: {error}")
            return False
        self._work(record)
        return True

    def _work(self, record: PodRecord) -> None:
        self._workers[record.uid] = PodWorker(self._context, record, on_progress=self._progressed)

    def _progressed(self) -> None:
        if any(worker.done for worker in self._workers.values()):
            self.wake()
        self.on_progress()

    async def close(self) -> None:
        """Ends the workers; the pods go on. The node is not Ready any more."""
        tasks = [worker.task for worker in self._workers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._workers.clear()
        self._context.book.by_uid.clear()
        self._adopted = False
        self._tell_at = 0.0
        node_status.report_gone(self.registry, self.node)


def kubelets(registry: Registry, *, runtime: Runtime, catalogue: Catalogue, recorder: Callable[[str], Recorder],
             network: Network | None = None, run_dir: Path | None = None, nodes: Iterable[str] = (),
             unrouted: Callable[[], Awaitable[None]] | None = None) -> list[Kubelet]:
    """The kubelets of a lab's nodes; `recorder` gives the recorder of a node."""
    claims = Claims(records.read_all((run_dir or names.run_dir(registry.spec.name)) / "pods"))
    return [Kubelet(registry, node=node, runtime=runtime, network=network, catalogue=catalogue, run_dir=run_dir,
                    recorder=recorder(node), claims=claims, unrouted=unrouted)
            for node in (nodes or registry.spec.nodes)]
