"""CustomResourceDefinitions that are being deleted: the objects of their kinds go first."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.api.resources.definitions import FINALIZER, PLURAL, with_condition
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

_BEGUN = ("Terminating", "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
_WAITING = ("Terminating", "True", "InstanceDeletionCheck",
            "could not confirm zero CustomResources remaining: timed out waiting for the condition")


class Definitions(PerObject):
    """Deletes every object of a kind whose definition is being deleted, then lets go of the definition."""

    name = "customresourcedefinitions"

    def __init__(self, registry: Registry) -> None:
        self.resources = (PLURAL,)
        super().__init__(registry)

    def changed(self) -> Iterable[Name]:
        """The definitions that are being deleted; the objects of their kinds are followed meanwhile."""
        leaving = [meta.name(item) for item in self.registry.list(PLURAL) if meta.is_deleting(item)]
        self.resources = (PLURAL, *leaving)
        return {("", name) for name in leaving}

    def sync(self, namespace: str, name: str) -> None:
        """Empties one kind, and removes its definition once nothing is left."""
        item = self.registry.find(PLURAL, name)
        if item is None or not meta.is_deleting(item) or FINALIZER not in (meta.metadata(item).get("finalizers") or ()):
            return
        objects = self.registry.list(name)
        for found in objects:
            if not meta.is_deleting(found):
                self._delete(name, found)
        if left := self.registry.list(name):
            held = all(meta.is_deleting(found) for found in left)
            self._tell(item, _WAITING if held else _BEGUN)
            return
        data = {**item["metadata"], "finalizers": [f for f in item["metadata"]["finalizers"] if f != FINALIZER]}
        self.registry.update(PLURAL, item | {"metadata": data})

    def _delete(self, key: str, found: Manifest) -> None:
        try:
            self.registry.delete(key, meta.name(found), namespace=meta.namespace(found))
        except ApiError as error:
            if error.code != 404:
                raise

    def _tell(self, item: Manifest, condition: tuple[str, str, str, str]) -> None:
        conditions = with_condition(item, condition, self.registry.now())
        if conditions != meta.status(item).get("conditions"):
            status = {**meta.status(item), "conditions": conditions}
            self.registry.update(PLURAL, item | {"status": status}, subresource="status")
