"""ControllerRevisions: the templates that StatefulSets and DaemonSets had, for `kubectl rollout`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import NONE, age
from netlab.api.object_rules import not_negative, unchanged
from netlab.api.resource import Column, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, required
from netlab.model.meta import Manifest


def _default(manifest: Manifest) -> None:
    manifest.setdefault("revision", 0)


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = [FieldError("revision", error.reason, error.message) for error in not_negative(new, "revision")]
    if new.get("data") is None:
        errors.append(required("data", "data is mandatory"))
    return errors + (unchanged(new.get("data"), old.get("data"), "data") if old is not None else [])


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    owner = meta.controller_of(manifest)
    group = owner["apiVersion"].rpartition("/")[0] if owner else ""
    shown = f"{owner['kind'].lower()}{'.' if group else ''}{group}/{owner['name']}" if owner else NONE
    return [meta.name(manifest), shown, manifest.get("revision", 0), age(manifest, now)]


CONTROLLERREVISIONS = Resource(
    "controllerrevisions", "ControllerRevision", "apps", subresources=(), default=_default, validate=_validate,
    columns=(Column("Name"), Column("Controller"), Column("Revision", 0, "integer"), Column("Age")), row=_row)
