"""The scheduler: pods without a node get one."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator

from netlab.api.registry import Registry
from netlab.controllers import fit, neighbours
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

NAME = "default-scheduler"


class Scheduler(PerObject):
    """Spreads pods: fewest of the same owner on the node, then fewest at all, then the node's name."""

    name = "scheduler"
    resources = ("pods", "nodes")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, NAME)
        self._pods = Index(self.store, "pods", _keys)
        self._nodes_revision = -1
        self._nodes: list[Manifest] = []

    def changed(self) -> Iterable[Name]:
        """Pods that were written and have no node; every such pod when a node or a place on one changed."""
        touched = self._pods.take_touched()
        names = {(key[1], key[2]) for key in touched if isinstance(key, tuple) and key[0] == "pending"}
        revision = self.store.revision_of("nodes")
        freed = any(isinstance(key, tuple) and key[0] in ("node", "placed") for key in touched)
        if revision != self._nodes_revision or freed:
            self._nodes_revision = revision
            self._nodes = self.registry.list("nodes")
            names.update((meta.namespace(pod), meta.name(pod)) for pod in self._pods.of("pending"))
        return names

    def sync(self, namespace: str, name: str) -> None:
        """Binds one pod, or says why it cannot be."""
        pod = self.registry.find("pods", name, namespace)
        if pod is None or not _is_pending(pod):
            return
        if meta.spec(pod).get("schedulingGates"):
            self._refuse(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
            return
        obstacles: Counter[str] = Counter()
        near = neighbours.Neighbours(pod, self._nodes, lambda space: self._pods.of(("placed", space)),
                                     self._pods.of("repelling"))
        owner = _owner(pod)
        best: tuple[tuple[int, int, int, str], str] | None = None
        for node in self._nodes:
            node_name = meta.name(node)
            count = self._pods.count(("node", node_name))
            ports = [port for other in self._pods.of(("ports", node_name)) for port in fit.host_ports(other)]
            reason = fit.obstacle(pod, node, ports, count) or near.obstacle(node)
            if reason:
                obstacles[reason] += 1
                continue
            same = self._pods.count(("owner", node_name, namespace, owner)) if owner else 0
            rank = (-fit.preference(pod, node) - near.preference(node), same, count, node_name)
            if best is None or rank < best[0]:
                best = rank, node_name
        if best is None:
            message = fit.no_fit(obstacles, len(self._nodes))
            if self._refuse(pod, "Unschedulable", message):
                self._recorder.event(pod, "Warning", "FailedScheduling", message)
            return
        bound = self.registry.bind(namespace, name, best[1])
        self._recorder.event(bound, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {best[1]}")

    def _refuse(self, pod: Manifest, reason: str, message: str) -> bool:
        """Writes the PodScheduled condition; False when it said the same before."""
        old = pod_status.condition(pod, "PodScheduled")
        if (old.get("reason"), old.get("message")) == (reason, message):
            return False
        new = copy.deepcopy(pod)
        status = new.setdefault("status", {})
        since = old.get("lastTransitionTime") if old.get("status") == "False" else None
        status["conditions"] = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"] + [
            {"type": "PodScheduled", "status": "False", "reason": reason, "message": message, "lastProbeTime": None,
             "lastTransitionTime": since or self.registry.now()}]
        self.registry.update("pods", new, subresource="status")
        return True


def _is_pending(pod: Manifest) -> bool:
    spec = meta.spec(pod)
    return not spec.get("nodeName") and not meta.is_deleting(pod) and not pod_status.is_finished(pod) \
        and (spec.get("schedulerName") or NAME) == NAME


def _owner(pod: Manifest) -> str:
    return str((meta.controller_of(pod) or {}).get("uid") or "")


def _keys(pod: Manifest) -> Iterator[Hashable]:
    if _is_pending(pod):
        yield "pending"
        yield "pending", meta.namespace(pod), meta.name(pod)
    node = meta.spec(pod).get("nodeName")
    if node and not pod_status.is_finished(pod):
        yield "node", node
        yield "placed", meta.namespace(pod)
        if neighbours.has_anti_affinity(pod):
            yield "repelling"
        if fit.host_ports(pod):
            yield "ports", node
        if owner := _owner(pod):
            yield "owner", node, meta.namespace(pod), owner
