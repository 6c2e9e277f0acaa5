"""What only pods can be asked: their logs, eviction, binding to a node."""

from __future__ import annotations

from typing import Any

from netlab.api import disruption
from netlab.api.delete_options import DeleteOptions
from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.response import LogRequest, Response, json_response
from netlab.api.routes import Route
from netlab.model import meta
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest

SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def log_request(registry: Registry, request: Request, route: Route) -> LogRequest:
    """Which log is wanted. ApiError 400 when the container is not given or not known, or has not started yet."""
    pod = registry.get("pods", route.name, route.namespace or "")
    container = container_of(pod, request.text("container"))
    _check_started(pod, container, previous=request.flag("previous"))
    return LogRequest(route.namespace or "", route.name, container, follow=request.flag("follow"),
                      previous=request.flag("previous"), timestamps=request.flag("timestamps"),
                      tail_lines=request.number("tailLines"), since_seconds=request.number("sinceSeconds"),
                      since_time=request.text("sinceTime"), limit_bytes=request.number("limitBytes"))


def container_of(pod: Manifest, wanted: str) -> str:
    """The container's name, or the only one's; ApiError 400 when there is none of that name, or several."""
    spec = meta.spec(pod)
    names = [c["name"] for c in spec.get("containers") or ()]
    others = [c["name"] for field in ("initContainers", "ephemeralContainers") for c in spec.get(field) or ()]
    if not wanted:
        if len(names) == 1:
            return str(names[0])
        text = f"a container name must be specified for pod {meta.name(pod)}, choose one of: [{' '.join(names)}]"
        if others:
            text += f" or one of the init containers: [{' '.join(others)}]"
        raise bad_request(text)
    if wanted not in names + others:
        raise bad_request(f"container {wanted} is not valid for pod {meta.name(pod)}")
    return wanted


def _check_started(pod: Manifest, container: str, *, previous: bool) -> None:
    status = meta.status(pod)
    fields = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    found: dict[str, Any] = next((s for field in fields for s in status.get(field) or ()
                                  if s.get("name") == container), {})
    state, last = found.get("state") or {}, found.get("lastState") or {}
    where = f'container "{container}" in pod "{meta.name(pod)}"'
    if previous:
        if not last.get("terminated"):
            raise bad_request(f"previous terminated {where.replace(' in pod', ' in pod', 1)} not found")
    elif not meta.spec(pod).get("nodeName") or not (state.get("running") is not None or state.get("terminated")
                                                    or last.get("terminated")):
        reason = (state.get("waiting") or {}).get("reason")
        raise bad_request(f"{where} is waiting to start: {reason}" if reason else f"{where} is not available")


def evict(registry: Registry, request: Request, route: Route) -> Response:
    """Deletes the pod, as `kubectl drain` asks for it. ApiError 429 when its disruption budget has no room."""
    body = request.json() if request.body.strip() else {}
    if not isinstance(body, dict):
        raise bad_request("Eviction: the body is no object")
    options = DeleteOptions.from_manifest(body.get("deleteOptions") or {}, request)
    disruption.check(registry, registry.get("pods", route.name, route.namespace or ""))
    registry.delete("pods", route.name, namespace=route.namespace or "", grace_period=options.grace_period,
                    dry_run=options.dry_run, uid=options.uid)
    return json_response(SUCCESS | {"code": 201}, 201)


def bind(registry: Registry, request: Request, route: Route) -> Response:
    """Assigns the pod to the node that the Binding names."""
    body = request.json()
    target = body.get("target") if isinstance(body, dict) else None
    name = target.get("name") if isinstance(target, dict) else None
    if not isinstance(name, str) or not name:
        raise bad_request("Binding: target.name is required")
    registry.get("nodes", name)
    registry.bind(route.namespace or "", route.name, name)
    return json_response(SUCCESS | {"code": 201}, 201)
