"""ReplicationControllers: ReplicaSets of the core group, whose selector is a map of labels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age, containers, pairs
from netlab.api.decode import copy
from netlab.api.object_rules import label_errors, not_negative
from netlab.api.resource import Column, Objects, Resource
from netlab.api.workload_rules import default_workload, template_errors
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, invalid, required
from netlab.model.meta import Manifest


def _default(manifest: Manifest) -> None:
    spec = default_workload(manifest)
    labels = meta.labels(spec["template"])
    if labels and not spec.get("selector"):
        spec["selector"] = copy(labels)
    if labels and not meta.labels(manifest):
        manifest["metadata"]["labels"] = copy(labels)


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0}


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = meta.spec(new)
    errors = not_negative(spec, "minReadySeconds")
    selector, labels = spec.get("selector") or {}, meta.labels(spec["template"])
    if not selector:
        errors.append(required("spec.selector"))
    errors += not_negative(spec, "replicas")
    if selector and not selector.items() <= labels.items():
        errors.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    errors += label_errors(selector, "spec.selector")
    errors += template_errors(spec["template"], "spec.template", ["Always"])
    if spec["template"]["spec"].get("activeDeadlineSeconds") is not None:
        errors.append(forbidden("spec.template.spec.activeDeadlineSeconds",
                                "activeDeadlineSeconds in ReplicationController is not Supported"))
    return errors


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    names, images = containers(spec.get("template") or {})
    return [meta.name(manifest), spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0),
            age(manifest, now), names, images, pairs(spec.get("selector"))]


REPLICATIONCONTROLLERS = Resource(
    "replicationcontrollers", "ReplicationController", short_names=("rc",), categories=("all",),
    subresources=("status", "scale"), generations=True, propagation="Orphan", default=_default, prepare=_prepare,
    validate=_validate,
    columns=(Column("Name"), Column("Desired", 0, "integer"), Column("Current", 0, "integer"),
             Column("Ready", 0, "integer"), Column("Age"), Column("Containers", 1), Column("Images", 1),
             Column("Selector", 1)),
    row=_row)
