"""A Deployment's ReplicaSets: which is the new one, what a new one looks like, what they are annotated with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from netlab.controllers.pod_template import HASH, template_hash, with_hash, without_hash
from netlab.controllers.rolling import Limits, Size, limits
from netlab.model import meta
from netlab.model.meta import Manifest

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_OWN = (REVISION, HISTORY, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to")


def limits_of(deployment: Manifest) -> Limits:
    """What the Deployment allows; nothing beyond its replicas when it recreates."""
    spec = meta.spec(deployment)
    strategy, replicas = spec.get("strategy") or {}, int(spec.get("replicas", 1))
    if strategy.get("type") == "Recreate":
        return Limits(replicas, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    return limits(replicas, rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"))


def replicas(replicaset: Manifest) -> int:
    """How many pods the ReplicaSet shall have."""
    return int(meta.spec(replicaset).get("replicas", 1))


def count(replicasets: Iterable[Manifest], field: str) -> int:
    """The sum of one of their status fields."""
    return sum(int(meta.status(item).get(field) or 0) for item in replicasets)


def size(replicaset: Manifest) -> Size:
    """The ReplicaSet as the arithmetic of rollouts sees it."""
    return Size(meta.name(replicaset), replicas(replicaset), count([replicaset], "availableReplicas"),
                int(meta.annotations(replicaset).get(MAXIMUM) or 0))


def by_age(replicasets: Iterable[Manifest]) -> list[Manifest]:
    """The oldest first."""
    return sorted(replicasets, key=lambda item: (meta.metadata(item).get("creationTimestamp") or "", meta.name(item)))


def revision_of(item: Manifest) -> int:
    """The number of the rollout that made it, 0 when it has none."""
    text = meta.annotations(item).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def find_new(deployment: Manifest, replicasets: Sequence[Manifest]) -> Manifest | None:
    """The ReplicaSet with the Deployment's present template: the oldest one if there are several.

    One that has the hash of the template counts too, even if defaults were filled in differently.
    """
    wanted = without_hash(meta.spec(deployment)["template"])
    same = [item for item in by_age(replicasets) if without_hash(meta.spec(item)["template"]) == wanted]
    named = [item for item in replicasets if meta.name(item) == new_name(deployment)]
    return next(iter((*same, *named)), None)


def new_name(deployment: Manifest) -> str:
    """The name of the ReplicaSet for the present template."""
    return f"{meta.name(deployment)}-{_hash(deployment)}"


def _hash(deployment: Manifest) -> str:
    return template_hash(meta.spec(deployment)["template"], int(meta.status(deployment).get("collisionCount") or 0))


def new_set(deployment: Manifest, *, size: int, revision: int) -> Manifest:
    """The ReplicaSet for the present template."""
    spec, value = meta.spec(deployment), _hash(deployment)
    template = with_hash(spec["template"], value)
    selector = spec.get("selector") or {}
    body: dict[str, Any] = {
        "replicas": size, "template": template,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: value}}}
    if spec.get("minReadySeconds"):
        body["minReadySeconds"] = spec["minReadySeconds"]
    notes = inherited(deployment) | {REVISION: str(revision)} | size_notes(deployment)
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": body, "metadata": {
        "name": new_name(deployment), "namespace": meta.namespace(deployment), "labels": dict(meta.labels(template)),
        "annotations": notes, "ownerReferences": [meta.owner_reference(deployment)]}}


def inherited(deployment: Manifest) -> dict[str, str]:
    """The Deployment's annotations that its new ReplicaSet carries too, such as kubernetes.io/change-cause."""
    return {key: value for key, value in meta.annotations(deployment).items() if key not in _OWN}


def size_notes(deployment: Manifest) -> dict[str, str]:
    """The annotations by which a later change of the Deployment's size is noticed."""
    allowed = limits_of(deployment)
    return {DESIRED: str(allowed.replicas), MAXIMUM: str(allowed.most)}


def renewed(deployment: Manifest, replicaset: Manifest, revision: int) -> Manifest:
    """The new ReplicaSet as it should be: at least that revision (more after an undo), minReadySeconds followed."""
    notes = meta.annotations(replicaset) | inherited(deployment)
    before = revision_of(replicaset)
    if before < revision:
        notes |= {REVISION: str(revision)}
        if before:
            notes[HISTORY] = ",".join(filter(None, (notes.get(HISTORY, ""), str(before))))
    spec = dict(meta.spec(replicaset))
    if int(spec.get("minReadySeconds") or 0) != (ready := int(meta.spec(deployment).get("minReadySeconds") or 0)):
        spec["minReadySeconds"] = ready
    return replicaset | {"spec": spec, "metadata": replicaset["metadata"] | {"annotations": notes}}


def surplus_history(deployment: Manifest, old: Sequence[Manifest]) -> list[Manifest]:
    """The old, empty ReplicaSets beyond revisionHistoryLimit."""
    limit = meta.spec(deployment).get("revisionHistoryLimit", 10)
    if limit is None:
        return []
    alive = sorted((item for item in old if not meta.is_deleting(item)), key=revision_of)
    return [item for item in alive[:max(0, len(alive) - int(limit))]
            if not replicas(item) and not count([item], "replicas")
            and meta.metadata(item).get("generation", 0) <= meta.status(item).get("observedGeneration", 0)]
