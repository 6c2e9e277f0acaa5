"""The state that explains a failed check: the Service, its endpoints and pods, its rules, recent events."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from netlab.model import meta
from netlab.model.errors import ApiError, LabError
from netlab.model.meta import Manifest
from netlab.scenario.objects_step import of_service
from netlab.scenario.stage import Stage
from netlab.scenario.step import Step
from netlab.scenario.variables import fill
from netlab.scenario.wait_step import ready

SERVICES, EVENTS, RULES = 3, 6, 40


def collect(step: Step, stage: Stage) -> list[tuple[str, str]]:
    """(title, text) in the order in which one reads them. A part that cannot be had says why."""
    stage = stage.within(step.namespace or stage.namespace)
    said = fill(step.said, stage.variables) if step.action.name != "apply" else {}
    said = said if isinstance(said, dict) else {}
    found: list[tuple[str, str]] = []

    def part(title: str, text: Callable[[], str]) -> None:
        try:
            found.append((title, text() or "none"))
        except (ApiError, LabError, OSError, KeyError, ValueError) as error:
            found.append((title, f"not to be had: {error}"))

    try:
        services = _concerned(stage.objects("services"), said)
    except (ApiError, LabError, OSError) as error:
        return [("the lab", f"its API does not answer: {error}")]
    node = _node(stage, str(said.get("from") or said.get("in") or said.get("node") or ""))
    for service in services[:SERVICES]:
        name = meta.name(service)
        part(f"service {name}", lambda service=service: _service(service))  # type: ignore[misc]
        part(f"endpoints of {name}", lambda name=name: _endpoints(stage, name))  # type: ignore[misc]
        part(f"rules of {name} on {node}", lambda name=name: _rules(stage, node, name))  # type: ignore[misc]
    part(f"pods in {stage.namespace}", lambda: _pods(stage))
    part("recent events", lambda: _events(stage))
    part("controllers with errors", lambda: _controllers(stage))
    return found


def _concerned(services: list[Manifest], said: dict[str, object]) -> list[Manifest]:
    """The Services that the step names (by name, address or node port), else all but `kubernetes`."""
    words = {str(said.get(key, "")) for key in ("endpoints", "of", "name")}
    url = str(said.get("url", ""))
    parsed = urlsplit(url if "://" in url else f"http://{url}")
    words |= {parsed.hostname or "", *(word.partition(".")[0] for word in (parsed.hostname or "", *words))}
    words |= {str(said.get("object", "")).rpartition("/")[2]}
    try:
        port = parsed.port
    except ValueError:
        port = None
    named = [service for service in services
             if meta.name(service) in words or meta.spec(service).get("clusterIP") in words - {"", "None"}
             or any(item.get("nodePort") == port for item in meta.spec(service).get("ports") or () if port)]
    return named or [service for service in services if meta.name(service) != "kubernetes"]


def _node(stage: Stage, target: str) -> str:
    nodes = stage.lab.spec.nodes
    if target in nodes:
        return target
    for pod in stage.objects("pods"):
        if meta.name(pod) == target.rpartition("/")[2] and meta.spec(pod).get("nodeName") in nodes:
            return str(meta.spec(pod)["nodeName"])
    return nodes[0]


def _service(service: Manifest) -> str:
    spec = meta.spec(service)
    ports = ", ".join(f"{port.get('port')} -> {port.get('targetPort')}"
                      + (f", node port {port['nodePort']}" if port.get("nodePort") else "")
                      for port in spec.get("ports") or ())
    selector = ",".join(f"{key}={value}" for key, value in (spec.get("selector") or {}).items())
    return f"{spec.get('type')} {spec.get('clusterIP') or spec.get('externalName')}; {ports or 'no ports'}; " \
           f"selector {selector or 'none'}"


def _endpoints(stage: Stage, name: str) -> str:
    lines = []
    for item in stage.objects("endpointslices", selector=f"kubernetes.io/service-name={name}"):
        ports = ",".join(str(port.get("port")) for port in item.get("ports") or ())
        for endpoint in item.get("endpoints") or ():
            target = (endpoint.get("targetRef") or {}).get("name", "")
            state = "ready" if (endpoint.get("conditions") or {}).get("ready") is not False else "not ready"
            lines.append(f"{','.join(endpoint.get('addresses') or ())}:{ports} {target} {state}")
    return "\n".join(lines) or _nobody(stage, name)


def _nobody(stage: Stage, name: str) -> str:
    """Why a Service has no endpoint, as far as its selector tells."""
    service = next((item for item in stage.objects("services") if meta.name(item) == name), {})
    selector = meta.spec(service).get("selector") or {}
    wanted = ",".join(f"{key}={value}" for key, value in selector.items())
    if wanted and not any(selector.items() <= meta.labels(pod).items() for pod in stage.objects("pods")):
        return f"none: no pod in {stage.namespace} has the labels {wanted}"
    return "none"


def _rules(stage: Stage, node: str, name: str) -> str:
    lines = of_service(stage.lab.rules(node), f"{stage.namespace}/{name}").splitlines()
    more = [f"... {len(lines) - RULES} more"] if len(lines) > RULES else []
    return "\n".join(lines[:RULES] + more)


def _pods(stage: Stage) -> str:
    lines = []
    for pod in stage.objects("pods"):
        status = meta.status(pod)
        labels = ",".join(f"{key}={value}" for key, value in meta.labels(pod).items())
        state = "Terminating" if meta.is_deleting(pod) else status.get("phase", "Pending")
        lines.append(f"{meta.name(pod)} {state} {'ready' if ready(pod) else 'not ready'} "
                     f"{status.get('podIP', 'no address')} {meta.spec(pod).get('nodeName', 'no node')} {labels}")
    return "\n".join(lines)


def _events(stage: Stage) -> str:
    events = sorted(stage.objects("events"), key=meta.revision)[-EVENTS:]
    return "\n".join(f"{event.get('type', '')} {event.get('reason', '')} "
                     f"{(event.get('involvedObject') or {}).get('kind', '').lower()}/"
                     f"{(event.get('involvedObject') or {}).get('name', '')}: {event.get('message', '')}"
                     for event in events)


def _controllers(stage: Stage) -> str:
    controllers = stage.lab.status().get("controllers")
    if not isinstance(controllers, dict):
        return ""
    return "\n".join(f"{name}: {str(state['error']).strip()}" for name, state in sorted(controllers.items())
                     if isinstance(state, dict) and state.get("error"))
