"""Tables: what `kubectl get` prints, made here from each kind's columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from netlab.api.resource import Resource
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest
from netlab.store import Entry


@dataclass(frozen=True)
class TableView:
    """How objects of a kind are shown. `include` is Metadata, Object or None, what comes with each row."""

    kind: Resource
    clock: Callable[[], datetime]
    include: str = "Metadata"
    version: str = "v1"

    def __post_init__(self) -> None:
        if self.include not in ("", "Metadata", "Object", "None"):
            raise bad_request(f'includeObject: Unsupported value: "{self.include}": supported values: "Metadata", '
                              '"None", "Object"')

    def render(self, entries: Iterable[Entry], metadata: Mapping[str, object]) -> bytes:
        """The Table as JSON, with the list's metadata."""
        now = self.clock()
        head = {"kind": "Table", "apiVersion": f"meta.k8s.io/{self.version}",
                "metadata": metadata,
                "columnDefinitions": [
                    {"name": column.name, "type": column.type, "priority": column.priority,
                     "format": column.format or ("name" if column.name == "Name" else ""),
                     "description": column.description} for column in self.kind.columns]}
        rows = b",".join(self._row(entry, now) for entry in entries)
        return _json(head)[:-1] + b',"rows":[' + rows + b"]}"

    def _row(self, entry: Entry, now: datetime) -> bytes:
        cells = b'{"cells":' + _json(self.kind.row(entry.manifest, now))
        if self.include == "None":
            return cells + b"}"
        if self.include == "Object":
            return cells + b',"object":' + entry.data + b"}"
        return cells + b',"object":' + _json(partial(entry.manifest, self.version)) + b"}"


def partial(manifest: Manifest, version: str = "v1") -> Manifest:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": manifest["metadata"]}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
