"""Which run of a container has the log that is wanted, with the kubelet's refusals (validateContainerLogStatus)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from netlab.controllers.kubelet.containers import STATUS_FIELDS, container_id
from netlab.model import meta
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest


def choose_attempt(pod: Manifest, container: str, *, previous: bool) -> int:
    """Which run of the container has the log (0 is the first); ApiError 400 when there is none yet, or any more."""
    status = _status(pod, container)
    where = f'container "{container}" in pod "{meta.name(pod)}"'
    if status is None:
        raise bad_request(f"{where} is not available")
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    count = int(status.get("restartCount") or 0)
    if previous:
        if not last:
            raise bad_request(f'previous terminated {where} not found')
        return _attempt(pod, container, last, count)
    if "running" in state:
        return count
    if "terminated" in state:
        return _attempt(pod, container, state["terminated"], count)
    if last:
        return _attempt(pod, container, last, count)
    reason = (state.get("waiting") or {}).get("reason", "")
    texts = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
    if not reason:
        raise bad_request(f"{where} is waiting to start - no logs yet")
    raise bad_request(f"{where} is waiting to start: {texts.get(reason, reason)}")


def still_runs(pod: Manifest | None, container: str, attempt: int) -> bool:
    """Whether that run of the container may still write to its log."""
    status = _status(pod, container) if pod else None
    return status is not None and "running" in (status.get("state") or {}) \
        and int(status.get("restartCount") or 0) == attempt


def _status(pod: Manifest, container: str) -> dict[str, Any] | None:
    status = meta.status(pod)
    for kind in STATUS_FIELDS:
        for entry in status.get(kind) or ():
            if entry["name"] == container:
                return dict(entry)
    return None


def _attempt(pod: Manifest, container: str, ended: Mapping[str, Any], count: int) -> int:
    return count if ended.get("containerID") == container_id(meta.uid(pod), container, count) else max(count - 1, 0)


def stamp(moment: float) -> str:
    """RFC 3339 with nine decimals, as timestamped log lines begin."""
    whole = datetime.fromtimestamp(int(moment), UTC)
    return f"{meta.timestamp(whole)[:-1]}.{int(moment % 1 * 1e9):09d}Z"
