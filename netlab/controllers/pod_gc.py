"""Pods of nodes that are not there go, after forty seconds in which the node may still come.

Source: k8s.io/kubernetes/pkg/controller/podgc. Such a pod is one whose spec.nodeName somebody wrote by hand, or whose
node's object was deleted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

QUARANTINE = 40.0  # seconds
_REASON = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
           "message": "PodGC: node no longer exists"}


class PodGC(PerObject):
    """Looks at one missing node at a time: names are the nodes'."""

    name = "pod-garbage-collector"
    resources = ("nodes", "pods")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._pods = Index(registry.store, "pods", lambda pod: (meta.spec(pod).get("nodeName") or "",))
        self._nodes_revision = -1
        self._missing_since: dict[str, float] = {}

    def changed(self) -> Iterable[Name]:
        """The nodes that pods name, of which something changed; all when a node came or went."""
        revision, touched = self.store.revision_of("nodes"), self._pods.take_touched()
        if revision != self._nodes_revision:
            self._nodes_revision = revision
            touched = {meta.spec(pod).get("nodeName") or "" for pod in self.store.manifests("pods")}
        names = {str(name) for name in touched if name and self.registry.find("nodes", str(name)) is None}
        return {("", name) for name in names | set(self._missing_since)}

    def sync(self, namespace: str, name: str) -> float | None:
        """Removes the pods of one node when it has been missing for long enough."""
        pods = self._pods.of(name)
        if not pods or self.registry.find("nodes", name) is not None:
            self._missing_since.pop(name, None)
            return None
        now = time.monotonic()
        if (left := self._missing_since.setdefault(name, now) + QUARANTINE - now) > 0:
            return left
        for pod in pods:
            self._remove(pod)
        return None

    def _remove(self, pod: Manifest) -> None:
        if not pod_status.is_finished(pod):
            kept = [c for c in meta.status(pod).get("conditions") or () if c.get("type") != _REASON["type"]]
            conditions = [*kept, {**_REASON, "lastTransitionTime": self.registry.now()}]
            self.registry.update("pods", pod | {"status": {**meta.status(pod), "phase": "Failed",
                                                           "conditions": conditions}}, subresource="status")
        self.registry.delete("pods", meta.name(pod), namespace=meta.namespace(pod), grace_period=0)
