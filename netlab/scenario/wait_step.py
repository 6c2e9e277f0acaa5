"""The step `wait`: until pods are ready, a Service has endpoints, something is gone, a rollout is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest
from netlab.scenario.actions import NotYet, Observation, action
from netlab.scenario.changes import OBJECT
from netlab.scenario.schema import Notes, Record, Text, Whole
from netlab.scenario.source import Field
from netlab.scenario.stage import Stage

FIELDS = Record({
    "ready": Text(), "endpoints": Text(), "gone": OBJECT, "condition": Text(), "rollout": Text(),
    "of": OBJECT, "count": Whole(),
}, one_of=("ready", "endpoints", "gone", "condition", "rollout"))


@dataclass(frozen=True)
class Wait:
    """The word `settled`, or a mapping that says what for."""

    called: str = "`settled`, or a mapping"

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, Any]:
        """The mapping."""
        if value == "settled":
            return {"settled": True}
        said = FIELDS.read(value, where, notes)
        if ("condition" in said) != ("of" in said):
            notes.wrong(where, "`condition` and `of` belong together: {condition: Available, of: deployment/web}")
        if "count" in said and "ready" not in said and "endpoints" not in said:
            notes.wrong((*where, "count"), "goes with `ready: LABEL=VALUE` or `endpoints` only")
        return said


@action("wait", Wait(), looks=True)
def wait(stage: Stage, said: dict[str, Any]) -> Observation:
    """Looks once; NotYet says what there is instead."""
    for word, look in WAITS.items():
        if word in said:
            return Observation("wait until " + look(stage, said))
    raise LabError("wait: nothing to wait for")


def _settled(stage: Stage, said: dict[str, Any]) -> str:
    stage.lab.settled()
    return "all controllers have seen the newest objects"


def _ready(stage: Stage, said: dict[str, Any]) -> str:
    text = said["ready"]
    if "/" in text:
        found = stage.object(text)
        if not ready(found):
            raise NotYet(f"{text} is not ready: {_pod_state(found)}")
        return f"{text} is ready"
    pods = [pod for pod in stage.objects("pods", selector=text) if not meta.is_deleting(pod)]
    waiting = [pod for pod in pods if not ready(pod)]
    count = said.get("count")
    if waiting or len(pods) != (count if count is not None else max(1, len(pods))):
        states = ", ".join(f"{meta.name(pod)} {_pod_state(pod)}" for pod in pods) or "none"
        raise NotYet(f"pods with {text}: {states}")
    return f"{len(pods)} pods with {text} are ready"


def ready(pod: Manifest) -> bool:
    """Whether the condition Ready is true."""
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in meta.status(pod).get("conditions") or ())


def _pod_state(pod: Manifest) -> str:
    for container in meta.status(pod).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return f"{waiting['reason']} {waiting.get('message', '')}".strip()
    phase = str(meta.status(pod).get("phase") or "Pending")
    return f"{phase}, {'ready' if ready(pod) else 'not ready'}"


def ready_addresses(stage: Stage, service: str) -> list[str]:
    """The addresses of the Service's ready endpoints, sorted."""
    slices = stage.objects("endpointslices", selector=f"kubernetes.io/service-name={service}")
    return sorted({address for item in slices for endpoint in item.get("endpoints") or ()
                   if (endpoint.get("conditions") or {}).get("ready") is not False
                   for address in endpoint.get("addresses") or ()})


def _endpoints(stage: Stage, said: dict[str, Any]) -> str:
    service, count = said["endpoints"], said.get("count")
    found = ready_addresses(stage, service)
    if (len(found) != count) if count is not None else not found:
        raise NotYet(f"service {service} has {len(found)} ready endpoints: {', '.join(found) or 'none'}")
    return f"service {service} has {len(found)} ready endpoint{'' if len(found) == 1 else 's'}"


def _gone(stage: Stage, said: dict[str, Any]) -> str:
    try:
        stage.object(said["gone"])
    except ApiError as error:
        if error.code != 404:
            raise
        return f"{said['gone']} is gone"
    raise NotYet(f"{said['gone']} is still there")


def _condition(stage: Stage, said: dict[str, Any]) -> str:
    conditions = {c.get("type"): c.get("status") for c in meta.status(stage.object(said["of"])).get("conditions") or ()}
    if conditions.get(said["condition"]) != "True":
        shown = ", ".join(f"{key}={value}" for key, value in conditions.items())
        raise NotYet(f"{said['of']} is not {said['condition']}: {shown or 'no conditions'}")
    return f"{said['of']} is {said['condition']}"


def _rollout(stage: Stage, said: dict[str, Any]) -> str:
    """As `kubectl rollout status` decides it."""
    found = stage.object(f"deployment/{said['rollout']}")
    status, wanted = meta.status(found), meta.spec(found).get("replicas", 1)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    seen = status.get("observedGeneration", 0) >= meta.metadata(found).get("generation", 0)
    if not (seen and updated >= wanted and total <= updated and available >= updated):
        raise NotYet(f"deployment {said['rollout']}: {updated} of {wanted} updated, {available} available, "
                     f"{max(0, total - updated)} old")
    return f"deployment {said['rollout']} is rolled out"


WAITS: dict[str, Callable[[Stage, dict[str, Any]], str]] = {
    "settled": _settled, "ready": _ready, "endpoints": _endpoints, "gone": _gone, "condition": _condition,
    "rollout": _rollout,
}
