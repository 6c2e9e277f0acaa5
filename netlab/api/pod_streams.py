"""Which program, container or ports of a pod a request wants to be joined with: exec, attach, portforward."""

from __future__ import annotations

from netlab.api.pod_requests import container_of
from netlab.api.registry import Registry
from netlab.api.request import Request
from netlab.api.response import Response, StreamRequest
from netlab.api.routes import Route
from netlab.model import meta
from netlab.model.errors import bad_request, forbidden_request
from netlab.model.meta import Manifest

STREAMS = ("exec", "attach", "portforward")
METHODS = ("GET", "POST")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def stream_request(registry: Registry, request: Request, route: Route) -> StreamRequest | Response:
    """What is wanted, or the kubelet's refusal. ApiError 404, 400, or 403 on a socket that may only read."""
    if request.read_only:
        raise forbidden_request(f"pods/{route.subresource}", route.name, "this socket is read-only")
    pod = registry.get("pods", route.name, route.namespace or "")
    forward = route.subresource == "portforward"
    container = "" if forward else container_of(pod, request.text("container"))
    if not meta.spec(pod).get("nodeName"):
        raise bad_request(f"pod {route.name} does not have a host assigned")
    if forward:
        return _forward(request, route, pod)
    if refusal := _not_running(route, pod, container):
        return refusal
    tty = resizes = request.flag("tty")
    if route.subresource == "attach":
        tty = any(c.get("tty") for field in ("containers", "initContainers", "ephemeralContainers")
                  for c in meta.spec(pod).get(field) or () if c["name"] == container)
    wanted = StreamRequest(
        route.subresource, route.namespace or "", route.name, meta.uid(pod), container=container,
        command=request.query.get("command", ()) if route.subresource == "exec" else (), stdin=request.flag("stdin"),
        stdout=request.flag("stdout"), stderr=request.flag("stderr") and not tty, tty=tty,
        resizes=resizes)
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if route.subresource == "exec" and not any(wanted.command):
        raise bad_request("you must specify at least one command for the container")
    return wanted


def _not_running(route: Route, pod: Manifest, container: str) -> Response | None:
    """The kubelet's words, which kubectl shows after "unable to upgrade connection: "; they are no Status upstream."""
    status = meta.status(pod)
    entries = [entry for field in _STATUSES for entry in status.get(field) or () if entry.get("name") == container]
    if any((entry.get("state") or {}).get("running") is not None for entry in entries):
        return None
    text = f'container not found ("{container}")' if route.subresource == "exec" else \
        f"container {container} not found in pod {route.name}_{route.namespace}"
    return Response(500, text.encode(), "text/plain; charset=utf-8")


def _forward(request: Request, route: Route, pod: Manifest) -> StreamRequest | Response:
    if meta.status(pod).get("phase") != "Running":
        return Response(500, f'pod not found ("{route.name}_{route.namespace}")'.encode(), "text/plain; charset=utf-8")
    ports = [part for value in request.query.get("ports", ()) for part in value.split(",") if part]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) < 65536 for part in ports):
        raise bad_request(f'query parameter "ports": "{",".join(ports)[:100]}": must be port numbers')
    return StreamRequest("portforward", route.namespace or "", route.name, meta.uid(pod), ports=tuple(map(int, ports)))
