"""Events: what happened to an object."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import UNKNOWN, since
from netlab.api.resource import Column, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, invalid
from netlab.model.meta import Manifest


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    space = (new.get("involvedObject") or {}).get("namespace", "")
    if space != meta.namespace(new) and (space or meta.namespace(new) != "default"):
        return [invalid("involvedObject.namespace", space, "does not match event.namespace")]
    return []


def _default(manifest: Manifest) -> None:
    manifest.setdefault("involvedObject", {})


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    about, source = manifest.get("involvedObject") or {}, manifest.get("source") or {}
    series = manifest.get("series") or {}
    first = manifest.get("firstTimestamp") or manifest.get("eventTime")
    last = series.get("lastObservedTime") or manifest.get("lastTimestamp") or first
    component = source.get("component") or manifest.get("reportingComponent") or ""
    shown = ", ".join(filter(None, [component, source.get("host")]))
    kind = str(about.get("kind", "")).lower()
    return [since(last, now) if last else UNKNOWN, manifest.get("type", ""), manifest.get("reason", ""),
            f"{kind}/{about.get('name', '')}" if kind else about.get("name", ""), manifest.get("message", "").strip(),
            about.get("fieldPath", ""), shown, since(first, now) if first else UNKNOWN,
            series.get("count") or manifest.get("count") or 1, meta.name(manifest)]


EVENTS = Resource(
    "events", "Event", short_names=("ev",), subresources=(), default=_default, validate=_validate,
    columns=(Column("Last Seen"), Column("Type"), Column("Reason"), Column("Object"), Column("Message"),
             Column("Subobject", 1), Column("Source", 1), Column("First Seen", 1), Column("Count", 1, "integer"),
             Column("Name", 1)),
    row=_row)
