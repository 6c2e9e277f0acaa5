"""ReplicaSets and ReplicationControllers: as many pods as asked for, no more, no fewer."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from netlab.controllers.pod_owner import PodOwner
from netlab.controllers.pod_template import pod_from_template
from netlab.controllers.victims import victims
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

BURST = 500  # pods made or deleted at one look, as upstream


class ReplicaSets(PodOwner):
    """Upstream needs "expectations", since its view of the pods lags behind its writes. Here a look reads what the
    last write made, and no other task runs between reading and writing: it cannot create too many.
    """

    name = "replicasets"
    component = "replicaset-controller"

    def keys(self, item: Manifest) -> Iterator[Hashable]:
        """By the Deployment as well, whose other ReplicaSets matter when pods go."""
        yield from super().keys(item)
        if deployment := meta.controller_of(item):
            yield "siblings", meta.namespace(item), deployment.get("uid")

    def sync(self, namespace: str, name: str) -> float | None:
        """Makes one ReplicaSet's pods and status right."""
        owner = self.registry.find(self.name, name, namespace)
        if owner is None:
            return None
        pods = self.pods.claim(owner)
        active = [pod for pod in pods if pod_status.is_active(pod)]
        missing = int(meta.spec(owner).get("replicas", 1)) - len(active)
        failure = ""
        if not meta.is_deleting(owner) and missing > 0:
            failure = self.create_pods(owner, [pod_from_template(owner)] * min(missing, BURST))
        elif not meta.is_deleting(owner) and missing < 0:
            self.delete_pods(owner, victims(active, min(-missing, BURST), self.registry.clock(),
                                            related=self._related(owner)))
        active = [pod for pod in self.pods.of(owner) if pod_status.is_active(pod)]
        wait = self._write_status(owner, active, missing, failure)
        return self.RETRY if failure else wait

    def _related(self, owner: Manifest) -> list[Manifest]:
        """The active pods of all ReplicaSets of the same Deployment."""
        deployment = meta.controller_of(owner)
        family = self.objects.of(("siblings", meta.namespace(owner), deployment.get("uid"))) if deployment else [owner]
        return [pod for item in family for pod in self.pods.of(item) if pod_status.is_active(pod)]

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
            status["conditions"] = [old or {  # it tells the first failure: each has another pod's name in its message
                "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate" if missing > 0 else "FailedDelete",
                "message": failure, "lastTransitionTime": self.registry.now()}]
        self.write_status(owner, status)
        return min((wait for wait in waits if wait), default=None)


class ReplicationControllers(ReplicaSets):
    """What ReplicaSets were before; upstream, too, they share all but the name."""

    name = "replicationcontrollers"
    component = "replication-controller"
