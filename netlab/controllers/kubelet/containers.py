"""The state of a pod's containers as values, and as containerStatuses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from netlab.model import meta

RUNTIME = "netlab"
STATUS_FIELDS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


@dataclass(frozen=True)
class Ended:
    """One run of a container that is over; `reason` overrides Completed and Error."""

    attempt: int
    code: int
    started: float
    finished: float
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class ContainerState:
    """Where a container stands. `attempt` counts its processes from 0, -1 before the first; times are Unix times.

    Exactly one of these holds: it runs; `ended` is its newest run; it has not started. `waiting` (reason, message) says
    why it is not started (again).
    """

    name: str
    image: str
    attempt: int = -1
    running: bool = False
    started_at: float = 0.0
    ended: Ended | None = None
    previous: Ended | None = None
    waiting: tuple[str, str] = ("ContainerCreating", "")
    passed_startup: bool = False
    ready: bool = False
    retrying: bool = field(default=False)  # ended, but waiting to be started again

    @property
    def process(self) -> str:
        """The name of its newest process."""
        return process_name(self.name, self.attempt)


def every_container(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pod's containers of all kinds, init containers first."""
    spec = meta.spec(pod)
    return [container for field in ("initContainers", "containers", "ephemeralContainers")
            for container in spec.get(field) or ()]


def process_name(container: str, attempt: int) -> str:
    """The name of a container's n-th process: `web.0`."""
    return f"{container}.{attempt}"


def split_process(name: str) -> tuple[str, int]:
    """Container and attempt of a process name."""
    container, _, attempt = name.rpartition(".")
    return container, int(attempt) if attempt.isdigit() else -1


def container_id(uid: str, name: str, attempt: int) -> str:
    """A container ID in the form of runtimes: it names one run of one container."""
    return f"{RUNTIME}://{hashlib.sha256(f'{uid}/{process_name(name, attempt)}'.encode()).hexdigest()}"


def container_status(state: ContainerState, uid: str) -> dict[str, Any]:
    """The containerStatuses entry."""
    current: dict[str, Any]
    last = state.previous
    if state.running:
        current = {"running": {"startedAt": _time(state.started_at)}}
    elif state.ended and not state.retrying:
        current = {"terminated": terminated(state.ended, uid, state.name)}
    else:
        current = {"waiting": _waiting(*state.waiting)}
        last = state.ended or last
    result: dict[str, Any] = {
        "name": state.name, "state": current,
        "lastState": {"terminated": terminated(last, uid, state.name)} if last else {},
        "ready": state.ready, "restartCount": max(state.attempt, 0), "image": state.image,
        "imageID": image_id(state.image) if state.attempt >= 0 else "",
        "started": state.running and state.passed_startup,
    }
    if state.attempt >= 0:
        result["containerID"] = container_id(uid, state.name, state.attempt)
    return result


def image_id(image: str) -> str:
    """A stand-in for the image's digest: equal names give equal digests."""
    return f"{image.partition('@')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def terminated(ended: Ended, uid: str, name: str) -> dict[str, Any]:
    """The terminated state of one run."""
    result = {
        "exitCode": ended.code, "reason": ended.reason or ("Completed" if ended.code == 0 else "Error"),
        "startedAt": _time(ended.started or ended.finished), "finishedAt": _time(ended.finished),
        "containerID": container_id(uid, name, ended.attempt),
    }
    if ended.message:
        result["message"] = ended.message
    return result


def _waiting(reason: str, message: str) -> dict[str, str]:
    return {"reason": reason} | ({"message": message} if message else {})


def _time(moment: float) -> str:
    return meta.timestamp(datetime.fromtimestamp(moment, UTC))


def started_times(pod: Mapping[str, Any]) -> dict[str, float]:
    """When each process of the pod started, by process name, as far as its stored status tells."""
    result, uid = {}, meta.uid(pod)
    for kind in STATUS_FIELDS:
        for status in meta.status(pod).get(kind) or ():
            for state in (status.get("state") or {}, status.get("lastState") or {}):
                value = state.get("running") or state.get("terminated") or {}
                if not value.get("startedAt"):
                    continue
                given = value.get("containerID") or status.get("containerID")
                attempt = int(status.get("restartCount") or 0)
                if given != container_id(uid, status["name"], attempt):
                    attempt -= 1
                result[process_name(status["name"], attempt)] = meta.parse_time(value["startedAt"]).timestamp()
    return result
