"""The object store: manifests by key, one revision counter, changes in order.

Reads come from memory. A write is in the log before it is visible or returned, so an acknowledged write
survives `kill -9`. Everything here belongs to one thread, the event loop's.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from netlab.model.meta import Manifest, ObjectKey
from netlab.store.log import Log

HISTORY = 20_000  # changes kept per resource for watchers that resume, unless their JSON is longer than
HISTORY_BYTES = 16 * 1024 * 1024  # but always
SHORTEST_HISTORY = 100


class Expired(Exception):
    """The history does not reach back to that revision: list again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object at a revision. `data` is its JSON, made once at the write."""

    key: ObjectKey
    manifest: Manifest
    data: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """What one write did. A DELETED entry carries the last state under the revision of the deletion."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    entry: Entry
    previous: Entry | None


class Store:
    """Objects by key. `path` is the SQLite file; without one nothing outlives the process."""

    def __init__(self, path: Path | None = None, *, history: int = HISTORY) -> None:
        self._log = Log(path) if path else None
        self._history_limit = history
        self._objects: dict[str, dict[ObjectKey, Entry]] = defaultdict(dict)
        self._sorted: dict[str, list[Entry]] = {}
        self._changes: dict[str, list[Change]] = defaultdict(list)
        self._changes_size: dict[str, int] = defaultdict(int)
        self._oldest: dict[str, int] = {}
        self._revisions: dict[str, int] = {}
        self._subscribers: dict[str, dict[Callable[[], None], None]] = defaultdict(dict)
        self.revision = 0
        self._loaded = 0
        self.warning = self._log.warning if self._log else ""
        if self._log:
            for key, revision, data in self._log.objects():
                self._objects[key.resource][key] = Entry(key, json.loads(data), data, revision)
                self._revisions[key.resource] = max(revision, self._revisions.get(key.resource, 0))
            self.revision = self._loaded = self._log.revision

    # Reading

    def get(self, key: ObjectKey) -> Manifest | None:
        """The object, or None. Never change it."""
        entry = self.entry(key)
        return entry.manifest if entry else None

    def entry(self, key: ObjectKey) -> Entry | None:
        """The object with its JSON and revision, or None."""
        return self._objects[key.resource].get(key)

    def entries(self, resource: str, namespace: str | None = None) -> list[Entry]:
        """All objects of a resource, sorted by namespace and name; of one namespace if given."""
        found = self._sorted.get(resource)
        if found is None:
            found = self._sorted[resource] = sorted(self._objects[resource].values(), key=lambda entry: entry.key)
        return found if namespace is None else [entry for entry in found if entry.key.namespace == namespace]

    def manifests(self, resource: str, namespace: str | None = None) -> list[Manifest]:
        """The manifests of `entries()`. Never change them."""
        return [entry.manifest for entry in self.entries(resource, namespace)]

    def revision_of(self, *resources: str) -> int:
        """The revision of the latest write (or deletion) among these resources."""
        return max((self._revisions.get(resource, 0) for resource in resources), default=0)

    # Writing

    def put(self, key: ObjectKey, manifest: Manifest) -> Manifest:
        """Stores `manifest` (which then belongs to the store) under the next revision; gives what is stored."""
        previous = self.entry(key)
        revision = self.revision + 1
        manifest = manifest | {"metadata": {**manifest["metadata"], "resourceVersion": str(revision)}}
        data = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode()
        if self._log:
            self._log.put(key, revision, data)
        entry = Entry(key, manifest, data, revision)
        self._objects[key.resource][key] = entry
        self._record(Change("MODIFIED" if previous else "ADDED", entry, previous))
        return manifest

    def delete(self, key: ObjectKey) -> Manifest | None:
        """Removes the object; gives its last state under the deletion's revision, or None if it was absent."""
        previous = self.entry(key)
        if previous is None:
            return None
        revision = self.revision + 1
        if self._log:
            self._log.delete(key, revision)
        del self._objects[key.resource][key]
        last: dict[str, Any] = previous.manifest
        last = last | {"metadata": {**last["metadata"], "resourceVersion": str(revision)}}
        data = json.dumps(last, separators=(",", ":"), ensure_ascii=False).encode()
        self._record(Change("DELETED", Entry(key, last, data, revision), previous))
        return last

    def _record(self, change: Change) -> None:
        resource, revision = change.entry.key.resource, change.entry.revision
        self.revision = self._revisions[resource] = revision
        self._sort_in(change)
        changes = self._changes[resource]
        changes.append(change)
        self._changes_size[resource] += len(change.entry.data)
        if len(changes) > 2 * self._history_limit or (
                self._changes_size[resource] > 2 * HISTORY_BYTES and len(changes) > 2 * SHORTEST_HISTORY):
            self._forget(resource, len(changes) // 2)
        for notify in tuple(self._subscribers[resource]):
            notify()

    def _sort_in(self, change: Change) -> None:
        """Keeps the sorted entries sorted, in a new list: somebody may go through the old one."""
        resource = change.entry.key.resource
        old = self._sorted.get(resource)
        if old is None:
            return
        at = bisect_left(old, change.entry.key, key=lambda entry: entry.key)
        after = at + (change.previous is not None)
        self._sorted[resource] = [*old[:at], *([] if change.type == "DELETED" else [change.entry]), *old[after:]]

    def _forget(self, resource: str, count: int) -> None:
        changes = self._changes[resource]
        self._oldest[resource] = changes[count - 1].entry.revision
        self._changes_size[resource] -= sum(len(change.entry.data) for change in changes[:count])
        del changes[:count]

    def is_sound(self) -> bool:
        """Whether the log can be read, and has all that memory has."""
        try:
            return self._log is None or self._log.revision == self.revision
        except Exception:
            return False

    # Waiting

    def changes(self, resource: str, since: int) -> list[Change]:
        """The changes after revision `since`, in order. Raises Expired when the history is shorter than that."""
        if since < max(self._oldest.get(resource, 0), self._loaded):
            raise Expired(f"too old resource version: {since} ({self._oldest.get(resource, self._loaded)})")
        changes = self._changes[resource]
        if not changes or changes[-1].entry.revision <= since:
            return []
        if len(changes) < 2 or changes[-2].entry.revision <= since:  # as watchers ask that keep up
            return changes[-1:]
        return changes[bisect_right(changes, since, key=lambda change: change.entry.revision):]

    def subscribe(self, resources: Iterable[str], notify: Callable[[], None]) -> Callable[[], None]:
        """Calls `notify` after every write to these resources; the result ends that. `notify` must only set a flag.

        Who subscribed first is told first.
        """
        chosen = tuple(resources)
        for resource in chosen:
            self._subscribers[resource][notify] = None

        def end() -> None:
            for resource in chosen:
                self._subscribers[resource].pop(notify, None)

        return end

    def subscribers(self, resource: str) -> int:
        """How many are told of writes to the resource."""
        return len(self._subscribers[resource])

    def close(self) -> None:
        """Closes the log."""
        if self._log:
            self._log.close()
