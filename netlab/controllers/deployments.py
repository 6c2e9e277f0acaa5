"""Deployments: a template's ReplicaSet grows while those of earlier templates shrink."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from netlab.api.registry import Registry
from netlab.controllers import deployment_sets as sets_of
from netlab.controllers import deployment_status as status_of
from netlab.controllers import rolling
from netlab.controllers.deployment_sets import count, replicas
from netlab.controllers.deployment_status import Conditions
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.owned import Owned
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta, pod_status
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest


class Deployments(PerObject):
    """One step of a rollout at a look: what the step writes, or what becomes of it, brings the next look."""

    name = "deployments"
    resources = ("deployments", "replicasets", "pods")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "deployment-controller")
        self._deployments = Index(self.store, "deployments", _keys)
        self._sets = Owned(registry, "replicasets")
        self._pods = Owned(registry, "pods")
        self._owners = Index(self.store, "replicasets", _owner_by_uid)

    def changed(self) -> Iterable[Name]:
        """Deployments that were written or whose ReplicaSets were; those that recreate when a pod was, too."""
        names = {(key[0], key[1]) for key in self._deployments.take_touched()
                 if isinstance(key, tuple) and len(key) == 2}
        owners, namespaces = self._sets.take_touched()
        for key in (*owners, *((namespace,) for namespace in namespaces)):
            names.update(map(_name, self._deployments.of(key)))
        for uid in self._pods.take_touched()[0]:
            for item in self._owners.of(uid):
                owner = self._deployments.of((meta.controller_of(item) or {}).get("uid"))
                names.update(_name(deployment) for deployment in owner if _recreates(deployment))
        return names

    def sync(self, namespace: str, name: str) -> float | None:
        """Goes one step on with one Deployment."""
        deployment = self.registry.find("deployments", name, namespace)
        if deployment is None:
            return None
        sets = self._sets.claim(deployment)
        if meta.is_deleting(deployment):
            return None
        conditions = self._paused(deployment, list(meta.status(deployment).get("conditions") or ()))
        new = sets_of.find_new(deployment, sets)
        old = [item for item in sets if new is None or meta.uid(item) != meta.uid(new)]
        if new is not None:
            new = self._renew(deployment, new, old)
            if status_of.has_deadline(deployment) and not any(c["type"] == "Progressing" for c in conditions):
                conditions = status_of.with_condition(
                    conditions, self.registry.now(), "Progressing", "True", "FoundNewReplicaSet",
                    f'Found new replica set "{meta.name(new)}"')
        paused = bool(meta.spec(deployment).get("paused"))
        if paused or _was_scaled(deployment, sets):
            self._scale(deployment, new, old)
            if paused:
                self._clean_up(deployment, old)
            return self._write_status(deployment, conditions, progress=False)
        collisions = 0
        if _recreates(deployment):
            conditions, collisions = self._recreate(deployment, new, old, conditions)
        else:
            conditions, collisions = self._roll(deployment, new, old, conditions)
        return self._write_status(deployment, conditions, progress=True, collisions=collisions)

    # The two strategies

    def _roll(self, deployment: Manifest, new: Manifest | None, old: list[Manifest],
              conditions: Conditions) -> tuple[Conditions, int]:
        allowed = sets_of.limits_of(deployment)
        total = sum(map(replicas, old)) + (replicas(new) if new else 0)
        wanted = rolling.grow_new(allowed, replicas(new) if new else 0, total)
        if new is None:
            return self._create(deployment, old, wanted, conditions)
        if self._resize(deployment, new, wanted):
            return conditions, 0
        active = [item for item in sets_of.by_age(old) if replicas(item)]
        smaller = rolling.shrink_old(allowed, sets_of.size(new), [sets_of.size(item) for item in active])
        for item in active:
            self._resize(deployment, item, smaller.get(meta.name(item), replicas(item)))
        self._clean_up_when_complete(deployment, new, old)
        return conditions, 0

    def _recreate(self, deployment: Manifest, new: Manifest | None, old: list[Manifest],
                  conditions: Conditions) -> tuple[Conditions, int]:
        active = [item for item in old if replicas(item)]
        for item in active:
            self._resize(deployment, item, 0)
        if active or count(old, "replicas") or any(
                not pod_status.is_finished(pod) for item in old for pod in self._pods.of(item)):
            return conditions, 0
        wanted = sets_of.limits_of(deployment).replicas
        if new is None:
            return self._create(deployment, old, wanted, conditions)
        self._resize(deployment, new, wanted)
        self._clean_up_when_complete(deployment, new, old)
        return conditions, 0

    # Their steps

    def _create(self, deployment: Manifest, old: list[Manifest], size: int,
                conditions: Conditions) -> tuple[Conditions, int]:
        """Makes the new ReplicaSet; gives the conditions, and the collision count if it is to go up."""
        now, deadline = self.registry.now(), status_of.has_deadline(deployment)
        revision = max(map(sets_of.revision_of, old), default=0) + 1
        try:
            new = self.registry.create("replicasets", sets_of.new_set(deployment, size=size, revision=revision))
        except ApiError as error:
            if error.reason == "AlreadyExists":  # somebody else's: another hash at the next look
                return conditions, int(meta.status(deployment).get("collisionCount") or 0) + 1
            message = f'Failed to create new replica set "{sets_of.new_name(deployment)}": {error.message}'
            if not deadline:
                raise
            return status_of.with_condition(conditions, now, "Progressing", "False", "ReplicaSetCreateError",
                                            message), 0
        if size:
            self._recorder.event(deployment, "Normal", "ScalingReplicaSet",
                                 f"Scaled up replica set {meta.name(new)} from 0 to {size}")
        self._set_revision(deployment, new)
        if deadline:
            conditions = status_of.with_condition(conditions, now, "Progressing", "True", "NewReplicaSetCreated",
                                                  f'Created new replica set "{meta.name(new)}"')
        return conditions, 0

    def _resize(self, deployment: Manifest, item: Manifest, size: int) -> bool:
        """Whether the ReplicaSet was written: to have its size, or what a later change of size is compared with."""
        before = replicas(item)
        notes = meta.annotations(item) | sets_of.size_notes(deployment)
        if size == before and notes == meta.annotations(item):
            return False
        self.registry.update("replicasets", item | {
            "spec": meta.spec(item) | {"replicas": size}, "metadata": item["metadata"] | {"annotations": notes}})
        if size != before:
            way = "up" if size > before else "down"
            self._recorder.event(deployment, "Normal", "ScalingReplicaSet",
                                 f"Scaled {way} replica set {meta.name(item)} from {before} to {size}")
        return size != before

    def _scale(self, deployment: Manifest, new: Manifest | None, old: list[Manifest]) -> None:
        """Brings a paused Deployment, or one whose size was changed, to its size without going on with a rollout."""
        allowed = sets_of.limits_of(deployment)
        newest_first = sets_of.by_age([*old, *([new] if new else [])])[::-1]
        active = [item for item in newest_first if replicas(item)]
        if len(active) <= 1:
            for item in active or ([new] if new else newest_first[:1]):
                self._resize(deployment, item, allowed.replicas)
        elif new and replicas(new) == allowed.replicas == count([new], "availableReplicas"):
            for item in active:
                if item is not new:
                    self._resize(deployment, item, 0)
            self._resize(deployment, new, allowed.replicas)
        else:
            sizes = {} if _recreates(deployment) else rolling.scale_in_proportion(
                allowed, [sets_of.size(item) for item in active], int(meta.status(deployment).get("replicas") or 0))
            for item in active:
                self._resize(deployment, item, sizes.get(meta.name(item), replicas(item)))

    def _clean_up_when_complete(self, deployment: Manifest, new: Manifest, old: list[Manifest]) -> None:
        if status_of.is_complete(deployment, status_of.counts(deployment, [new, *old], new)):
            self._clean_up(deployment, old)

    def _clean_up(self, deployment: Manifest, old: list[Manifest]) -> None:
        for item in sets_of.surplus_history(deployment, old):
            self.registry.delete("replicasets", meta.name(item), namespace=meta.namespace(item))

    def _renew(self, deployment: Manifest, new: Manifest, old: list[Manifest]) -> Manifest:
        """Gives the new ReplicaSet the next revision if it was an old one, and the Deployment the same."""
        wanted = sets_of.renewed(deployment, new, max(map(sets_of.revision_of, old), default=0) + 1)
        if wanted != new:
            new = self.registry.update("replicasets", wanted)
        self._set_revision(deployment, new)
        return new

    def _set_revision(self, deployment: Manifest, new: Manifest) -> None:
        revision = meta.annotations(new).get(sets_of.REVISION, "")
        current = self.registry.get("deployments", meta.name(deployment), meta.namespace(deployment))
        if revision and meta.annotations(current).get(sets_of.REVISION) != revision:
            notes = meta.annotations(current) | {sets_of.REVISION: revision}
            self.registry.update("deployments", current | {"metadata": current["metadata"] | {"annotations": notes}})

    # Status

    def _paused(self, deployment: Manifest, conditions: Conditions) -> Conditions:
        current = next((c.get("reason") for c in conditions if c["type"] == "Progressing"), None)
        paused = bool(meta.spec(deployment).get("paused"))
        if not status_of.has_deadline(deployment) or current == "ProgressDeadlineExceeded" or \
                paused == (current == "DeploymentPaused"):
            return conditions
        reason, message = ("DeploymentPaused", "Deployment is paused") if paused else \
            ("DeploymentResumed", "Deployment is resumed")
        return status_of.with_condition(conditions, self.registry.now(), "Progressing", "Unknown", reason, message)

    def _write_status(self, deployment: Manifest, conditions: Conditions, *, progress: bool,
                      collisions: int = 0) -> float | None:
        current = self.registry.get("deployments", meta.name(deployment), meta.namespace(deployment))
        sets = self._sets.of(deployment)
        new = sets_of.find_new(current, sets)
        numbers = status_of.counts(current, sets, new)
        moment = self.registry.clock()
        conditions = status_of.with_availability(current, conditions, numbers["availableReplicas"],
                                                 meta.timestamp(moment))
        if progress:
            conditions = status_of.with_progress(current, conditions, numbers, new, moment)
        status = status_of.manifest(current, numbers, conditions,
                                    collisions or int(meta.status(current).get("collisionCount") or 0))
        if status != meta.status(current):
            self.registry.update("deployments", current | {"status": status}, subresource="status")
        return (status_of.time_left(current, conditions, moment) or None) if progress else None


def _recreates(deployment: Manifest) -> bool:
    return (meta.spec(deployment).get("strategy") or {}).get("type") == "Recreate"


def _was_scaled(deployment: Manifest, sets: Iterable[Manifest]) -> bool:
    wanted = str(sets_of.limits_of(deployment).replicas)
    return any(meta.annotations(item).get(sets_of.DESIRED, wanted) != wanted for item in sets if replicas(item))


def _name(item: Manifest) -> Name:
    return meta.namespace(item), meta.name(item)


def _keys(deployment: Manifest) -> Iterator[Hashable]:
    yield _name(deployment)
    yield (meta.namespace(deployment),)
    yield meta.uid(deployment)


def _owner_by_uid(item: Manifest) -> Iterator[Hashable]:
    yield meta.uid(item)
