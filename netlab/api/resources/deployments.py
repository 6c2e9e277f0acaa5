"""Deployments: ReplicaSets that replace each other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age, containers, label_selector
from netlab.api.object_rules import not_negative
from netlab.api.resource import Column, Objects, Resource
from netlab.api.workload_rules import default_workload, share, share_errors, workload_errors
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, invalid, not_supported
from netlab.model.meta import Manifest


def _default(manifest: Manifest) -> None:
    spec = default_workload(manifest)
    strategy = spec.setdefault("strategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None:
        new["status"] = {}


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = new["spec"]
    errors = workload_errors(new, old)
    errors += not_negative(spec, "progressDeadlineSeconds")
    if not errors and spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        errors.append(invalid("spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"],
                              "must be greater than minReadySeconds"))
    strategy = spec["strategy"]
    if strategy["type"] == "Recreate":
        if strategy.get("rollingUpdate") is not None:
            errors.append(forbidden("spec.strategy.rollingUpdate",
                                    "may not be specified when strategy `type` is 'Recreate'"))
    elif strategy["type"] != "RollingUpdate":
        errors.append(not_supported("spec.strategy", strategy["type"], ["Recreate", "RollingUpdate"]))
    else:
        rolling = strategy["rollingUpdate"]
        for field in ("maxUnavailable", "maxSurge"):
            errors += share_errors(rolling[field], f"spec.strategy.rollingUpdate.{field}")
        if all(share(rolling[field]) == 0 for field in ("maxUnavailable", "maxSurge")):
            errors.append(invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"],
                                  "may not be 0 when `maxSurge` is 0"))
        if isinstance(rolling["maxUnavailable"], str) and share(rolling["maxUnavailable"]) > 100:
            errors.append(invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"],
                                  "must not be greater than 100%"))
    return errors


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    names, images = containers(spec.get("template") or {})
    return [meta.name(manifest), f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
            status.get("updatedReplicas", 0), status.get("availableReplicas", 0), age(manifest, now), names, images,
            label_selector(spec.get("selector"))]


DEPLOYMENTS = Resource(
    "deployments", "Deployment", "apps", short_names=("deploy",), categories=("all",), subresources=("status", "scale"),
    generations=True, default=_default, prepare=_prepare, validate=_validate,
    columns=(Column("Name"), Column("Ready"), Column("Up-to-date", 0, "integer"), Column("Available", 0, "integer"),
             Column("Age"), Column("Containers", 1), Column("Images", 1), Column("Selector", 1)),
    row=_row)
