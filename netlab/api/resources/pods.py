"""Pods: a sandbox with containers on one node."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from netlab.api.columns import NONE, age, joined
from netlab.api.columns import since as ago
from netlab.api.decode import copy
from netlab.api.pod_defaults import default_pod_spec, fill
from netlab.api.pod_rules import pod_spec_errors
from netlab.api.resource import Column, Resource
from netlab.api.service_accounts import give_token
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.registry import Registry

_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_FIXED = ("pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
          "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
          "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)")


def _default(pod: Manifest) -> None:
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    fill(spec, enableServiceLinks=True, serviceAccountName="default", serviceAccount="default", priority=0,
         preemptionPolicy="PreemptLowerPriority")


def _prepare(registry: Registry, new: Manifest, old: Manifest | None) -> None:
    if old is not None:
        return
    tolerations = new["spec"].setdefault("tolerations", [])
    covered = {t.get("key") for t in tolerations}
    tolerations += [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                    for key in _TOLERATIONS if not {key, None, ""} & covered]
    new["status"] = {"phase": "Pending", "qosClass": qos_class(new["spec"])}
    if registry.issuer is not None:
        give_token(registry, new)


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort, from the containers' requests and limits of CPU and memory."""
    found = [c.get("resources") or {} for c in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]]
    limits = [{k: v for k, v in (r.get("limits") or {}).items() if k in ("cpu", "memory")} for r in found]
    requests = [{k: v for k, v in (r.get("requests") or {}).items() if k in ("cpu", "memory")} for r in found]
    if not any(limits) and not any(requests):
        return "BestEffort"
    return "Guaranteed" if all(len(limit) == 2 and limit == ask
                               for limit, ask in zip(limits, requests, strict=True)) else "Burstable"


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = pod_spec_errors(new["spec"])
    if old is not None and not errors and _fixed_part(new, old) != _fixed_part(old, old):
        errors.append(forbidden("spec", _FIXED))
    return errors


def _fixed_part(pod: Manifest, old: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = copy(pod["spec"])
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            container.pop("image", None)
            container.pop("imagePullPolicy", None)
    for field in ("activeDeadlineSeconds", "ephemeralContainers"):
        spec.pop(field, None)
    before = old["spec"].get("tolerations") or []
    if all(t in (spec.get("tolerations") or []) for t in before):
        spec.pop("tolerations", None)
    if not old["spec"].get("nodeName"):  # binding to a node
        spec.pop("nodeName", None)
    return spec


COLUMNS = (Column("Name"), Column("Ready"), Column("Status"), Column("Restarts"), Column("Age"), Column("IP", 1),
           Column("Node", 1), Column("Nominated Node", 1), Column("Readiness Gates", 1))


def status_word(pod: Manifest) -> str:
    """The STATUS that kubectl prints: the phase, or what holds the pod up."""
    status, spec = meta.status(pod), meta.spec(pod)
    word = status.get("reason") or status.get("phase") or "Unknown"
    initializing = False
    declared = spec.get("initContainers") or []
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        always = index < len(declared) and declared[index].get("restartPolicy") == "Always"
        if (ended is not None and ended.get("exitCode", 0) == 0) or (always and container.get("started")):
            continue
        if ended is not None:
            word = f"Init:{_end_word(ended)}"
        elif waiting.get("reason") not in (None, "", "PodInitializing"):
            word = f"Init:{waiting['reason']}"
        else:
            word = f"Init:{index}/{len(declared)}"
        initializing = True
        break
    if not initializing:
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


def _restarts(pod: Manifest, now: datetime) -> str:
    statuses = [s for f in ("initContainerStatuses", "containerStatuses") for s in meta.status(pod).get(f) or ()]
    if meta.status(pod).get("containerStatuses"):
        statuses = list(meta.status(pod)["containerStatuses"])
    count = sum(s.get("restartCount", 0) for s in statuses)
    ends = [e for s in statuses if (e := ((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))]
    return f"{count} ({ago(max(ends), now)} ago)" if count and ends else str(count)


def _row(pod: Manifest, now: datetime) -> list[Any]:
    spec, status = meta.spec(pod), meta.status(pod)
    ready = sum(bool(c.get("ready")) for c in status.get("containerStatuses") or ())
    gates = spec.get("readinessGates") or []
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    open_gates = sum(conditions.get(g.get("conditionType")) == "True" for g in gates)
    return [meta.name(pod), f"{ready}/{len(spec.get('containers') or ())}", status_word(pod), _restarts(pod, now),
            age(pod, now),
            joined([p.get("ip", "") for p in status.get("podIPs") or ()][:1], status.get("podIP") or NONE),
            spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE,
            f"{open_gates}/{len(gates)}" if gates else NONE]


PODS = Resource("pods", "Pod", short_names=("po",), categories=("all",),
                subresources=("status", "log", "binding", "eviction", "ephemeralcontainers"),
                default=_default, prepare=_prepare, validate=_validate, columns=COLUMNS, row=_row)
