"""Nodes whose kubelet has gone, or says that it is short of something, are tainted; their pods are not ready any more.

Source: k8s.io/kubernetes/pkg/controller/nodelifecycle. Upstream notices the silence of a kubelet after 40 seconds; in a
lab a kubelet that is stopped says so itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

PREFIX = "node.kubernetes.io/"
GRACE = 2.0  # seconds in which a kubelet that starts with the whole control plane reports
_BY_CONDITION = {("Ready", "False"): "not-ready", ("Ready", "Unknown"): "unreachable",
                 ("MemoryPressure", "True"): "memory-pressure", ("DiskPressure", "True"): "disk-pressure",
                 ("PIDPressure", "True"): "pid-pressure", ("NetworkUnavailable", "True"): "network-unavailable"}
_EVICTING = ("not-ready", "unreachable")
_OURS = frozenset(PREFIX + name for name in (*_BY_CONDITION.values(), "unschedulable"))


def taints(node: Manifest) -> list[dict[str, str]]:
    """The taints that a node's conditions and its cordon ask for."""
    names = [name for condition in meta.status(node).get("conditions") or ()
             if (name := _BY_CONDITION.get((condition.get("type"), condition.get("status"))))]
    found = [{"key": PREFIX + name, "effect": effect} for name in names
             for effect in ("NoSchedule", *(["NoExecute"] if name in _EVICTING else []))]
    if meta.spec(node).get("unschedulable"):
        found.append({"key": PREFIX + "unschedulable", "effect": "NoSchedule"})
    return found


def with_taints(present: list[dict[str, Any]], wanted: list[dict[str, str]], now: str) -> list[dict[str, Any]]:
    """A node's taints with those of its conditions as wanted; others, and those that are there already, stay."""
    identities = [(taint["key"], taint["effect"]) for taint in wanted]
    kept = [taint for taint in present
            if taint["key"] not in _OURS or (taint["key"], taint.get("effect")) in identities]
    there = {(taint["key"], taint.get("effect")) for taint in kept}
    return kept + [{**taint, "timeAdded": now} for taint in wanted if (taint["key"], taint["effect"]) not in there]


class NodeLifecycle(PerObject):
    """Follows the conditions of nodes."""

    name = "node-lifecycle"
    resources = ("nodes", "pods")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "node-controller")
        self._pods = Index(registry.store, "pods", lambda pod: (meta.spec(pod).get("nodeName"),))
        self._silent_since: dict[str, float] = {}

    def changed(self) -> Iterable[Name]:
        """The nodes that have other taints than their conditions ask for, or are silent: a look at each is cheap."""
        return {("", meta.name(node)) for node in self.registry.list("nodes")
                if not _ready(node) or self._differs(node)}

    def _differs(self, node: Manifest) -> bool:
        present = meta.spec(node).get("taints") or []
        return with_taints(present, taints(node), "") != present

    def sync(self, namespace: str, name: str) -> float | None:
        """Makes one node's taints right."""
        node = self.registry.find("nodes", name)
        if node is None or _ready(node):
            self._silent_since.pop(name, None)
        if node is None:
            return None
        if not _ready(node):
            now = time.monotonic()
            left = self._silent_since.setdefault(name, now) + GRACE - now
            if left > 0:
                return left
        if self._differs(node):
            present = meta.spec(node).get("taints") or []
            spec = {**meta.spec(node), "taints": with_taints(present, taints(node), self.registry.now())}
            self.registry.update("nodes", node | {"spec": {key: value for key, value in spec.items() if value != []}})
            if not _ready(node):
                self._recorder.event(node, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        if not _ready(node):
            for pod in self._pods.of(name):
                self._not_ready(pod)
        return None

    def _not_ready(self, pod: Manifest) -> None:
        if not pod_status.is_ready(pod):
            return
        now = self.registry.now()
        conditions = [condition | {"status": "False", "lastTransitionTime": now} if condition.get("type") == "Ready"
                      else condition for condition in meta.status(pod)["conditions"]]
        self._recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")
        self.registry.update("pods", pod | {"status": {**meta.status(pod), "conditions": conditions}},
                             subresource="status")


def _ready(node: Mapping[str, Any]) -> bool:
    """Whether nothing is wrong with it, as far as is known."""
    return all(condition.get("status") == "True" for condition in meta.status(node).get("conditions") or ()
               if condition.get("type") == "Ready")
