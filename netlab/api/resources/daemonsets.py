"""DaemonSets: one pod on every node that the template fits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age, containers, label_selector, pairs
from netlab.api.pod_defaults import fill
from netlab.api.resource import Column, Objects, Resource
from netlab.api.workload_rules import default_template, share, share_errors, workload_errors
from netlab.model import meta
from netlab.model.errors import FieldError, invalid, not_supported, required
from netlab.model.meta import Manifest

GENERATION = "deprecated.daemonset.template.generation"
_NUMBERS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_ROLLING = "spec.updateStrategy.rollingUpdate"


def _default(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    default_template(spec)
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    notes = new["metadata"].setdefault("annotations", {})
    if old is None:
        new["status"] = dict.fromkeys(_NUMBERS, 0)
        notes[GENERATION] = "1"
        return
    before = meta.annotations(old).get(GENERATION, "0")
    changed = meta.spec(new).get("template") != meta.spec(old).get("template")
    notes[GENERATION] = str(int(before if before.isdecimal() else 0) + changed)


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = workload_errors(new, old, empty_selector="daemonset", owner="DaemonSet")
    strategy = meta.spec(new)["updateStrategy"]
    if strategy["type"] not in ("RollingUpdate", "OnDelete"):
        return [*errors, not_supported("spec.updateStrategy", strategy["type"], ["OnDelete", "RollingUpdate"])]
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "OnDelete" or rolling is None:
        return errors
    wrong = [error for field in ("maxUnavailable", "maxSurge")
             for error in share_errors(rolling[field], f"{_ROLLING}.{field}")]
    unavailable, surge = (share(rolling[field]) for field in ("maxUnavailable", "maxSurge"))
    if not wrong and not unavailable and not surge:
        wrong.append(required(f"{_ROLLING}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    elif not wrong and unavailable and surge:
        wrong.append(invalid(f"{_ROLLING}.maxSurge", rolling["maxSurge"],
                             "may not be set when maxUnavailable is non-zero"))
    return errors + wrong


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    names, images = containers(spec.get("template") or {})
    numbers = [status.get(field, 0) for field in ("desiredNumberScheduled", "currentNumberScheduled", "numberReady",
                                                  "updatedNumberScheduled", "numberAvailable")]
    chosen = (spec.get("template") or {}).get("spec", {}).get("nodeSelector")
    return [meta.name(manifest), *numbers, pairs(chosen), age(manifest, now), names, images,
            label_selector(spec.get("selector"))]


DAEMONSETS = Resource(
    "daemonsets", "DaemonSet", "apps", short_names=("ds",), categories=("all",), generations=True, default=_default,
    prepare=_prepare, validate=_validate, row=_row,
    columns=(Column("Name"), *(Column(name, 0, "integer") for name in (
        "Desired", "Current", "Ready", "Up-to-date", "Available")), Column("Node Selector"), Column("Age"),
        Column("Containers", 1), Column("Images", 1), Column("Selector", 1)))
