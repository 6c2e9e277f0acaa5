"""A resource's objects under keys of one's own choice, brought up to date from the store's changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from netlab.model.meta import Manifest, ObjectKey
from netlab.store import Change, Expired, Store


class Index:
    """Looking up costs what is found, bringing up to date costs what changed, never the size of the lab.

    `keys` gives the keys of an object. Every read is of the store's present state.
    """

    def __init__(self, store: Store, resource: str, keys: Callable[[Manifest], Iterable[Hashable]]) -> None:
        self._store = store
        self._resource = resource
        self._keys = keys
        self._revision = -1
        self._keys_of: dict[ObjectKey, tuple[Hashable, ...]] = {}
        self._found: dict[Hashable, dict[ObjectKey, Manifest]] = {}
        self._touched: set[Hashable] = set()

    def of(self, key: Hashable) -> list[Manifest]:
        """The objects under a key, sorted by namespace and name."""
        self._refresh()
        found = self._found.get(key)
        return [found[name] for name in sorted(found)] if found else []

    def count(self, key: Hashable) -> int:
        """How many objects are under a key."""
        self._refresh()
        return len(self._found.get(key, ()))

    def take_touched(self) -> set[Hashable]:
        """The keys under which something was added, changed or removed since the last call (at first: all)."""
        self._refresh()
        touched, self._touched = self._touched, set()
        return touched

    def _refresh(self) -> None:
        latest = self._store.revision_of(self._resource)
        if latest <= self._revision:
            return
        try:
            self._follow(self._store.changes(self._resource, self._revision))
        except Expired:
            self._rebuild()
        self._revision = latest

    def _follow(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._remove(change.entry.key)
            if change.type != "DELETED":
                self._add(change.entry.key, change.entry.manifest)

    def _rebuild(self) -> None:
        for key in tuple(self._keys_of):
            self._remove(key)
        for entry in self._store.entries(self._resource):
            self._add(entry.key, entry.manifest)

    def _remove(self, name: ObjectKey) -> None:
        for key in self._keys_of.pop(name, ()):
            bucket = self._found[key]
            del bucket[name]
            if not bucket:
                del self._found[key]
            self._touched.add(key)

    def _add(self, name: ObjectKey, manifest: Manifest) -> None:
        keys = self._keys_of[name] = tuple(dict.fromkeys(self._keys(manifest)))
        for key in keys:
            self._found.setdefault(key, {})[name] = manifest
        self._touched.update(keys)
