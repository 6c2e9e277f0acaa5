"""A controller's objects: those that it owns, those that it may adopt, those that it must let go."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from netlab.api.registry import Registry
from netlab.controllers.index import Index
from netlab.model import meta, selectors
from netlab.model.meta import Manifest


class Owned:
    """The objects of a resource by their owner's uid; those without an owner by namespace."""

    def __init__(self, registry: Registry, resource: str) -> None:
        self._registry = registry
        self._resource = resource
        self._index = Index(registry.store, resource, _keys)

    def of(self, owner: Manifest) -> list[Manifest]:
        """The objects that name `owner` as their controller."""
        return self._index.of(meta.uid(owner))

    def take_touched(self) -> tuple[set[str], set[str]]:
        """(uids of the owners, namespaces of objects without owner) of what changed since the last call."""
        touched = self._index.take_touched()
        return {key for key in touched if isinstance(key, str)}, {key[0] for key in touched if isinstance(key, tuple)}

    def claim(self, owner: Manifest, *, fits: Callable[[Manifest], bool] = lambda item: True) -> list[Manifest]:
        """The objects that are now `owner`'s: adopts those that match its selector and have no controller.

        Only those are adopted that `fits` says belong to it beyond the selector. One that does not match any more
        loses its owner reference, as upstream's ControllerRefManager does. Nothing is adopted or released while the
        owner is being deleted.
        """
        selector = selectors.from_manifest(selectors.of_owner(owner))
        kept = []
        for item in self.of(owner):
            if selector.matches(meta.labels(item)):
                kept.append(item)
            elif not meta.is_deleting(owner):
                rest = [ref for ref in item["metadata"]["ownerReferences"] if ref.get("uid") != meta.uid(owner)]
                self._write_owners(item, rest)
        if meta.is_deleting(owner):
            return kept
        for item in self._index.of((meta.namespace(owner),)):
            if selector.matches(meta.labels(item)) and fits(item) and not meta.is_deleting(item):
                others = meta.metadata(item).get("ownerReferences") or []
                kept.append(self._write_owners(item, [*others, meta.owner_reference(owner)]))
        return kept

    def _write_owners(self, item: Manifest, references: list[dict[str, object]]) -> Manifest:
        return self._registry.update(self._resource, item | {"metadata": item["metadata"] | {
            "ownerReferences": references}})


def _keys(item: Manifest) -> Iterator[Hashable]:
    owner = meta.controller_of(item)
    if owner is not None:
        yield str(owner.get("uid"))
    else:
        yield (meta.namespace(item),)
