"""Paths of the API: which resource, namespace, object and subresource they name."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.api.resource import Resource
from netlab.api.served import BUILT_IN, Served
from netlab.api.views import View
from netlab.model.errors import ApiError

NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True)
class Route:
    """A place in the API. `namespace` is None for a list across namespaces, and "" for what is in none."""

    kind: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows a subresource that takes a path (proxy)
    view: View | None = None  # the version that was asked for, when it is not the stored one


def find(path: str, served: Served = BUILT_IN) -> Route | None:
    """The route of a path below /api or /apis, None when it names no resource that is served."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        group, version, parts = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace: str | None = None
    if parts[:1] == ["namespaces"] and len(parts) > 2 and not (len(parts) == 3 and parts[2] in NAMESPACE_SUBRESOURCES):
        namespace, parts = parts[1], parts[2:]
        if not namespace:
            return None
    if not parts or not all(parts[:2]):
        return None
    found = served.find(group, version, parts[0])
    if found is None:
        return None
    kind, view = found
    if kind.namespaced:
        if namespace is None and len(parts) > 1:
            return None
    elif namespace is not None:
        return None
    else:
        namespace = ""
    name, subresource = [*parts, "", ""][1:3]
    return Route(kind, namespace, name, subresource, "/".join(parts[3:]), view)


def unknown_path() -> ApiError:
    """404 for a path that names nothing."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def no_such_method() -> ApiError:
    """405: the place is there, and cannot do that."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
