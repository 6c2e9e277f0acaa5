"""The garbage collector: objects go when their owners are gone (API documentation, "Garbage Collection")."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from netlab.api.registry import Registry
from netlab.api.resources.definitions import PLURAL as DEFINITIONS
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class GarbageCollector(PerObject):
    """Owners are known by uid only: one of the same name that was made anew is another owner.

    The names that it works on are (resource and namespace, name), as it takes all resources.
    """

    name = "garbage-collector"

    def __init__(self, registry: Registry) -> None:
        self._indexes: dict[str, Index] = {}
        self._kinds_since = -1
        self._follow_kinds(registry)
        super().__init__(registry)

    def _follow_kinds(self, registry: Registry) -> None:
        """Takes in kinds that have come, and drops those that are gone."""
        latest = registry.store.revision_of(DEFINITIONS)
        if latest == self._kinds_since:
            return
        self._kinds_since = latest
        self.resources = tuple(sorted(kind.key for kind in registry.kinds() if kind.key != "events"))
        self._indexes = {resource: self._indexes.get(resource) or Index(registry.store, resource, _keys)
                         for resource in self.resources}

    def changed(self) -> Iterable[Name]:
        """Objects with owners, or with the collector's finalizers, that were written, or whose owners were."""
        self._follow_kinds(self.registry)
        names: set[Name] = set()
        for resource, index in self._indexes.items():
            for key in index.take_touched():
                if isinstance(key, tuple) and key[0] == "concerned":
                    names.add((f"{resource}/{key[1]}", key[2]))
                elif isinstance(key, tuple) and key[0] == "object":
                    names.update(self._dependent_names(key[1]))
                elif isinstance(key, tuple) and key[0] == "owner":
                    names.update(self._waiting_owner(key[1]))
        return names

    def sync(self, namespace: str, name: str) -> None:
        """Deletes one object if it has lost all of its owners, or goes on with its own deletion."""
        resource, _, namespace = namespace.partition("/")
        item = self.registry.find(resource, name, namespace)
        if item is None:
            return
        finalizers = meta.metadata(item).get("finalizers") or ()
        if meta.is_deleting(item) and ORPHAN in finalizers:
            self._orphan_dependents(resource, item)
        elif meta.is_deleting(item) and FOREGROUND in finalizers:
            self._delete_dependents(resource, item)
        elif not meta.is_deleting(item):
            self._collect(resource, item)

    def _collect(self, resource: str, item: Manifest) -> None:
        references = meta.metadata(item).get("ownerReferences") or []
        owners = [(reference, self._owner(item, reference)) for reference in references]
        solid = [reference for reference, owner in owners if owner is not None and not _in_foreground(owner)]
        gone = [reference for reference, owner in owners if owner is None]
        waiting = [reference for reference, owner in owners if owner is not None and _in_foreground(owner)]
        if solid:
            if gone or waiting:  # it stays, but not because of these
                self._update(resource, item, ownerReferences=solid)
        elif gone or waiting:
            foreground = bool(waiting) and any(True for _ in self._dependents(meta.uid(item)))
            self._delete(resource, item, "Foreground" if foreground else "Background")

    def _orphan_dependents(self, resource: str, item: Manifest) -> None:
        for kind, dependent in self._dependents(meta.uid(item)):
            rest = [r for r in dependent["metadata"]["ownerReferences"] if r.get("uid") != meta.uid(item)]
            self._update(kind, dependent, ownerReferences=rest)
        self._drop_finalizer(resource, item, ORPHAN)

    def _delete_dependents(self, resource: str, item: Manifest) -> None:
        blocking = False
        for kind, dependent in self._dependents(meta.uid(item)):
            if not meta.is_deleting(dependent):
                self._collect(kind, dependent)
            left = self.registry.find(kind, meta.name(dependent), meta.namespace(dependent))
            if left is not None and any(r.get("uid") == meta.uid(item) and r.get("blockOwnerDeletion")
                                        for r in meta.metadata(left).get("ownerReferences") or ()):
                blocking = True
        if not blocking:
            self._drop_finalizer(resource, item, FOREGROUND)

    # The graph

    def _owner(self, item: Manifest, reference: dict[str, Any]) -> Manifest | None:
        """The owner, or None when it is gone. An owner in another namespace does not count (it cannot be one)."""
        found = (owner for index in self._indexes.values() for owner in index.of(("object", reference.get("uid"))))
        owner = next(found, None)
        if owner is None or meta.namespace(owner) not in ("", meta.namespace(item)):
            return None
        return owner

    def _dependents(self, uid: str) -> Iterator[tuple[str, Manifest]]:
        for resource, index in self._indexes.items():
            for item in index.of(("owner", uid)):
                yield resource, item

    def _dependent_names(self, uid: Any) -> Iterator[Name]:
        for resource, item in self._dependents(uid):
            yield f"{resource}/{meta.namespace(item)}", meta.name(item)

    def _waiting_owner(self, uid: Any) -> Iterator[Name]:
        for resource, index in self._indexes.items():
            for owner in index.of(("object", uid)):
                if _in_foreground(owner):
                    yield f"{resource}/{meta.namespace(owner)}", meta.name(owner)

    # Writing

    def _update(self, resource: str, item: Manifest, **changed: Any) -> None:
        data = item["metadata"] | changed
        self.registry.update(resource, item | {"metadata": {key: value for key, value in data.items() if value != []}})

    def _drop_finalizer(self, resource: str, item: Manifest, finalizer: str) -> None:
        self._update(resource, item, finalizers=[f for f in item["metadata"]["finalizers"] if f != finalizer])

    def _delete(self, resource: str, item: Manifest, propagation: str) -> None:
        try:
            self.registry.delete(resource, meta.name(item), namespace=meta.namespace(item), propagation=propagation)
        except ApiError as error:
            if error.code != 404:
                raise


def _in_foreground(owner: Manifest) -> bool:
    return meta.is_deleting(owner) and FOREGROUND in (meta.metadata(owner).get("finalizers") or ())


def _keys(item: Manifest) -> Iterator[Hashable]:
    yield "object", meta.uid(item)
    owners = meta.metadata(item).get("ownerReferences") or ()
    for reference in owners:
        yield "owner", reference.get("uid")
    if owners or (meta.is_deleting(item) and meta.metadata(item).get("finalizers")):
        yield "concerned", meta.namespace(item), meta.name(item)
