"""What a pod's status says to those who count, choose and publish pods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from netlab.model import meta


def condition(manifest: Mapping[str, Any], type: str) -> dict[str, Any]:
    """The object's status condition of that type, empty when absent."""
    return next((c for c in meta.status(manifest).get("conditions") or () if c.get("type") == type), {})


def phase(pod: Mapping[str, Any]) -> str:
    """status.phase, Pending when absent."""
    return str(meta.status(pod).get("phase") or "Pending")


def is_finished(pod: Mapping[str, Any]) -> bool:
    """Whether its containers have ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Mapping[str, Any]) -> bool:
    """Whether it counts as a replica: not finished, not being deleted."""
    return not is_finished(pod) and not meta.is_deleting(pod)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether its Ready condition is True."""
    return condition(pod, "Ready").get("status") == "True"


def ready_since(pod: Mapping[str, Any]) -> datetime | None:
    """Since when it is ready; None when it is not, or does not say."""
    ready = condition(pod, "Ready")
    since = ready.get("lastTransitionTime")
    return meta.parse_time(since) if ready.get("status") == "True" and since else None


def available_in(pod: Mapping[str, Any], min_ready_seconds: int, now: datetime) -> float | None:
    """Seconds until it has been ready for `min_ready_seconds`: 0 when it has, None while it is not ready."""
    if not is_ready(pod):
        return None
    since = ready_since(pod)
    if not min_ready_seconds or since is None:
        return 0.0 if not min_ready_seconds else None
    return max(0.0, min_ready_seconds - (now - since).total_seconds())


def addresses(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """Its IPs, the primary one first; empty before its sandbox is up."""
    status = meta.status(pod)
    listed = tuple(entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip"))
    return listed or ((status["podIP"],) if status.get("podIP") else ())
