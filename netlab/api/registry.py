"""The API's verbs on objects: defaults, allocation, validation, conflicts, finalizers, then the store.

HTTP handlers and controllers use the same methods. All are synchronous, so each is atomic on the event loop.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from netlab.api import (
    deletion,
    limit_ranges,
    managed_fields,
    object_meta,
    patch_errors,
    quotas,
    scale,
    subresources,
)
from netlab.api.custom_kinds import is_accepted
from netlab.api.decode import copy, decode
from netlab.api.field_set import Track
from netlab.api.object_rules import metadata_errors
from netlab.api.patch import MERGE, apply_patch
from netlab.api.resource import Resource
from netlab.api.resources.definitions import PLURAL as DEFINITIONS
from netlab.api.resources.namespaces import PROTECTED, SYSTEM
from netlab.api.served import BUILT_IN, Served
from netlab.api.tokens import Issuer
from netlab.model import meta
from netlab.model.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    forbidden_request,
    invalid_object,
    not_found,
)
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import Manifest, ObjectKey
from netlab.model.selectors import FieldSelector, Selector
from netlab.store import Store


class Registry:
    """The lab's objects behind the API's rules. `clock` gives the present moment in UTC.

    The namespaces that every cluster has exist from the start. With an `issuer`, ServiceAccounts have tokens, and pods
    get one.
    """

    def __init__(self, store: Store, spec: LabSpec, clock: Callable[[], datetime] = lambda: datetime.now(UTC), *,
                 issuer: Issuer | None = None) -> None:
        self.store = store
        self.spec = spec
        self.clock = clock
        self.issuer = issuer
        self._served, self._served_since = BUILT_IN, 0
        for name in SYSTEM:
            if self.find("namespaces", name) is None:
                self.create("namespaces", {"metadata": {"name": name}})

    def now(self) -> str:
        """The present moment as metadata carries it."""
        return meta.timestamp(self.clock())

    @property
    def served(self) -> Served:
        """What is served, with the kinds of all definitions that are stored and accepted."""
        latest = self.store.revision_of(DEFINITIONS)
        if latest != self._served_since:
            found = [definition for definition in self.store.manifests(DEFINITIONS) if is_accepted(definition)]
            self._served, self._served_since = Served(found) if found else BUILT_IN, latest
        return self._served

    def resource(self, key: str) -> Resource:
        """The kind by its key (see `Resource.key`); ApiError 404 when there is none."""
        found = self.served.resources.get(key)
        if found is None:
            raise not_found("resources", key)
        return found

    def kinds(self) -> tuple[Resource, ...]:
        """Every kind that is served, as it is stored."""
        return tuple(self.served.resources.values())

    # Reading

    def find(self, resource: str, name: str, namespace: str = "") -> Manifest | None:
        """The object, or None."""
        return self.store.get(ObjectKey(resource, namespace, name))

    def get(self, resource: str, name: str, namespace: str = "") -> Manifest:
        """The object; ApiError 404 when there is none."""
        found = self.find(resource, name, namespace)
        if found is None:
            kind = self.resource(resource)
            raise not_found(kind.plural, name, kind.group)
        return found

    def list(self, resource: str, namespace: str | None = None, *, labels: Selector | None = None) -> list[Manifest]:
        """The objects of a resource (of one namespace if given), sorted by namespace and name."""
        found = self.store.manifests(resource, namespace)
        return found if labels is None else [item for item in found if labels.matches(meta.labels(item))]

    # Writing

    def create(self, resource: str, manifest: Manifest, *, namespace: str = "", dry_run: bool = False,
               track: Track | None = None) -> Manifest:
        """Stores a new object and gives it back with everything that the server filled in.

        With `track`, here and below, metadata.managedFields tells what the writer did; without, they stay as they are.
        """
        kind = self.resource(resource)
        new = decode(manifest, kind.kind, kind.api_version, shape=kind.shape)
        data = new.setdefault("metadata", {})
        object_meta.strip(data)
        if kind.namespaced:
            data["namespace"] = data.get("namespace") or namespace or "default"
            self._require_namespace(kind, data)
        else:
            data.pop("namespace", None)
        if "status" in kind.subresources and not kind.status_on_create:
            new.pop("status", None)
        object_meta.begin(kind, data, now=self.now(), taken=lambda name: self.find(
            resource, name, data.get("namespace", "")) is not None)
        key = ObjectKey(resource, data.get("namespace", ""), data.get("name", ""))
        if self.store.get(key) is not None:
            raise already_exists(kind.plural, key.name, kind.group)
        new = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": data} | new
        new |= {"apiVersion": kind.api_version, "kind": kind.kind}
        self._admit(kind, new, None, dry_run=dry_run, track=track)
        return new if dry_run else self._put(kind, new, None)

    def update(self, resource: str, manifest: Manifest, *, subresource: str = "", dry_run: bool = False,
               track: Track | None = None) -> Manifest:
        """Replaces an object; a resourceVersion in `manifest` must be the present one (409 otherwise).

        `subresource` is status (nothing else is written), finalize (a namespace's spec.finalizers), or scale
        (`manifest` and result are Scale objects). An update that changes nothing keeps the resourceVersion.
        """
        kind = self.resource(resource)
        if subresource == "scale":
            return scale.update(self, resource, manifest, dry_run=dry_run, track=track)
        new = decode(manifest, kind.kind, kind.api_version, shape=kind.shape)
        old = self.get(resource, meta.name(new), meta.namespace(new))
        object_meta.check_identity(kind, new, old)
        given = meta.metadata(new).get("managedFields")
        if subresource:
            new = subresources.merged(kind, new, old, subresource, now=self.now())
            if subresource == "ephemeralcontainers":
                self._admit(kind, new, old, dry_run=True)
            _track(new, old, track)
        else:
            if "status" in kind.subresources:
                new.pop("status", None)
                if "status" in old:
                    new["status"] = copy(old["status"])
            new |= {"apiVersion": kind.api_version, "kind": kind.kind}
            object_meta.carry_over(new["metadata"], old)
            self._admit(kind, new, old, dry_run=dry_run, track=track, given=given)
        if kind.generations and _content(new) != _content(old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if new == old or managed_fields.untimed(new) == managed_fields.untimed(old):
            return old
        if dry_run:
            return new
        return self._remove(kind, new) if deletion.ready_to_go(new) else self._put(kind, new, old)

    def patch(self, resource: str, name: str, patch: Any, *, namespace: str = "", subresource: str = "",
              patch_type: str = MERGE, dry_run: bool = False, strict: bool = False,
              track: Track | None = None, told: builtins.list[str] | None = None) -> Manifest:
        """Changes an object by a merge, strategic merge or JSON patch (`patch_type` is its media type).

        Unknown fields that the object did not have, and duplicate ones, are refused if `strict`, else added to `told`.
        """
        kind = self.resource(resource)
        old = self.get(resource, name, namespace)
        shown = scale.from_manifest(kind, old) if subresource == "scale" else old
        new = apply_patch(shown, patch, patch_type, "Scale" if subresource == "scale" else kind.kind)
        data = new.setdefault("metadata", {})
        if not isinstance(data, dict) or data.get("name") != name:
            said = data.get("name") if isinstance(data, dict) else ""
            raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")
        if (data.get("namespace") or "") != namespace:
            raise bad_request(f"the namespace of the object ({data.get('namespace')}) does not match the namespace on "
                              f"the request ({namespace})")
        if subresource != "scale":
            found = patch_errors.check(kind, old, new, patch=patch, patch_type=patch_type, strict=strict)
            if told is not None:
                told += found
        return self.update(resource, new, subresource=subresource, dry_run=dry_run, track=track)

    def apply(self, resource: str, manifest: Manifest, *, manager: str, namespace: str = "", subresource: str = "",
              dry_run: bool = False, force: bool = False) -> tuple[Manifest, bool]:
        """Server-side apply: merges `manifest` into the object, or creates it (then the second value is True).

        What `manager` applied before and leaves out is removed when nobody else owns it; 409 when others own a field
        with another value, unless `force`.
        """
        kind = self.resource(resource)
        wanted = decode(manifest, kind.kind, kind.api_version, shape=kind.shape)
        if subresource == "status":
            kept = ("apiVersion", "kind", "metadata", "status")
            wanted = {key: value for key, value in wanted.items() if key in kept}
        elif "status" in kind.subresources:
            wanted.pop("status", None)
        old = self.find(resource, meta.name(wanted), meta.namespace(wanted) or namespace)
        if old is None and subresource:
            raise not_found(kind.plural, meta.name(wanted), kind.group)
        new, entries = managed_fields.applying(kind, old, wanted, manager, now=self.now(), subresource=subresource,
                                               force=force)
        if old is None:
            return self.create(resource, new, namespace=namespace, dry_run=dry_run, track=lambda *_: entries), True
        return self.update(resource, new, subresource=subresource, dry_run=dry_run, track=lambda *_: entries), False

    def bind(self, namespace: str, pod: str, node: str) -> Manifest:
        """Assigns a pod to a node: spec.nodeName and the PodScheduled condition in one write.

        409 when it is assigned or being deleted.
        """
        old = self.get("pods", pod, namespace)
        if meta.is_deleting(old):
            raise conflict("pods/binding", pod, detail=f"pod {pod} is being deleted, cannot be assigned to a host")
        if taken := meta.spec(old).get("nodeName"):
            raise conflict("pods/binding", pod, detail=f'pod {pod} is already assigned to node "{taken}"')
        new = copy(old)
        new["spec"]["nodeName"] = node
        status = new.setdefault("status", {})
        kept = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
        status["conditions"] = [*kept, {"type": "PodScheduled", "status": "True", "lastTransitionTime": self.now()}]
        return self.store.put(ObjectKey("pods", namespace, pod), new)

    # Deleting

    def delete(self, resource: str, name: str, *, namespace: str = "", grace_period: int | None = None,
               propagation: str = "", dry_run: bool = False, uid: str = "", resource_version: str = "") -> Manifest:
        """Deletes an object, or marks it as being deleted while finalizers or a grace period hold it.

        `propagation` is Background, Orphan or Foreground; the last two hold the object until the garbage collector
        has seen to its dependents. A pod on a node waits for its kubelet, which deletes it with `grace_period` 0.
        """
        kind = self.resource(resource)
        old = self.get(resource, name, namespace)
        deletion.check(kind, old, uid=uid, resource_version=resource_version)
        if resource == "namespaces" and name in PROTECTED:
            raise forbidden_request(resource, name, "this namespace may not be deleted")
        if dry_run:
            return old
        new = deletion.marked(kind, old, propagation=propagation, grace_period=grace_period, now=self.clock())
        if new is old:
            return old
        return self._remove(kind, old) if deletion.ready_to_go(new) else self.store.put(_key(kind, new), new)

    def delete_collection(self, resource: str, namespace: str | None = None, *, labels: Selector | None = None,
                          fields: FieldSelector | None = None, grace_period: int | None = None, propagation: str = "",
                          dry_run: bool = False) -> builtins.list[Manifest]:
        """Deletes every object that the selectors choose; gives what was deleted."""
        found = [item for item in self.list(resource, namespace, labels=labels) if not fields or fields.matches(item)]
        if resource == "namespaces":
            found = [item for item in found if meta.name(item) not in PROTECTED]
        return [self.delete(resource, meta.name(item), namespace=meta.namespace(item), grace_period=grace_period,
                            propagation=propagation, dry_run=dry_run) for item in found]

    # Inside

    def _admit(self, kind: Resource, new: Manifest, old: Manifest | None, *, dry_run: bool,
               track: Track | None = None, given: Any = None) -> None:
        kind.default(new)
        _track(new, old, track, given)  # what the server adds from here on is nobody's
        limit_ranges.fill(self, kind, new, old)
        kind.prepare(self, new, old)
        kind.allocate(self, new, old, dry_run=dry_run)
        errors = metadata_errors(kind, new, old) + kind.validate(new, old) + kind.validate_here(self.spec, new)
        if errors:
            raise invalid_object(kind.kind, meta.name(new), errors, kind.group)
        limit_ranges.check(self, kind, new, old)
        quotas.check(self, kind, new, old)

    def _require_namespace(self, kind: Resource, data: dict[str, Any]) -> None:
        name = data["namespace"]
        space = self.find("namespaces", name)
        if space is None:
            raise not_found("namespaces", name)
        if meta.is_deleting(space):
            text = f"namespace {name} is being terminated"
            raise forbidden_request(
                kind.plural, data.get("name", ""), "unable to create new content in namespace "
                f"{name} because it is being terminated", kind.group,
                causes=[{"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}])

    def _put(self, kind: Resource, new: Manifest, old: Manifest | None) -> Manifest:
        stored = self.store.put(_key(kind, new), new)
        kind.after_write(self, stored, old)
        return stored

    def _remove(self, kind: Resource, last: Manifest) -> Manifest:
        removed = self.store.delete(_key(kind, last)) or last
        kind.after_delete(self, removed)
        return removed


def _key(kind: Resource, manifest: Manifest) -> ObjectKey:
    return ObjectKey(kind.key, meta.namespace(manifest) if kind.namespaced else "", meta.name(manifest))


def _track(new: Manifest, old: Manifest | None, track: Track | None, given: Any = None) -> None:
    if track is not None:
        try:
            entries = track(new, old, given)
        except ApiError:
            return  # a list item without its key, which validation may allow: nobody is registered
        if entries:
            new["metadata"]["managedFields"] = entries
        else:
            new["metadata"].pop("managedFields", None)


def _content(manifest: Manifest) -> dict[str, Any]:
    return {key: value for key, value in manifest.items() if key not in ("metadata", "status")}
