"""Namespaces that are being deleted: their contents go first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from netlab.api.registry import Registry
from netlab.api.resource import Resource
from netlab.api.resources.definitions import PLURAL as DEFINITIONS
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

FINALIZER = "kubernetes"
FINE = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    ("NamespaceDeletionContentFailure", "ContentDeleted",
     "All content successfully deleted, may be waiting on finalization"),
)


class Namespaces(PerObject):
    """Deletes everything in a namespace that is being deleted, then lets go of the namespace itself."""

    name = "namespaces"

    def __init__(self, registry: Registry) -> None:
        self._follow_kinds(registry)
        super().__init__(registry)

    def _follow_kinds(self, registry: Registry) -> None:
        self._contents = tuple(sorted(kind.key for kind in registry.kinds() if kind.namespaced))
        self.resources = ("namespaces", DEFINITIONS, *self._contents)

    def changed(self) -> Iterable[Name]:
        """The namespaces that are being deleted: there are few, and they are done when they are gone."""
        self._follow_kinds(self.registry)
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
        left = {resource: self.registry.list(resource, name) for resource in self._contents}
        if any(left.values()):
            self._report(name, left)
        else:
            self._release(item)

    def _report(self, name: str, left: dict[str, list[Manifest]]) -> None:
        """Says in the namespace's status what is left in it, for those who wonder why it stays."""
        item = self.registry.get("namespaces", name)
        old = meta.status(item).get("conditions") or []
        told = conditions({self.registry.resource(key): items for key, items in left.items()})
        if [(c["type"], c["message"]) for c in old] == [(c["type"], c["message"]) for c in told]:
            return
        before = {c["type"]: c for c in old}
        for condition in told:
            same = before.get(condition["type"], {}).get("status") == condition["status"]
            condition["lastTransitionTime"] = before[condition["type"]]["lastTransitionTime"] if same \
                else self.registry.now()
        status = {**meta.status(item), "conditions": told}
        self.registry.update("namespaces", item | {"status": status}, subresource="status")

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


def conditions(left: Mapping[Resource, Sequence[Manifest]]) -> list[dict[str, str]]:
    """What a namespace that is being deleted reports of its contents, by resource; without times."""
    found = [{"type": fine, "status": "False", "reason": reason, "message": text} for fine, reason, text in FINE]
    counts = sorted((kind.plural, kind.group, len(items)) for kind, items in left.items() if items)
    everything = [item for items in left.values() for item in items]
    held = Counter(name for item in everything for name in meta.metadata(item).get("finalizers") or ())
    found.append(_condition(
        "NamespaceContentRemaining", "SomeResourcesRemain", "Some resources are remaining: ",
        [f"{resource}.{group} has {count} resource instances" for resource, group, count in counts],
        "ContentRemoved", "All content successfully removed"))
    found.append(_condition(
        "NamespaceFinalizersRemaining", "SomeFinalizersRemain",
        "Some content in the namespace has finalizers remaining: ",
        [f"{name} in {count} resource instances" for name, count in sorted(held.items())],
        "ContentHasNoFinalizers", "All content-preserving finalizers finished"))
    return found


def _condition(name: str, reason: str, text: str, items: Sequence[str], none: str, nothing: str) -> dict[str, str]:
    if not items:
        return {"type": name, "status": "False", "reason": none, "message": nothing}
    return {"type": name, "status": "True", "reason": reason, "message": text + ", ".join(items)}
