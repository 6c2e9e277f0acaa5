"""A pod's phase and conditions from the states of its containers (kubelet's getPhase and pkg/kubelet/status)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netlab.controllers.kubelet.containers import ContainerState, container_status
from netlab.model import meta
from netlab.model.meta import Manifest

Condition = dict[str, Any]
KUBELET_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """Whether an init container runs all the pod's life (restartPolicy Always, KEP-753)."""
    return container.get("restartPolicy") == "Always"


def phase(spec: Mapping[str, Any], init: Mapping[str, ContainerState], main: Mapping[str, ContainerState]) -> str:
    """Pending, Running, Succeeded or Failed."""
    policy = spec.get("restartPolicy") or "Always"
    initializing = failed = 0
    for container in spec.get("initContainers") or ():
        state = init.get(container["name"])
        if is_sidecar(container):
            initializing += state is None or state.attempt < 0
        elif state and state.ended and not state.running:
            failed += state.ended.code != 0
        else:
            initializing += 1
    if failed and policy == "Never":
        return "Failed"
    if failed or initializing:
        return "Pending"
    states = [main.get(container["name"]) for container in spec.get("containers") or ()]
    ended = [state.ended for state in states if state and state.ended and not state.running]
    running = sum(1 for state in states if state and state.running)
    if len(ended) + running < len(states):
        return "Pending"
    if not over(spec, main) or any(state.running for state in init.values()):  # sidecars are the last to go
        return "Running"
    if all(end.code == 0 for end in ended):
        return "Succeeded"
    return "Failed"


def over(spec: Mapping[str, Any], main: Mapping[str, ContainerState]) -> bool:
    """Whether all containers have ended and none will be started again."""
    policy = spec.get("restartPolicy") or "Always"
    states = [main.get(container["name"]) for container in spec.get("containers") or ()]
    ended = [state.ended for state in states if state and state.ended and not state.running]
    return policy != "Always" and len(ended) == len(states) and (policy == "Never" or all(e.code == 0 for e in ended))


def initialized(spec: Mapping[str, Any], init: Mapping[str, ContainerState]) -> list[str]:
    """The init containers that are not done yet (empty: the pod is initialized)."""
    return [container["name"] for container in spec.get("initContainers") or ()
            if not init_done(container, init.get(container["name"]))]


def init_done(container: Mapping[str, Any], state: ContainerState | None) -> bool:
    """Whether the next init container may start: this one has succeeded, or, if a sidecar, has started."""
    if state is None:
        return False
    if is_sidecar(container):
        return state.running and state.passed_startup
    return not state.running and state.ended is not None and state.ended.code == 0


def conditions(pod: Manifest, *, phase: str, sandbox: bool, init: Mapping[str, ContainerState],
               main: Mapping[str, ContainerState], now: str) -> list[Condition]:
    """The pod's conditions: the kubelet's own computed, others kept; transition times change with the status only."""
    spec, stored = meta.spec(pod), {c["type"]: c for c in meta.status(pod).get("conditions") or ()}
    sidecars = [c["name"] for c in spec.get("initContainers") or () if is_sidecar(c)]
    everyone = [(name, init.get(name)) for name in sidecars]
    everyone += [(c["name"], main.get(c["name"])) for c in spec.get("containers") or ()]
    unready = [name for name, state in everyone if state is None or not state.ready]
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    if over:
        containers = _false("ContainersReady", over)
    elif unready:
        containers = _false("ContainersReady", "ContainersNotReady",
                            f"containers with unready status: [{' '.join(unready)}]")
    else:
        containers = _true("ContainersReady")
    missing = [] if phase == "Succeeded" else initialized(spec, init)
    computed = (
        _true("PodReadyToStartContainers") if sandbox else _false("PodReadyToStartContainers"),
        _false("Initialized", "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(missing)}]")
        if missing else _true("Initialized") | ({"reason": "PodCompleted"} if phase == "Succeeded" else {}),
        _ready(containers, spec.get("readinessGates") or (), stored), containers, _true("PodScheduled"),
    )
    own = [_since(condition, stored.get(condition["type"]), now) for condition in computed]
    return own + [c for kind, c in stored.items() if kind not in KUBELET_CONDITIONS]


def _ready(containers: Condition, gates: Sequence[Mapping[str, Any]], stored: Mapping[str, Condition]) -> Condition:
    messages = []
    for gate in gates:
        kind = gate["conditionType"]
        if kind not in stored:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif (value := stored[kind].get("status")) != "True":
            messages.append(f'the status of pod readiness gate "{kind}" is not "True", but {value}')
    if containers["status"] != "True":
        return containers | {"type": "Ready"}
    return _false("Ready", "ReadinessGatesNotReady", ", ".join(messages)) if messages else _true("Ready")


def _true(kind: str) -> Condition:
    return {"type": kind, "status": "True", "lastProbeTime": None}


def _false(kind: str, reason: str = "", message: str = "") -> Condition:
    return {"type": kind, "status": "False", "lastProbeTime": None} \
        | {key: value for key, value in (("reason", reason), ("message", message)) if value}


def _since(condition: Condition, old: Mapping[str, Any] | None, now: str) -> Condition:
    same = old is not None and old.get("status") == condition["status"] and old.get("lastTransitionTime")
    return condition | {"lastTransitionTime": same or now}


def pod_status(pod: Manifest, *, addresses: Sequence[str], host_ips: Sequence[str], sandbox: bool,
               init: Iterable[ContainerState],
               main: Iterable[ContainerState], now: str, ephemeral: Iterable[ContainerState] = ()) -> dict[str, Any]:
    """The pod's whole status; what other writers keep in it stays."""
    init_states, main_states = {s.name: s for s in init}, {s.name: s for s in main}
    spec, old, uid = meta.spec(pod), meta.status(pod), meta.uid(pod)
    now_phase = phase(spec, init_states, main_states)
    status = {key: value for key, value in old.items() if key not in ("reason", "message")}
    status |= {
        "phase": now_phase, "startTime": old.get("startTime") or now, "hostIP": host_ips[0],
        "hostIPs": [{"ip": ip} for ip in host_ips],
        "conditions": conditions(pod, phase=now_phase, sandbox=sandbox, init=init_states, main=main_states, now=now),
        "containerStatuses": [container_status(main_states[c["name"]], uid) for c in spec.get("containers") or ()],
    }
    if addresses:
        status |= {"podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]}
    if spec.get("initContainers"):
        status["initContainerStatuses"] = [
            container_status(init_states[c["name"]], uid) | (
                {} if is_sidecar(c) else {"ready": init_done(c, init_states[c["name"]])})
            for c in spec["initContainers"]]
    if spec.get("ephemeralContainers"):
        status["ephemeralContainerStatuses"] = [container_status(state, uid) | {"ready": False} for state in ephemeral]
    return status
