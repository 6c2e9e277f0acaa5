"""What a Job's pods amount to, and what that makes of the Job (upstream: pkg/controller/job)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
BACKOFF, BACKOFF_LIMIT = 10.0, 600.0  # seconds after a failure; twice as long after each further one
ENDS = {"BackoffLimitExceeded": "Job has reached the specified backoff limit",
        "DeadlineExceeded": "Job was active longer than specified deadline",
        "CompletionsReached": "Reached expected number of succeeded pods"}


@dataclass(frozen=True)
class Tally:
    """What is known of a Job: pods that count as active, the numbers of those that ended, the seconds it has run."""

    active: int
    succeeded: int
    failed: int
    restarts: int = 0
    age: float = 0.0
    counted: int = 0  # succeeded pods that had ended before this look


def is_tracked(pod: Manifest) -> bool:
    """Whether the pod waits to be counted."""
    return TRACKING in (meta.metadata(pod).get("finalizers") or ())


def has_failed(pod: Manifest) -> bool:
    """Whether it counts as failed: one that somebody deletes does so at once."""
    return pod_status.phase(pod) == "Failed" or (meta.is_deleting(pod) and pod_status.phase(pod) != "Succeeded")


def restarts(pods: Iterable[Manifest]) -> int:
    """How often containers of these pods were started again."""
    statuses = (status for pod in pods for field in ("initContainerStatuses", "containerStatuses")
                for status in meta.status(pod).get(field) or ())
    return sum(int(status.get("restartCount") or 0) for status in statuses)


def end_of(spec: dict[str, Any], tally: Tally) -> str:
    """The reason for which the Job ends now (see ENDS); "" while it goes on."""
    limit, deadline = int(spec.get("backoffLimit", 6)), spec.get("activeDeadlineSeconds")
    retried = spec["template"]["spec"].get("restartPolicy") == "OnFailure" and (
        tally.restarts >= limit if limit else tally.restarts > 0)
    if tally.failed > limit or retried:
        return "BackoffLimitExceeded"
    if deadline is not None and not spec.get("suspend") and tally.age >= deadline:
        return "DeadlineExceeded"
    completions = spec.get("completions")
    done = tally.succeeded > 0 and not tally.active if completions is None else tally.succeeded >= completions
    return "CompletionsReached" if done else ""


def wanted_active(spec: dict[str, Any], tally: Tally) -> int:
    """How many pods shall run."""
    parallelism, completions = int(spec.get("parallelism", 1)), spec.get("completions")
    if completions is None:  # a queue: nobody starts once one has found it empty
        return min(parallelism, tally.active) if tally.succeeded else parallelism
    return min(parallelism, max(0, int(completions) - tally.succeeded))


def backoff(pods: Iterable[Manifest], now: datetime) -> float:
    """Seconds until a pod may be made in the place of one that failed."""
    ends = sorted(((ended_at(pod), has_failed(pod)) for pod in pods if pod_status.is_finished(pod)),
                  key=lambda end: end[0])
    failures = 0
    for _, failed in ends:
        failures = failures + 1 if failed else 0
    if not failures:
        return 0.0
    delay = min(BACKOFF_LIMIT, BACKOFF * 2.0 ** min(failures - 1, 10))
    return max(0.0, delay - (now - ends[-1][0]).total_seconds())


def ended_at(pod: Manifest) -> datetime:
    """When the pod's last container ended; if it does not say, when it was made."""
    times = [((status.get("state") or {}).get("terminated") or {}).get("finishedAt")
             for status in meta.status(pod).get("containerStatuses") or ()]
    text = max(filter(None, times), default="") or meta.metadata(pod).get("creationTimestamp")
    return meta.parse_time(str(text))


def index_of(pod: Manifest) -> int | None:
    """The pod's completion index; None when it has none."""
    text = meta.annotations(pod).get(INDEX, "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def parse_indexes(text: str, limit: int) -> set[int]:
    """The indexes below `limit` of a text such as `0-2,5`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), min(int(last or first) + 1, limit)))
    return found


def show_indexes(indexes: Iterable[int]) -> str:
    """The indexes as status.completedIndexes has them: `0-2,5`."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(a) if a == b else f"{a},{b}" if b == a + 1 else f"{a}-{b}" for a, b in runs)


def finished(job: Manifest) -> dict[str, Any]:
    """The condition that says that the Job is over, Complete or Failed; empty while it is not."""
    found = (pod_status.condition(job, word) for word in ("Complete", "Failed"))
    return next((condition for condition in found if condition.get("status") == "True"), {})


def with_condition(conditions: Sequence[dict[str, Any]], kind: str, status: str, reason: str, message: str, *,
                   now: str) -> list[dict[str, Any]]:
    """The conditions with that one; unchanged when it says the same already."""
    old = next((c for c in conditions if c["type"] == kind), None)
    if old is not None and (old["status"], old.get("reason")) == (status, reason):
        return list(conditions)
    return [*(c for c in conditions if c["type"] != kind), {
        "type": kind, "status": status, "lastProbeTime": now, "lastTransitionTime": now, "reason": reason,
        "message": message}]
