"""Pods go from nodes with a NoExecute taint, at once or when their toleration ends.

Source: k8s.io/kubernetes/pkg/controller/tainteviction.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers import fit
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.meta import Manifest

EFFECT = "NoExecute"
_REASON = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
           "message": "Taint manager: deleting due to NoExecute taint"}


def tolerated_for(pod: Manifest, found: Iterable[Mapping[str, Any]]) -> float:
    """Seconds that the pod may stay with all these taints: 0 when it does not tolerate one, infinity for ever."""
    least = math.inf
    for taint in found:
        fitting = next((toleration for toleration in meta.spec(pod).get("tolerations") or ()
                        if fit.tolerates({"spec": {"tolerations": [toleration]}}, taint)), None)
        if fitting is None:
            return 0.0
        if (seconds := fitting.get("tolerationSeconds")) is not None:
            least = min(least, max(0.0, float(seconds)))
    return least


class TaintEviction(PerObject):
    """A pod's time begins when its node is first seen with the taints."""

    name = "taint-eviction-controller"
    resources = ("nodes", "pods")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "taint-eviction-controller")
        self._pods = Index(registry.store, "pods", lambda pod: (meta.spec(pod).get("nodeName"),))
        self._since: dict[Name, tuple[str, float]] = {}  # uid and monotonic time of the pods that shall go

    def changed(self) -> Iterable[Name]:
        """The pods of tainted nodes, and those that were about to go."""
        tainted = [node for node in self.registry.list("nodes") if _taints(node)]
        return {*self._since, *((meta.namespace(pod), meta.name(pod))
                                for node in tainted for pod in self._pods.of(meta.name(node)))}

    def sync(self, namespace: str, name: str) -> float | None:
        """Deletes one pod, or waits until it is time."""
        pod = self.registry.find("pods", name, namespace)
        if pod is None or meta.is_deleting(pod):
            self._since.pop((namespace, name), None)
            return None
        node = self.registry.find("nodes", str(meta.spec(pod).get("nodeName") or ""))
        found = _taints(node) if node else []
        stays = tolerated_for(pod, found)
        if not found or stays == math.inf:
            if self._since.pop((namespace, name), ("",))[0] == meta.uid(pod):
                self._recorder.event(pod, "Normal", "TaintManagerEviction",
                                     f"Cancelling deletion of Pod {namespace}/{name}")
            return None
        now = time.monotonic()
        uid, since = self._since.get((namespace, name), ("", now))
        if uid != meta.uid(pod):
            since = now
            self._since[namespace, name] = meta.uid(pod), now
        if (left := since + stays - now) > 0:
            return left
        self._evict(pod)
        return None

    def _evict(self, pod: Manifest) -> None:
        self._recorder.event(pod, "Normal", "TaintManagerEviction",
                             f"Marking for deletion Pod {meta.namespace(pod)}/{meta.name(pod)}")
        kept = [c for c in meta.status(pod).get("conditions") or () if c.get("type") != _REASON["type"]]
        conditions = [*kept, {**_REASON, "lastTransitionTime": self.registry.now()}]
        self.registry.update("pods", pod | {"status": {**meta.status(pod), "conditions": conditions}},
                             subresource="status")
        self.registry.delete("pods", meta.name(pod), namespace=meta.namespace(pod))
        self._since.pop((meta.namespace(pod), meta.name(pod)), None)


def _taints(node: Manifest) -> list[dict[str, Any]]:
    return [taint for taint in meta.spec(node).get("taints") or () if taint.get("effect") == EFFECT]
