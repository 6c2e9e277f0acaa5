"""Namespaces that are being deleted: their contents go first."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.api.resources import RESOURCES
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

FINALIZER = "kubernetes"


class Namespaces(PerObject):
    """Deletes everything in a namespace that is being deleted, then lets go of the namespace itself."""

    name = "namespaces"

    def __init__(self, registry: Registry) -> None:
        self._contents = tuple(sorted(kind.plural for kind in RESOURCES.values() if kind.namespaced))
        self.resources = ("namespaces", *self._contents)
        super().__init__(registry)

    def changed(self) -> Iterable[Name]:
        """The namespaces that are being deleted: there are few, and they are done when they are gone."""
        return {("", meta.name(item)) for item in self.registry.list("namespaces") if meta.is_deleting(item)}

    def sync(self, namespace: str, name: str) -> None:
        """Empties one namespace, and removes it once nothing is left in it."""
        item = self.registry.find("namespaces", name)
        if item is None or not meta.is_deleting(item):
            return
        for resource in self._contents:
            for content in self.registry.list(resource, name):
                if not meta.is_deleting(content):
                    self._delete(resource, content)
        if not any(self.registry.list(resource, name) for resource in self._contents):
            self._release(item)

    def _delete(self, resource: str, content: Manifest) -> None:
        try:
            self.registry.delete(resource, meta.name(content), namespace=meta.namespace(content))
        except ApiError as error:
            if error.code != 404:
                raise

    def _release(self, item: Manifest) -> None:
        """Drops the finalizer of this controller; with that the API removes it, unless others hold it still."""
        data = item["metadata"] | {"finalizers": [
            name for name in meta.metadata(item).get("finalizers") or () if name != FINALIZER]}
        spec = meta.spec(item) | {"finalizers": [
            name for name in meta.spec(item).get("finalizers") or () if name != FINALIZER]}
        self.registry.update("namespaces", item | {"metadata": data, "spec": spec}, subresource="finalize")
