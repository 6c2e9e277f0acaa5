"""ReplicaSets: so many pods of one template."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age, containers, label_selector
from netlab.api.resource import Column, Objects, Resource
from netlab.api.workload_rules import default_workload, workload_errors
from netlab.model import meta
from netlab.model.errors import FieldError
from netlab.model.meta import Manifest


def _default(manifest: Manifest) -> None:
    default_workload(manifest)


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0}


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    return workload_errors(new, old)


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    names, images = containers(spec.get("template") or {})
    return [meta.name(manifest), spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0),
            age(manifest, now), names, images, label_selector(spec.get("selector"))]


REPLICASETS = Resource(
    "replicasets", "ReplicaSet", "apps", short_names=("rs",), categories=("all",), subresources=("status", "scale"),
    generations=True, default=_default, prepare=_prepare, validate=_validate,
    columns=(Column("Name"), Column("Desired", 0, "integer"), Column("Current", 0, "integer"),
             Column("Ready", 0, "integer"), Column("Age"), Column("Containers", 1), Column("Images", 1),
             Column("Selector", 1)),
    row=_row)
