"""CronJobs: a Job whenever the schedule says so (upstream: pkg/controller/cronjob, version 2)."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers import job_state
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.owned import Owned
from netlab.controllers.per_object import Name, PerObject
from netlab.model import cron, meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MANY = 100


class CronJobs(PerObject):
    """Looks at a CronJob when it, or one of its Jobs, changes, and when its next moment has come."""

    name = "cronjobs"
    resources = ("cronjobs", "jobs")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "cronjob-controller")
        self._jobs = Owned(registry, "jobs")
        self._objects = Index(registry.store, "cronjobs", _keys)

    def changed(self) -> Iterable[Name]:
        """CronJobs that were written, or one of their Jobs was."""
        names = {(key[0], key[1]) for key in self._objects.take_touched() if isinstance(key, tuple)}
        for uid in self._jobs.take_touched()[0]:
            names.update((meta.namespace(item), meta.name(item)) for item in self._objects.of(uid))
        return names

    def sync(self, namespace: str, name: str) -> float | None:
        """Looks after one CronJob's Jobs, and starts one that is due."""
        owner = self.registry.find("cronjobs", name, namespace)
        if owner is None:
            return None
        status = self._follow(owner, copy.deepcopy(meta.status(owner)))
        wait = None
        if not meta.is_deleting(owner) and not meta.spec(owner).get("suspend"):
            wait = self._start(owner, status)
        self._clean_up(owner)
        self._write(owner, status)
        return wait

    # Jobs that there are

    def _follow(self, owner: Manifest, status: dict[str, Any]) -> dict[str, Any]:
        """The status with those of its Jobs as active that are, and the time of the last success."""
        active: list[dict[str, Any]] = list(status.get("active") or ())
        jobs = {meta.uid(job): job for job in self._jobs.of(owner)}
        for job in jobs.values():
            known = next((item for item in active if item.get("uid") == meta.uid(job)), None)
            over = job_state.finished(job)
            if known is None and not over:
                self._recorder.event(owner, "Warning", "UnexpectedJob",
                                     f"Saw a job that the controller did not create or forgot: {meta.name(job)}")
            elif known is not None and over:
                active.remove(known)
                self._recorder.event(owner, "Normal", "SawCompletedJob",
                                     f"Saw completed job: {meta.name(job)}, condition: {over['type']}")
            ended = meta.status(job).get("completionTime") if over.get("type") == "Complete" else None
            if ended and ended > status.get("lastSuccessfulTime", ""):
                status["lastSuccessfulTime"] = ended
        for item in [item for item in active if item.get("uid") not in jobs]:
            active.remove(item)
            self._recorder.event(owner, "Normal", "MissingJob", f"Active job went missing: {item.get('name')}")
        status["active"] = active
        return status

    def _clean_up(self, owner: Manifest) -> None:
        """Deletes the oldest of the Jobs that are over, beyond the limits."""
        done = [(job_state.finished(job).get("type"), job) for job in self._jobs.of(owner) if not meta.is_deleting(job)]
        for kind, field in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            limit = int(meta.spec(owner)[field])
            found = sorted((job for word, job in done if word == kind), key=lambda job: (
                meta.status(job).get("startTime") or "", meta.name(job)))
            for job in found[:max(0, len(found) - limit)]:
                self._delete(owner, job)

    def _delete(self, owner: Manifest, job: Manifest) -> None:
        try:
            self.registry.delete("jobs", meta.name(job), namespace=meta.namespace(job), propagation="Background")
        except ApiError as error:
            if error.code != 404:
                raise
        self._recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted job {meta.name(job)}")

    # The next one

    def _start(self, owner: Manifest, status: dict[str, Any]) -> float | None:
        """Starts the Job that is due, if any; gives the seconds until the next."""
        spec, now = meta.spec(owner), self.registry.clock()
        zone = zone_of(spec)
        try:
            schedule = cron.parse(spec.get("schedule", ""))
        except ValueError as error:
            self._recorder.event(owner, "Warning", "UnparseableSchedule",
                                 f'unparseable schedule: "{spec.get("schedule", "")}" : {error}')
            return None
        limit = spec.get("startingDeadlineSeconds")
        since = meta.parse_time(status.get("lastScheduleTime") or owner["metadata"]["creationTimestamp"])
        if limit is not None:
            since = max(since, now - timedelta(seconds=min(limit, 10**9)))
        due, missed = cron.latest(schedule, since, now, zone)
        if missed >= MANY:
            self._recorder.event(owner, "Warning", "TooManyMissedTimes", "too many missed start times. Set or decrease "
                                 ".spec.startingDeadlineSeconds or check clock skew")
        if due is not None:
            self._run(owner, status, due, zone)
        following = schedule.next(max(due or since, now) if not schedule.every else due or since, zone)
        return None if following is None else max(0.01, (following - now).total_seconds())

    def _run(self, owner: Manifest, status: dict[str, Any], due: datetime, zone: tzinfo) -> None:
        spec, name = meta.spec(owner), f"{meta.name(owner)}-{int(due.timestamp()) // 60}"
        if any(item.get("name") == name for item in status["active"]) or \
                status.get("lastScheduleTime") == meta.timestamp(due):
            return
        if spec.get("concurrencyPolicy") == "Forbid" and status["active"]:
            self._recorder.event(owner, "Normal", "JobAlreadyActive", "Not starting job because prior execution is "
                                 "running and concurrency policy is Forbid")
            return
        if spec.get("concurrencyPolicy") == "Replace":
            for item in status["active"]:
                job = self.registry.find("jobs", item["name"], meta.namespace(owner))
                if job is not None and meta.uid(job) == item.get("uid"):
                    self._delete(owner, job)
            status["active"] = []
        try:
            job = self.registry.create("jobs", job_of(owner, name, due.astimezone(zone)))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                self._recorder.event(owner, "Warning", "FailedCreate", f"Error creating job: {error.message}")
                raise
        else:
            self._recorder.event(owner, "Normal", "SuccessfulCreate", f"Created job {name}")
            status["active"] = [*status["active"], {
                "kind": "Job", "namespace": meta.namespace(job), "name": name, "uid": meta.uid(job),
                "apiVersion": "batch/v1", "resourceVersion": job["metadata"]["resourceVersion"]}]
        status["lastScheduleTime"] = meta.timestamp(due)

    def _write(self, owner: Manifest, status: dict[str, Any]) -> None:
        status = {key: value for key, value in status.items() if value}
        current = self.registry.find("cronjobs", meta.name(owner), meta.namespace(owner))
        if current is not None and status != meta.status(current):
            self.registry.update("cronjobs", current | {"status": status}, subresource="status")


def zone_of(spec: dict[str, Any]) -> tzinfo:
    """The time zone of a CronJob's schedule: UTC without one, or when the machine has lost it."""
    if not spec.get("timeZone"):
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(spec["timeZone"])
    except (ValueError, OSError, LookupError):
        return UTC


def job_of(owner: Manifest, name: str, due: datetime) -> Manifest:
    """The Job of one moment of the schedule."""
    template = copy.deepcopy(meta.spec(owner).get("jobTemplate") or {})
    given = template.get("metadata") or {}
    shown = due.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": template.get("spec") or {}, "metadata": {
        "name": name, "namespace": meta.namespace(owner), "labels": dict(given.get("labels") or {}),
        "annotations": {**(given.get("annotations") or {}), SCHEDULED: shown},
        "ownerReferences": [meta.owner_reference(owner)]}}


def _keys(item: Manifest) -> Iterator[Hashable]:
    yield meta.namespace(item), meta.name(item)
    yield meta.uid(item)
