"""ReplicaSets: as many pods as asked for, no more, no fewer."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.owned import Owned
from netlab.controllers.per_object import Name, PerObject, is_namespace_terminating
from netlab.controllers.victims import victims
from netlab.model import meta, pod_status
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

BURST = 500  # pods made or deleted at one look, as upstream
RETRY = 5.0  # seconds after which pods that the API refused are asked for again


class ReplicaSets(PerObject):
    """Upstream needs "expectations", since its view of the pods lags behind its writes. Here a look reads what the
    last write made, and no other task runs between reading and writing: it cannot create too many.
    """

    name = "replicasets"
    resources = ("replicasets", "pods")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "replicaset-controller")
        self._pods = Owned(registry, "pods")
        self._sets = Index(registry.store, "replicasets", _keys)

    def changed(self) -> Iterable[Name]:
        """ReplicaSets that were written, whose pods were, or that may adopt a pod."""
        names = {(key[0], key[1]) for key in self._sets.take_touched() if isinstance(key, tuple) and len(key) == 2}
        owners, namespaces = self._pods.take_touched()
        for key in (*owners, *((namespace,) for namespace in namespaces)):
            names.update((meta.namespace(item), meta.name(item)) for item in self._sets.of(key))
        return names

    def sync(self, namespace: str, name: str) -> float | None:
        """Makes one ReplicaSet's pods and status right."""
        owner = self.registry.find("replicasets", name, namespace)
        if owner is None:
            return None
        pods = self._pods.claim(owner)
        active = [pod for pod in pods if pod_status.is_active(pod)]
        missing = int(meta.spec(owner).get("replicas", 1)) - len(active)
        failure = ""
        if not meta.is_deleting(owner) and missing > 0:
            failure = self._create(owner, min(missing, BURST))
        elif not meta.is_deleting(owner) and missing < 0:
            self._delete(owner, active, min(-missing, BURST))
        active = [pod for pod in self._pods.of(owner) if pod_status.is_active(pod)]
        wait = self._write_status(owner, active, missing, failure)
        return RETRY if failure else wait

    def _create(self, owner: Manifest, count: int) -> str:
        """Creates pods; gives the API's words when it refuses one, "" when all were made."""
        for _ in range(count):
            try:
                pod = self.registry.create("pods", pod_from_template(owner))
            except ApiError as error:
                if is_namespace_terminating(error):
                    return ""
                self._recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
                return error.message
            self._recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(pod)}")
        return ""

    def _delete(self, owner: Manifest, active: list[Manifest], count: int) -> None:
        for pod in victims(active, count, self.registry.clock(), related=self._related(owner)):
            self.registry.delete("pods", meta.name(pod), namespace=meta.namespace(pod))
            self._recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")

    def _related(self, owner: Manifest) -> list[Manifest]:
        """The active pods of all ReplicaSets of the same Deployment."""
        deployment = meta.controller_of(owner)
        family = self._sets.of(("siblings", meta.namespace(owner), deployment.get("uid"))) if deployment else [owner]
        return [pod for item in family for pod in self._pods.of(item) if pod_status.is_active(pod)]

    def _write_status(self, owner: Manifest, active: list[Manifest], missing: int, failure: str) -> float | None:
        spec, now = meta.spec(owner), self.registry.clock()
        wanted = (meta.metadata(spec.get("template") or {}).get("labels") or {}).items()
        waits = [pod_status.available_in(pod, int(spec.get("minReadySeconds") or 0), now) for pod in active]
        status: dict[str, Any] = {
            "replicas": len(active),
            "fullyLabeledReplicas": sum(wanted <= meta.labels(pod).items() for pod in active),
            "readyReplicas": sum(map(pod_status.is_ready, active)),
            "availableReplicas": waits.count(0.0),
            "observedGeneration": meta.metadata(owner).get("generation", 1),
        }
        status = {key: value for key, value in status.items() if value or key in ("replicas", "observedGeneration")}
        if failure:
            old = pod_status.condition(owner, "ReplicaFailure")
            status["conditions"] = [{
                "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate" if missing > 0 else "FailedDelete",
                "message": failure, "lastTransitionTime": old.get("lastTransitionTime") or self.registry.now()}]
        current = self.registry.find("replicasets", meta.name(owner), meta.namespace(owner))
        if current is not None and status != meta.status(current):
            self.registry.update("replicasets", current | {"status": status}, subresource="status")
        return min((wait for wait in waits if wait), default=None)


def _keys(item: Manifest) -> Iterator[Hashable]:
    namespace = meta.namespace(item)
    yield namespace, meta.name(item)
    yield (namespace,)
    yield meta.uid(item)
    if deployment := meta.controller_of(item):
        yield "siblings", namespace, deployment.get("uid")


def pod_from_template(owner: Manifest) -> Manifest:
    """A pod as the owner's template says, owned by it; the API gives the five characters after the owner's name."""
    template = copy.deepcopy(meta.spec(owner).get("template") or {})
    given = template.get("metadata") or {}
    data = {key: given[key] for key in ("labels", "annotations", "finalizers") if given.get(key)}
    return {"apiVersion": "v1", "kind": "Pod", "spec": template.get("spec") or {}, "metadata": data | {
        "generateName": f"{meta.name(owner)}-", "namespace": meta.namespace(owner),
        "ownerReferences": [meta.owner_reference(owner)]}}
