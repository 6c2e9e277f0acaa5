"""What a PodDisruptionBudget allows at the moment, and whether a pod may be evicted.

Source: k8s.io/kubernetes/pkg/controller/disruption and pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netlab.model import meta, pod_status, selectors
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.registry import Registry

PLURAL = "poddisruptionbudgets"
_SCALED = {"ReplicaSet": "replicasets", "Deployment": "deployments", "StatefulSet": "statefulsets",
           "ReplicationController": "replicationcontrollers"}
TOO_MANY = "Cannot evict pod as it would violate the pod's disruption budget."
SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


@dataclass(frozen=True)
class Room:
    """A budget's numbers: pods that there should be, that must be healthy, that are."""

    expected: int
    desired: int
    healthy: int

    @property
    def allowed(self) -> int:
        """How many healthy pods may go now."""
        return max(0, self.healthy - self.desired) if self.expected else 0


def pods_of(registry: Registry, budget: Manifest) -> list[Manifest]:
    """The pods that the budget is about. An empty selector chooses all, none chooses nothing."""
    selector = meta.spec(budget).get("selector")
    if selector is None:
        return []
    return registry.list("pods", meta.namespace(budget), labels=selectors.from_manifest(selector))


def room(registry: Registry, budget: Manifest) -> Room:
    """The budget's numbers in the store's present state."""
    pods, spec = pods_of(registry, budget), meta.spec(budget)
    healthy = sum(1 for pod in pods if not meta.is_deleting(pod) and pod_status.is_ready(pod))
    if "maxUnavailable" in spec:
        expected = _expected(registry, pods)
        return Room(expected, max(0, expected - _count(spec["maxUnavailable"], expected)), healthy)
    least = spec.get("minAvailable", 1)
    if isinstance(least, int):
        return Room(len(pods), least, healthy)
    expected = _expected(registry, pods)
    return Room(expected, _count(least, expected), healthy)


def _count(bound: Any, expected: int) -> int:
    return bound if isinstance(bound, int) else -(-int(bound[:-1]) * expected // 100)  # percentages are rounded up


def _expected(registry: Registry, pods: list[Manifest]) -> int:
    """The replicas that the pods' controllers want; those without a controller count as what they are."""
    found: dict[str, int] = {}
    for pod in pods:
        owner: Manifest | None = pod
        while owner is not None and (reference := meta.controller_of(owner)):
            resource = _SCALED.get(reference.get("kind", ""))
            above = registry.find(resource, reference["name"], meta.namespace(pod)) \
                if resource and resource in {kind.plural for kind in registry.kinds()} else None
            if above is None:
                break
            owner = above
        if owner is pod or owner is None:
            found[meta.uid(pod)] = 1
        else:
            found[meta.uid(owner)] = int(meta.spec(owner).get("replicas", 1))
    return sum(found.values())


def check(registry: Registry, pod: Manifest) -> None:
    """Nothing when the pod may be evicted; ApiError 429 when its budget has no room, 500 when it has several."""
    if meta.is_deleting(pod) or meta.status(pod).get("phase") in ("Pending", "Succeeded", "Failed"):
        return
    budgets = [budget for budget in registry.list(PLURAL, meta.namespace(pod))
               if meta.spec(budget).get("selector") is not None
               and selectors.from_manifest(meta.spec(budget)["selector"]).matches(meta.labels(pod))]
    if not budgets:
        return
    if len(budgets) > 1:
        raise ApiError(500, "InternalError", SEVERAL)
    budget, found = budgets[0], room(registry, budgets[0])
    if not pod_status.is_ready(pod):
        always = meta.spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if always or (found.desired and found.healthy >= found.desired):
            return
    if found.allowed > 0:
        return
    text = (f"The disruption budget {meta.name(budget)} needs {found.desired} healthy pods and has {found.healthy} "
            "currently")
    raise ApiError(429, "TooManyRequests", TOO_MANY, details={
        "causes": [{"reason": "DisruptionBudget", "message": text}]})
