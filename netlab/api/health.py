"""Whether the server is well: /healthz, /livez and /readyz, as load balancers and people ask for it.

Source: k8s.io/apiserver, pkg/server/healthz.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from netlab.api.request import Request
from netlab.api.response import Response

if TYPE_CHECKING:
    from netlab.api.registry import Registry

PLAIN = "text/plain; charset=utf-8"


_LIVE: dict[str, Callable[[Registry], bool]] = {
    "ping": lambda registry: True, "etcd": lambda registry: registry.store.is_sound(),
    "poststarthook/start-system-namespaces-controller": lambda registry: bool(registry.list("namespaces"))}
CHECKS = {"healthz": _LIVE, "livez": _LIVE, "readyz": _LIVE}


def respond(request: Request, registry: Registry) -> Response | None:
    """The answer to a question for health, None for any other path."""
    place, _, single = request.path.strip("/").partition("/")
    checks = CHECKS.get(place)
    if checks is None or (single and single not in checks):
        return None
    excluded = set(request.query.get("exclude", ()))
    lines, failed = [], []
    for name, check in checks.items():
        if single and name != single:
            continue
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
        elif check(registry):
            lines.append(f"[+]{name} ok")
        else:
            lines.append(f"[-]{name} failed: reason withheld")
            failed.append(name)
    if unknown := sorted(excluded - checks.keys()):
        quoted = " ".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    if failed:
        return Response(500, "\n".join([*lines, f"{place} check failed", ""]).encode(), PLAIN)
    if single or not request.flag("verbose"):
        return Response(200, b"ok", PLAIN)
    return Response(200, "\n".join([*lines, f"{place} check passed", ""]).encode(), PLAIN)
