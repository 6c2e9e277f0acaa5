"""HorizontalPodAutoscalers: kept within their bounds; no metrics are measured, and that is said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.api import scale
from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.errors import ApiError, not_found
from netlab.model.meta import Manifest

PLURAL = "horizontalpodautoscalers"
SCALED = {"Deployment": "deployments", "ReplicaSet": "replicasets", "StatefulSet": "statefulsets",
          "ReplicationController": "replicationcontrollers"}
NO_METRICS = ("unable to fetch metrics from resource metrics API: the server could not find the requested resource "
              "(get pods.metrics.k8s.io)")


class Autoscalers(PerObject):
    """Upstream's words for a cluster without a metrics server. Replicas beyond the bounds are brought within."""

    name = "horizontal-pod-autoscaler"

    def __init__(self, registry: Registry) -> None:
        served = {kind.plural for kind in registry.kinds()}
        self._scaled = {kind: plural for kind, plural in SCALED.items() if plural in served}
        self.resources = (PLURAL, *self._scaled.values())
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "horizontal-pod-autoscaler")

    def changed(self) -> Iterable[Name]:
        """Those that were never looked at, or whose target or spec changed."""
        return {(meta.namespace(item), meta.name(item)) for item in self.registry.list(PLURAL)
                if self._outcome(item)[0] != meta.status(item)}

    def sync(self, namespace: str, name: str) -> None:
        """Brings one target within the bounds, and writes what can be said of it."""
        item = self.registry.find(PLURAL, name, namespace)
        if item is None or meta.is_deleting(item):
            return
        status, events, wanted = self._outcome(item)
        if wanted is not None:
            target, replicas, reason = wanted
            resource = self._scaled[target["kind"]]
            shown = scale.from_manifest(self.registry.resource(resource), target)
            self.registry.update(resource, shown | {"spec": {"replicas": replicas}}, subresource="scale")
            self._recorder.event(item, "Normal", "SuccessfulRescale", f"New size: {replicas}; reason: {reason}")
            status = status | {"lastScaleTime": self.registry.now()}
        for reason, message in events:
            self._recorder.event(item, "Warning", reason, message)
        self.registry.update(PLURAL, item | {"status": status}, subresource="status")

    def _outcome(self, item: Manifest) -> tuple[dict[str, Any], list[tuple[str, str]],
                                                tuple[Manifest, int, str] | None]:
        """(status, events of warning, target with its new size and why)."""
        spec = meta.spec(item)
        try:
            target = self._target(item)
        except ApiError as error:
            text = f"the HPA controller was unable to get the target's current scale: {error.message}"
            conditions = [self._condition(item, "AbleToScale", "False", "FailedGetScale", text)]
            old = {key: value for key, value in meta.status(item).items() if key == "lastScaleTime"}
            return {"currentReplicas": 0, "desiredReplicas": 0, "conditions": conditions} | old, [
                ("FailedGetScale", error.message)], None
        current, least, most = int(meta.spec(target).get("replicas", 1)), spec["minReplicas"], spec["maxReplicas"]
        kept = {key: value for key, value in meta.status(item).items() if key == "lastScaleTime"}
        status = kept | {"currentReplicas": int(meta.status(target).get("replicas", 0)), "desiredReplicas": current}
        able = self._condition(item, "AbleToScale", "True", "SucceededGetScale",
                               "the HPA controller was able to get the target's current scale")
        if current == 0:
            text = "scaling is disabled since the replica count of the target is zero"
            return status | {"conditions": [able, self._condition(item, "ScalingActive", "False", "ScalingDisabled",
                                                                  text)]}, [], None
        if current > most:
            return status | {"desiredReplicas": most, "conditions": [able]}, [], (
                target, most, "Current number of replicas above Spec.MaxReplicas")
        if current < least:
            return status | {"desiredReplicas": least, "conditions": [able]}, [], (
                target, least, "Current number of replicas below Spec.MinReplicas")
        reason, text, first = self._no_metric(spec["metrics"][0])
        count = len(spec["metrics"])
        active = self._condition(item, "ScalingActive", "False", reason,
                                 f"the HPA was unable to compute the replica count: {text}")
        events = [(reason, text), ("FailedComputeMetricsReplicas", f"invalid metrics ({count} invalid out of {count}), "
                                   f"first error is: {first}: {text}")]
        return status | {"conditions": [able, active]}, events, None

    def _target(self, item: Manifest) -> Manifest:
        reference = meta.spec(item)["scaleTargetRef"]
        resource = self._scaled.get(reference["kind"])
        if resource is None:
            raise not_found(f"{reference['kind'].lower()}s", reference["name"])
        return self.registry.get(resource, reference["name"], meta.namespace(item))

    @staticmethod
    def _no_metric(metric: dict[str, Any]) -> tuple[str, str, str]:
        kind = metric["type"]
        name = (metric.get("resource") or metric.get("containerResource") or {}).get("name", "")
        if kind in ("Resource", "ContainerResource"):
            text = f"failed to get {name} utilization: unable to get metrics for resource {name}: {NO_METRICS}"
            return f"FailedGet{kind}Metric", text, f"failed to get {name} resource metric value"
        api = "external" if kind == "External" else "custom"
        text = (f"unable to get {kind.lower()} metric: unable to fetch metrics from {api} metrics API: no {api} "
                "metrics API is served")
        return f"FailedGet{kind}Metric", text, f"failed to get {kind.lower()} metric value"

    def _condition(self, item: Manifest, name: str, state: str, reason: str, message: str) -> dict[str, str]:
        old: dict[str, str] = next((c for c in meta.status(item).get("conditions") or () if c.get("type") == name), {})
        since = old.get("lastTransitionTime") if old.get("status") == state else None
        return {"type": name, "status": state, "reason": reason, "message": message,
                "lastTransitionTime": since or self.registry.now()}
