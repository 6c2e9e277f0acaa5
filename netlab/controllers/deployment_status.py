"""A Deployment's status: counts, and conditions with upstream's reasons and messages (pkg/controller/deployment)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from netlab.controllers.deployment_sets import count, limits_of, replicas
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

Conditions = list[dict[str, Any]]
NO_DEADLINE = 2**31 - 1
_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def counts(deployment: Manifest, sets: Sequence[Manifest], new: Manifest | None) -> dict[str, int]:
    """The numbers of the status."""
    available = count(sets, "availableReplicas")
    return {
        "replicas": count(sets, "replicas"),
        "updatedReplicas": count([new], "replicas") if new else 0,
        "readyReplicas": count(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(map(replicas, sets)) - available),
    }


def is_complete(deployment: Manifest, numbers: dict[str, int]) -> bool:
    """Whether all pods are of the new ReplicaSet and available, and no other is left."""
    wanted = limits_of(deployment).replicas
    return numbers["updatedReplicas"] == numbers["replicas"] == numbers["availableReplicas"] == wanted


def has_deadline(deployment: Manifest) -> bool:
    """Whether a rollout may fail."""
    deadline = meta.spec(deployment).get("progressDeadlineSeconds")
    return deadline is not None and deadline != NO_DEADLINE


def with_condition(conditions: Conditions, now: str, type: str, status: str, reason: str,
                   message: str) -> Conditions:
    """The conditions with that one; unchanged when it has that status and reason already."""
    old = next((c for c in conditions if c["type"] == type), None)
    if old and (old["status"], old.get("reason")) == (status, reason):
        return conditions
    since = old["lastTransitionTime"] if old and old["status"] == status else now
    return [*without_condition(conditions, type), {
        "type": type, "status": status, "lastUpdateTime": now, "lastTransitionTime": since,
        "reason": reason, "message": message}]


def without_condition(conditions: Conditions, type: str) -> Conditions:
    """The other conditions."""
    return [c for c in conditions if c["type"] != type]


def with_availability(deployment: Manifest, conditions: Conditions, available: int, now: str) -> Conditions:
    """The conditions with Available: whether enough pods are."""
    if available >= limits_of(deployment).fewest:
        return with_condition(conditions, now, "Available", "True", "MinimumReplicasAvailable",
                              "Deployment has minimum availability.")
    return with_condition(conditions, now, "Available", "False", "MinimumReplicasUnavailable",
                          "Deployment does not have minimum availability.")


def with_progress(deployment: Manifest, conditions: Conditions, numbers: dict[str, int], new: Manifest | None,
                  moment: datetime) -> Conditions:
    """The conditions with Progressing: complete, under way since its last update, or beyond its deadline."""
    now = meta.timestamp(moment)
    failure = pod_status.condition(new, "ReplicaFailure") if new else {}
    conditions = without_condition(conditions, "ReplicaFailure") if not failure else with_condition(
        conditions, now, "ReplicaFailure", failure["status"], failure["reason"], failure["message"])
    if not has_deadline(deployment):
        return without_condition(conditions, "Progressing")
    current: dict[str, Any] = next((c for c in conditions if c["type"] == "Progressing"), {})
    if numbers["replicas"] == numbers["updatedReplicas"] and current.get("reason") == "NewReplicaSetAvailable":
        return conditions
    what = f'ReplicaSet "{meta.name(new)}"' if new else f'Deployment "{meta.name(deployment)}"'
    if is_complete(deployment, numbers):
        return with_condition(conditions, now, "Progressing", "True", "NewReplicaSetAvailable",
                              f"{what} has successfully progressed.")
    if _moved(meta.status(deployment), numbers):
        since = current["lastTransitionTime"] if current.get("status") == "True" else now
        return [*without_condition(conditions, "Progressing"), {
            "type": "Progressing", "status": "True", "lastUpdateTime": now, "lastTransitionTime": since,
            "reason": "ReplicaSetUpdated", "message": f"{what} is progressing."}]
    if time_left(deployment, conditions, moment) == 0:
        return with_condition(conditions, now, "Progressing", "False", "ProgressDeadlineExceeded",
                              f"{what} has timed out progressing.")
    return conditions


def time_left(deployment: Manifest, conditions: Conditions, moment: datetime) -> float | None:
    """Seconds until the rollout counts as failed; None when it is done, or has no deadline."""
    current = next((c for c in conditions if c["type"] == "Progressing"), None)
    if not current or not has_deadline(deployment) or current.get("reason") == "NewReplicaSetAvailable":
        return None
    if current.get("reason") == "ProgressDeadlineExceeded":
        return 0
    elapsed = (moment - meta.parse_time(current["lastUpdateTime"])).total_seconds()
    return max(0.0, float(meta.spec(deployment)["progressDeadlineSeconds"]) - elapsed)


def _moved(old: dict[str, Any], new: dict[str, int]) -> bool:
    before = {key: int(old.get(key) or 0) for key in _COUNTS}
    return (new["updatedReplicas"] > before["updatedReplicas"]
            or new["replicas"] - new["updatedReplicas"] < before["replicas"] - before["updatedReplicas"]
            or new["readyReplicas"] > before["readyReplicas"]
            or new["availableReplicas"] > before["availableReplicas"])


def manifest(deployment: Manifest, numbers: dict[str, int], conditions: Conditions,
             collisions: int = 0) -> dict[str, Any]:
    """The status as JSON; zeros are left out, as upstream does."""
    status: dict[str, Any] = {"observedGeneration": meta.metadata(deployment).get("generation", 1)}
    status |= {key: value for key, value in numbers.items() if value}
    if collisions:
        status["collisionCount"] = collisions
    return status | ({"conditions": conditions} if conditions else {})
