"""Jobs: pods that run until so many of them have succeeded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age, containers, duration, label_selector
from netlab.api.job_rules import INDEXED, default_job, job_errors, job_warnings
from netlab.api.object_rules import unchanged
from netlab.api.resource import Column, Objects, Resource
from netlab.model import meta, pod_status
from netlab.model.errors import FieldError, invalid, required
from netlab.model.meta import Manifest
from netlab.model.selectors import from_manifest

UID, NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
_OLD_UID, _OLD_NAME = "controller-uid", "job-name"
_ORPHANS = ("child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
            "them or set propagationPolicy=Orphan to suppress this warning")


def _default(manifest: Manifest) -> None:
    default_job(manifest.setdefault("spec", {}))


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is not None:
        return
    new["status"] = {}
    spec = new["spec"]
    if spec.get("manualSelector"):
        return
    labels = spec["template"]["metadata"].setdefault("labels", {})
    uid = meta.uid(new)
    wanted = {UID: uid, NAME: meta.name(new), _OLD_UID: uid, _OLD_NAME: meta.name(new)}
    if all(labels.get(key, value) == value for key, value in wanted.items()):  # else validation tells
        labels |= wanted
        spec.setdefault("selector", {}).setdefault("matchLabels", {}).setdefault(UID, uid)


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = new["spec"]
    errors = job_errors(spec, "spec")
    selector, labels = spec.get("selector"), meta.labels(spec["template"])
    if selector is None:
        errors.append(required("spec.selector"))
    elif not errors and not from_manifest(selector).matches(labels):
        errors.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    if old is None:
        return errors if spec.get("manualSelector") else errors + _generated_errors(new)
    before = meta.spec(old)
    if spec["completionMode"] != INDEXED:  # an indexed one may grow and shrink
        errors += unchanged(spec.get("completions"), before.get("completions"), "spec.completions")
    elif spec.get("completions") != before.get("completions") and spec.get("completions") != spec["parallelism"]:
        errors.append(invalid("spec.completions", spec.get("completions"),
                              "can only be modified in tandem with spec.parallelism"))
    for field in ("selector", "template", "completionMode", "podFailurePolicy", "backoffLimitPerIndex",
                  "successPolicy"):
        errors += unchanged(_fixed(spec, before, field), before.get(field), f"spec.{field}")
    return errors


def _fixed(spec: dict[str, Any], before: dict[str, Any], field: str) -> Any:
    """The field's value; while a Job is suspended, its template is as before if only scheduling directives differ."""
    value: Any = spec.get(field)
    if field != "template" or not before.get("suspend"):
        return value
    kept = {key: item for key, item in value["spec"].items() if key not in ("nodeSelector", "tolerations", "affinity",
                                                                            "schedulingGates")}
    return before["template"] if kept == {key: before["template"]["spec"].get(key) for key in kept} else value


def _generated_errors(new: Manifest) -> list[FieldError]:
    """Labels and selector that were given must be those that the server makes."""
    errors, labels = [], meta.labels(new["spec"]["template"])
    for key, value in ((_OLD_UID, meta.uid(new)), (UID, meta.uid(new)), (_OLD_NAME, meta.name(new)),
                       (NAME, meta.name(new))):
        if labels.get(key, "") != value:
            errors.append(invalid("spec.template.metadata.labels", labels,
                                  f"must be '{value}'") if key in labels else
                          required(f"spec.template.metadata.labels[{key}]", f"must be '{value}'"))
    match = (new["spec"].get("selector") or {}).get("matchLabels") or {}
    if not errors and not any(match.get(key) == meta.uid(new) for key in (UID, _OLD_UID)):
        errors.append(invalid("spec.selector", new["spec"].get("selector"), "`selector` not auto-generated"))
    return errors


def _warnings(new: Manifest, old: Manifest | None) -> list[str]:
    return job_warnings(meta.spec(new), "spec") if old is None else []


def status_word(job: Manifest) -> str:
    """The STATUS that kubectl prints."""
    def holds(condition: str) -> bool:
        return pod_status.condition(job, condition).get("status") == "True"

    for word in ("Complete", "Failed"):
        if holds(word):
            return word
    if meta.is_deleting(job):
        return "Terminating"
    for condition, word in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"),
                            ("SuccessCriteriaMet", "SuccessCriteriaMet")):
        if holds(condition):
            return word
    return "Running"


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    names, images = containers(spec.get("template") or {})
    done, parallel = status.get("succeeded", 0), spec.get("parallelism", 0)
    if spec.get("completions") is not None:
        progress = f"{done}/{spec['completions']}"
    else:
        progress = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    took = ""
    if status.get("startTime"):
        end = meta.parse_time(status["completionTime"]) if status.get("completionTime") else now
        took = duration(int((end - meta.parse_time(status["startTime"])).total_seconds()))
    return [meta.name(manifest), status_word(manifest), progress, took, age(manifest, now), names, images,
            label_selector(spec.get("selector"))]


JOBS = Resource(
    "jobs", "Job", "batch", categories=("all",), generations=True, default=_default, prepare=_prepare,
    validate=_validate, warnings=_warnings, row=_row, propagation="Orphan", propagation_warning=_ORPHANS,
    columns=(Column("Name"), Column("Status"), Column("Completions"), Column("Duration"), Column("Age"),
             Column("Containers", 1), Column("Images", 1), Column("Selector", 1)))
