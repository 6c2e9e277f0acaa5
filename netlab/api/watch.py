"""A watch: which changes of a collection somebody sees, and how they look. It waits for nothing; see `take`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netlab.api.resource import Resource
from netlab.api.table import TableView
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest
from netlab.model.selectors import FieldSelector, Selector
from netlab.store import Change, Entry, Expired, Store

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True)
class View:
    """Which objects of a resource are seen."""

    kind: Resource
    namespace: str | None = None
    labels: Selector = Selector()
    fields: FieldSelector = FieldSelector()
    name: str = ""  # only this object, as `metadata.name=` in the field selector says

    @property
    def is_whole(self) -> bool:
        """Whether it is all objects of the resource, or of a namespace."""
        return not (self.name or self.labels.requirements or self.fields.terms)

    def sees(self, entry: Entry) -> bool:
        """Whether the object is among them."""
        if (self.namespace is not None and entry.key.namespace != self.namespace) or \
                (self.name and entry.key.name != self.name):
            return False
        return self.labels.matches(meta.labels(entry.manifest)) and self.fields.matches(entry.manifest)

    def entries(self, store: Store) -> list[Entry]:
        """The objects, sorted by namespace and name."""
        found = store.entries(self.kind.key, self.namespace)
        return found if self.is_whole else [entry for entry in found if self.sees(entry)]


class Watch:
    """The events of a view after a revision; without one the present objects come first, as ADDED.

    `take()` gives the events that are new since the last call. After it has given an ERROR event, `ended` is set.
    """

    def __init__(self, store: Store, view: View, *, since: int | None, table: TableView | None = None,
                 timeout: float = 3600.0, bookmarks: bool = False, send_initial: bool = False) -> None:
        self.store = store
        self.view = view
        self.timeout = timeout
        self.bookmarks = bookmarks
        self.ended = False
        self.convert: Callable[[Manifest], Manifest] | None = None  # to another version of the kind
        self._table = table
        self._revision = store.revision if since is None else since
        self._initial: list[Entry] = view.entries(store) if since is None else []
        self._mark_end = send_initial and since is None
        self._checked = False  # whether the history reaches back to the start

    @property
    def resource(self) -> str:
        """The plural whose writes make `take` give something."""
        return self.view.kind.key

    @property
    def backlog(self) -> bool:
        """Whether `take` has something to give."""
        return not self._checked or bool(self._initial) or self._mark_end or \
            self.store.revision_of(self.resource) > self._revision

    def take(self, limit: int = 100) -> list[bytes]:
        """The next events as lines of JSON, `limit` at the most (more may be there: see `backlog`)."""
        lines = [self._line("ADDED", entry) for entry in self._initial[:limit]]
        self._initial = self._initial[limit:]
        if self._initial:
            return lines
        if self._mark_end:
            self._mark_end = False
            lines.append(self.bookmark(initial_end=True))
        try:
            changes = self.store.changes(self.resource, self._revision) if self.backlog else []
            self._checked = True
        except Expired as error:
            self.ended = True
            status = ApiError(410, "Expired", str(error)).status()
            return [*lines, b'{"type":"ERROR","object":' + json.dumps(status).encode() + b"}\n"]
        for change in changes[:limit]:
            lines += self._lines(change)
            self._revision = change.entry.revision
        return lines

    def bookmark(self, *, initial_end: bool = False) -> bytes:
        """A BOOKMARK event: the watcher has seen everything up to the present revision."""
        data: dict[str, object] = {"resourceVersion": str(self.store.revision), "creationTimestamp": None}
        if initial_end:
            data |= {"annotations": {INITIAL_EVENTS_END: "true"}}
        kind = self.view.kind
        body = json.dumps({"kind": kind.kind, "apiVersion": kind.api_version, "metadata": data}, separators=(",", ":"))
        return b'{"type":"BOOKMARK","object":' + body.encode() + b"}\n"

    def _lines(self, change: Change) -> Iterator[bytes]:
        before = change.previous is not None and self.view.sees(change.previous)
        if change.type == "DELETED":
            if before:
                yield self._line("DELETED", change.entry)
            return
        now = self.view.sees(change.entry)
        if now:
            yield self._line("MODIFIED" if before else "ADDED", change.entry)
        elif before:
            yield self._line("DELETED", change.entry)

    def _line(self, type: str, entry: Entry) -> bytes:
        body = self._table.render([entry], {"resourceVersion": str(entry.revision)}) if self._table else entry.data
        if self.convert and not self._table:
            body = json.dumps(self.convert(entry.manifest), separators=(",", ":"), ensure_ascii=False).encode()
        return b'{"type":"' + type.encode() + b'","object":' + body + b"}\n"
