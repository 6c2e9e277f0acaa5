"""The API's verbs on objects: defaults, allocation, validation, conflicts, finalizers, then the store.

HTTP handlers and controllers use the same methods. All are synchronous, so each is atomic on the event loop.
"""

from __future__ import annotations

import copy
import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from netlab.api.resource import Resource
from netlab.api.resources import RESOURCES
from netlab.model import meta
from netlab.model.errors import already_exists, conflict, invalid_object, not_found
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import Manifest, ObjectKey
from netlab.model.selectors import Selector
from netlab.store import Store

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Registry:
    """The lab's objects behind the API's rules. `clock` gives the present moment in UTC."""

    def __init__(self, store: Store, spec: LabSpec, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.store = store
        self.spec = spec
        self.clock = clock

    def now(self) -> str:
        """The present moment as metadata carries it."""
        return meta.timestamp(self.clock())

    def resource(self, plural: str) -> Resource:
        """The kind behind a plural name."""
        return RESOURCES[plural]

    def find(self, resource: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, or None."""
        return self.store.get(ObjectKey(resource, namespace, name))

    def get(self, resource: str, name: str, namespace: str = "") -> Manifest:
        """The object; ApiError 404 when there is none."""
        found = self.find(resource, name, namespace)
        if found is None:
            raise not_found(resource, name, RESOURCES[resource].group)
        return found

    def list(self, resource: str, namespace: str | None = None, *, labels: Selector | None = None) -> list[Manifest]:
        """The objects of a resource (of one namespace if given), sorted by namespace and name."""
        found = self.store.manifests(resource, namespace)
        return found if labels is None else [item for item in found if labels.matches(meta.labels(item))]

    def create(self, resource: str, manifest: Manifest, *, namespace: str = "", dry_run: bool = False) -> Manifest:
        """Stores a new object and gives it back with everything that the server filled in."""
        kind = RESOURCES[resource]
        new = copy.deepcopy(manifest)
        data = new.setdefault("metadata", {})
        if kind.namespaced:
            data["namespace"] = data.get("namespace") or namespace or "default"
        if not data.get("name") and data.get("generateName"):
            data["name"] = data["generateName"][:58] + "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(5))
        key = ObjectKey(resource, data.get("namespace", ""), data.get("name", ""))
        if self.store.get(key) is not None:
            raise already_exists(resource, key.name, kind.group)
        data |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.now(), "generation": 1}
        new |= {"apiVersion": kind.api_version, "kind": kind.kind}
        self._admit(kind, new, None)
        return new if dry_run else self.store.put(key, new)

    def update(self, resource: str, manifest: Manifest, *, subresource: str = "", dry_run: bool = False) -> Manifest:
        """Replaces an object; a resourceVersion in `manifest` must be the present one (409 otherwise)."""
        kind = RESOURCES[resource]
        old = self.get(resource, meta.name(manifest), meta.namespace(manifest))
        given = meta.metadata(manifest).get("resourceVersion")
        if given and given != old["metadata"]["resourceVersion"]:
            raise conflict(resource, meta.name(manifest), kind.group)
        if subresource == "status":
            new = copy.deepcopy(old) | {"status": copy.deepcopy(manifest.get("status") or {})}
        else:
            new = copy.deepcopy(manifest)
            if "status" in kind.subresources and "status" in old:
                new["status"] = copy.deepcopy(old["status"])
            kept = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
            new["metadata"] |= {k: old["metadata"][k] for k in kept if k in old["metadata"]}
            self._admit(kind, new, old)
            if new.get("spec") != old.get("spec"):
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        key = ObjectKey(resource, meta.namespace(new), meta.name(new))
        if dry_run or new == old:
            return new
        if meta.is_deleting(new) and not meta.metadata(new).get("finalizers") and \
                not new["metadata"].get("deletionGracePeriodSeconds"):
            return self.store.delete(key) or new
        return self.store.put(key, new)

    def delete(self, resource: str, name: str, *, namespace: str = "", grace_period: int | None = None,
               propagation: str = "Background", dry_run: bool = False) -> Manifest:
        """Deletes an object, or marks it as being deleted while finalizers or a grace period hold it."""
        old = self.get(resource, name, namespace)
        key = ObjectKey(resource, namespace, name)
        if dry_run:
            return old
        grace = 0
        if resource == "pods" and meta.spec(old).get("nodeName"):
            default = meta.spec(old).get("terminationGracePeriodSeconds", 30)
            grace = default if grace_period is None else grace_period
        if not grace and not meta.metadata(old).get("finalizers"):
            return self.store.delete(key) or old
        if meta.is_deleting(old) and grace:
            return old
        new = copy.deepcopy(old)
        new["metadata"] |= {"deletionTimestamp": self.now(), "deletionGracePeriodSeconds": grace}
        return self.store.put(key, new)

    def bind(self, namespace: str, pod: str, node: str) -> Manifest:
        """Assigns a pod to a node: spec.nodeName and the PodScheduled condition in one write.

        The only way to set spec.nodeName of a pod that exists. 409 when it is assigned or being deleted.
        """
        old = self.get("pods", pod, namespace)
        if meta.is_deleting(old):
            raise conflict("pods/binding", pod, detail=f"pod {pod} is being deleted, cannot be assigned to a host")
        if taken := meta.spec(old).get("nodeName"):
            raise conflict("pods/binding", pod, detail=f'pod {pod} is already assigned to node "{taken}"')
        new = copy.deepcopy(old)
        new["spec"]["nodeName"] = node
        status = new.setdefault("status", {})
        kept = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": self.now()}
        status["conditions"] = [*kept, scheduled]
        return self.store.put(ObjectKey("pods", namespace, pod), new)

    def _admit(self, kind: Resource, new: Manifest, old: Manifest | None) -> None:
        kind.default(new)
        kind.prepare(self, new, old)
        errors = kind.validate(new, old)
        if errors:
            raise invalid_object(kind.kind, meta.name(new), errors, kind.group)
