"""HorizontalPodAutoscalers, as autoscaling/v2 stores them and autoscaling/v1 shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import UNKNOWN, age, more
from netlab.api.decode import copy
from netlab.api.resource import Column, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, invalid, not_supported, required
from netlab.model.meta import Manifest

_TYPES = ["ContainerResource", "External", "Object", "Pods", "Resource"]
_FIELDS = {"ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
           "Resource": "resource"}
_CPU = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}


def _default(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [{"type": "Resource", "resource": copy(_CPU)}]


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec, errors = meta.spec(new), []
    target, least, most = spec.get("scaleTargetRef") or {}, spec["minReplicas"], spec.get("maxReplicas", 0)
    errors += [required(f"spec.scaleTargetRef.{field}") for field in ("kind", "name") if not target.get(field)]
    if least < 1:
        errors.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if most < least:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    for index, metric in enumerate(spec["metrics"]):
        path = f"spec.metrics[{index}]"
        if metric.get("type") not in _TYPES:
            errors.append(not_supported(f"{path}.type", metric.get("type", ""), _TYPES))
            continue
        field = _FIELDS[metric["type"]]
        source = metric.get(field)
        if not isinstance(source, dict):
            errors.append(required(f"{path}.{field}", "must populate information for the given metric source"))
            continue
        goal = source.get("target")
        if not isinstance(goal, dict) or not goal.get("type"):
            errors.append(required(f"{path}.{field}.target.type", "must specify a metric target type"))
        elif goal["type"] not in ("AverageValue", "Utilization", "Value"):
            errors.append(invalid(f"{path}.{field}.target.type", goal["type"],
                                  "must be either Utilization, Value, or AverageValue"))
        use = goal.get("averageUtilization") if isinstance(goal, dict) else None
        if use is not None and (not isinstance(use, int) or use < 1):
            errors.append(invalid(f"{path}.{field}.target.averageUtilization", use, "must be greater than 0"))
    return errors


def _targets(manifest: Manifest) -> str:
    """`cpu: <unknown>/50%`, as upstream shows a metric that nobody measures."""
    found = []
    for metric in meta.spec(manifest).get("metrics") or ():
        source = metric.get(_FIELDS.get(metric.get("type"), "")) or {}
        goal = source.get("target") or {}
        wanted = goal.get("averageValue") or goal.get("value") or UNKNOWN
        if goal.get("averageUtilization") is not None:
            wanted = f"{goal['averageUtilization']}%"
        elif goal.get("averageValue") and metric.get("type") in ("External", "Object"):
            wanted += " (avg)"
        names = {"Resource": f"{source.get('name')}: ",
                 "ContainerResource": f"{source.get('container')}/{source.get('name')}: "}
        found.append(f"{names.get(metric['type'], '')}{UNKNOWN}/{wanted}")
    return more(found, 2)


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec = meta.spec(manifest)
    target = spec.get("scaleTargetRef") or {}
    return [meta.name(manifest), f"{target.get('kind', '')}/{target.get('name', '')}", _targets(manifest),
            str(spec.get("minReplicas", "<unset>")), spec.get("maxReplicas", 0),
            meta.status(manifest).get("currentReplicas", 0), age(manifest, now)]


def to_v1(manifest: Manifest) -> Manifest:
    """The object in autoscaling/v1: the goal for CPU is a field; other metrics are not shown."""
    spec = dict(meta.spec(manifest))
    for metric in spec.pop("metrics", ()):
        source = metric.get("resource") or {}
        use = (source.get("target") or {}).get("averageUtilization")
        if metric.get("type") == "Resource" and source.get("name") == "cpu" and use is not None:
            spec["targetCPUUtilizationPercentage"] = use
    spec.pop("behavior", None)
    kept = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
    status = {"currentReplicas": 0, "desiredReplicas": 0} | {
        key: value for key, value in meta.status(manifest).items() if key in kept}
    return manifest | {"apiVersion": "autoscaling/v1", "spec": spec, "status": status}


def to_v2(manifest: Manifest) -> Manifest:
    """The object of autoscaling/v1 as it is stored."""
    spec = dict(manifest["spec"]) if isinstance(manifest.get("spec"), dict) else {}
    use = spec.pop("targetCPUUtilizationPercentage", None)
    if use is not None:
        spec["metrics"] = [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": use}}}]
    return manifest | {"apiVersion": "autoscaling/v2", "spec": spec}


HORIZONTALPODAUTOSCALERS = Resource(
    "horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", "v2", short_names=("hpa",),
    categories=("all",), default=_default, validate=_validate,
    columns=(Column("Name"), Column("Reference"), Column("Targets"), Column("MinPods"),
             Column("MaxPods", 0, "integer"), Column("Replicas", 0, "integer"), Column("Age")), row=_row)
