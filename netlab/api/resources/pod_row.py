"""The row that kubectl prints of a pod, with upstream's words (pkg/printers/internalversion)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import NONE, age, joined
from netlab.api.columns import since as ago
from netlab.api.resource import Column
from netlab.model import meta
from netlab.model.meta import Manifest

COLUMNS = (Column("Name"), Column("Ready"), Column("Status"), Column("Restarts"), Column("Age"), Column("IP", 1),
           Column("Node", 1), Column("Nominated Node", 1), Column("Readiness Gates", 1))


def status_word(pod: Manifest) -> str:
    """The STATUS that kubectl prints: the phase, or what holds the pod up."""
    status = meta.status(pod)
    word = status.get("reason") or status.get("phase") or "Unknown"
    if any(c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated"
           for c in status.get("conditions") or ()):
        word = "SchedulingGated"
    word = _init_word(pod) or word
    if _counts_containers(pod):
        running = False
        for container in reversed(status.get("containerStatuses") or ()):
            state = container.get("state") or {}
            if (state.get("waiting") or {}).get("reason"):
                word = state["waiting"]["reason"]
            elif state.get("terminated") is not None:
                word = _end_word(state["terminated"])
            elif container.get("ready") and "running" in state:
                running = True
        if word == "Completed" and running:
            ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
            word = "Running" if ready else "NotReady"
    if meta.is_deleting(pod):
        if status.get("reason") == "NodeLost":
            word = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            word = "Terminating"
    return str(word)


def _end_word(terminated: dict[str, Any]) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    return f"Signal:{terminated['signal']}" if terminated.get("signal") else f"ExitCode:{terminated.get('exitCode', 0)}"


def _init_word(pod: Manifest) -> str:
    """`Init:0/2` or what else tells of the init container that is under way; "" when all are done."""
    declared = meta.spec(pod).get("initContainers") or []
    for index, container in enumerate(meta.status(pod).get("initContainerStatuses") or ()):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if (ended is not None and ended.get("exitCode", 0) == 0) or \
                (container.get("name") in _sidecars(pod) and container.get("started")):
            continue
        if ended is not None:
            return f"Init:{_end_word(ended)}"
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(declared)}"
    return ""


def _counts_containers(pod: Manifest) -> bool:
    """Whether the row tells of the containers, not of the init containers."""
    return not _init_word(pod) or any(c.get("type") == "Initialized" and c.get("status") == "True"
                                      for c in meta.status(pod).get("conditions") or ())


def _sidecars(pod: Manifest) -> set[str]:
    return {c["name"] for c in meta.spec(pod).get("initContainers") or () if c.get("restartPolicy") == "Always"}


def _restarts(pod: Manifest, now: datetime) -> str:
    """Restarts of the init containers until all are done, then of the containers and sidecars."""
    status, sidecars = meta.status(pod), _sidecars(pod)
    statuses = list(status.get("initContainerStatuses") or ())
    if _counts_containers(pod):
        statuses = [s for s in statuses if s.get("name") in sidecars] + list(status.get("containerStatuses") or ())
    count = sum(s.get("restartCount", 0) for s in statuses)
    ends = [e for s in statuses if (e := ((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))]
    return f"{count} ({ago(max(ends), now)} ago)" if count and ends else str(count)


def row(pod: Manifest, now: datetime) -> list[Any]:
    """One cell per column."""
    spec, status = meta.spec(pod), meta.status(pod)
    sidecars = _sidecars(pod)
    counted = [c for c in status.get("initContainerStatuses") or () if c.get("name") in sidecars]
    counted += status.get("containerStatuses") or ()
    ready = sum(bool(c.get("ready") and "running" in (c.get("state") or {})) for c in counted)
    gates = spec.get("readinessGates") or []
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    open_gates = sum(conditions.get(g.get("conditionType")) == "True" for g in gates)
    total = len(spec.get("containers") or ()) + len(sidecars)
    return [meta.name(pod), f"{ready}/{total}", status_word(pod), _restarts(pod, now), age(pod, now),
            joined([p.get("ip", "") for p in status.get("podIPs") or ()][:1], status.get("podIP") or NONE),
            spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE,
            f"{open_gates}/{len(gates)}" if gates else NONE]
