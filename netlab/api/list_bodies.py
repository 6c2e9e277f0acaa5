"""The JSON of lists, joined from the objects' bytes, and kept as long as nothing of the resource was written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from netlab.api.resource import Resource
from netlab.api.response import dump
from netlab.store import Entry, Store

KEPT = 16  # lists
LIMIT = 32 * 1024 * 1024  # bytes of all that are kept


class ListBodies:
    """Bodies of whole lists. One that is kept has the revision of its making: nothing in it has changed since."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str | None], tuple[int, bytes]] = OrderedDict()
        self._size = 0

    def body(self, store: Store, kind: Resource, namespace: str | None) -> bytes:
        """All objects of a kind, of one namespace if given, as they are."""
        key, latest = (kind.key, namespace), store.revision_of(kind.key)
        found = self._kept.get(key)
        if found and found[0] >= latest:
            self._kept.move_to_end(key)
            return found[1]
        if found:
            self._drop(key)
        made = list_body(kind, store.entries(kind.key, namespace), {"resourceVersion": str(store.revision)})
        self._kept[key] = store.revision, made
        self._size += len(made)
        while len(self._kept) > KEPT or self._size > LIMIT:
            self._drop(next(iter(self._kept)))
        return made

    def _drop(self, key: tuple[str, str | None]) -> None:
        self._size -= len(self._kept.pop(key)[1])


def list_body(kind: Resource, entries: Iterable[Entry], metadata: Mapping[str, object]) -> bytes:
    """The list of these objects."""
    head = {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": metadata}
    # One join, since every copy of a long list costs as much as it.
    parts = [dump(head)[:-1], b',"items":[']
    for entry in entries:
        parts += (entry.data, b",")
    if len(parts) > 2:
        parts.pop()
    return b"".join([*parts, b"]}"])
