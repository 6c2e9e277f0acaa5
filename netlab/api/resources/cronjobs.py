"""CronJobs: Jobs by the clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import NONE, age, containers, since
from netlab.api.job_rules import job_errors, job_warnings
from netlab.api.object_rules import label_errors, not_negative
from netlab.api.pod_defaults import fill
from netlab.api.resource import Column, Objects, Resource
from netlab.api.workload_rules import default_template
from netlab.model import cron, meta
from netlab.model.errors import FieldError, invalid, not_supported, required
from netlab.model.meta import Manifest

NAME_LIMIT = 52  # the Jobs' names have 11 characters more
_POLICIES = ["Allow", "Forbid", "Replace"]


def _default(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    fill(spec, concurrencyPolicy="Allow", suspend=False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    template = spec.setdefault("jobTemplate", {})
    template.setdefault("metadata", {}).pop("creationTimestamp", None)
    default_template(template.setdefault("spec", {}))  # all else is left to the Job's own defaults


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None:
        new["status"] = {}


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec, errors = new["spec"], []
    if old is None and len(meta.name(new)) > NAME_LIMIT:
        errors.append(invalid("metadata.name", meta.name(new), f"must be no more than {NAME_LIMIT} characters"))
    errors += _schedule_errors(spec, None if old is None else meta.spec(old))
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        errors += not_negative(spec, field)
    if spec["concurrencyPolicy"] not in _POLICIES:
        errors.append(not_supported("spec.concurrencyPolicy", spec["concurrencyPolicy"], _POLICIES))
    template = spec["jobTemplate"]
    errors += label_errors(meta.labels(template), "spec.jobTemplate.metadata.labels")
    if template["spec"].get("manualSelector"):
        errors.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ["nil", "false"]))
    return errors + job_errors(template["spec"], "spec.jobTemplate.spec")


def _schedule_errors(spec: dict[str, Any], before: dict[str, Any] | None) -> list[FieldError]:
    schedule, zone = spec.get("schedule") or "", spec.get("timeZone")
    if not schedule:
        return [required("spec.schedule")]
    errors = []
    if "TZ" in schedule:
        errors.append(invalid("spec.schedule", schedule,
                              "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
    else:
        try:
            cron.parse(schedule)
        except ValueError as error:
            errors.append(invalid("spec.schedule", schedule, str(error)))
    if zone is not None and (before is None or before.get("timeZone") != zone):
        errors += _zone_errors(zone)
    return errors


def _zone_errors(zone: str) -> list[FieldError]:
    if not zone:
        return [invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        return [invalid("spec.timeZone", zone, "timeZone must be an explicit time zone as defined in "
                        "https://www.iana.org/time-zones")]
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        return [invalid("spec.timeZone", zone, f"unknown time zone {zone}")]
    return []


def _warnings(new: Manifest, old: Manifest | None) -> list[str]:
    job = (meta.spec(new).get("jobTemplate") or {}).get("spec") or {}
    return job_warnings(job, "spec.jobTemplate.spec") if old is None else []


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(manifest), meta.status(manifest)
    names, images = containers(((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {})
    last = status.get("lastScheduleTime")
    return [meta.name(manifest), spec.get("schedule", ""), spec.get("timeZone") or NONE,
            str(bool(spec.get("suspend"))), len(status.get("active") or ()), since(last, now) if last else NONE,
            age(manifest, now), names, images, NONE]


CRONJOBS = Resource(
    "cronjobs", "CronJob", "batch", short_names=("cj",), categories=("all",), generations=True, default=_default,
    prepare=_prepare, validate=_validate, warnings=_warnings, row=_row,
    columns=(Column("Name"), Column("Schedule"), Column("Timezone"), Column("Suspend"),
             Column("Active", 0, "integer"), Column("Last Schedule"), Column("Age"), Column("Containers", 1),
             Column("Images", 1), Column("Selector", 1)))
