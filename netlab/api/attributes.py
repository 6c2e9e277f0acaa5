"""What a request wants to do, in the words of authorisation: verb, group, resource, namespace, name.

Source: k8s.io/apiserver, pkg/endpoints/request/requestinfo.go. It is read from the path alone, so that it says the
same of kinds that nobody serves.
"""

from __future__ import annotations

from dataclasses import dataclass

from netlab.api.request import Request
from netlab.model.errors import ApiError, forbidden_request
from netlab.model.selectors import parse_fields

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_A_NAMESPACE = ("status", "finalize")


@dataclass(frozen=True)
class Attributes:
    """A wish. `path` is set, and nothing of a resource, when it is no request on a resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    version: str = ""

    @property
    def combined(self) -> str:
        """`pods`, `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def of(request: Request) -> Attributes:
    """The attributes of a request."""
    parts = request.path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return Attributes(request.method.lower(), path=request.path)
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _OF_A_NAMESPACE:
            parts = parts[2:]
    resource, name, subresource = [*parts, "", ""][:3]
    return Attributes(_verb(request, name), group, resource, subresource, namespace, name or _selected(request),
                      version=version)


def _verb(request: Request, name: str) -> str:
    verb = _VERBS.get(request.method, request.method.lower())
    if request.method in ("GET", "HEAD") and not name:
        return "watch" if request.flag("watch") else "list"
    if verb == "get" and request.flag("watch"):
        return "watch"
    return "deletecollection" if verb == "delete" and not name else verb


def _selected(request: Request) -> str:
    """A list of one name is about that name: roles with resourceNames allow `kubectl get -w` by it."""
    if "fieldSelector" not in request.query or request.method not in ("GET", "HEAD"):
        return ""
    try:
        terms = parse_fields(request.text("fieldSelector")).terms
    except ApiError:
        return ""
    names = [term.value for term in terms if term.path == "metadata.name" and term.equal]
    return names[0] if len(names) == 1 else ""


def refusal(user: str, wanted: Attributes, reason: str = "") -> ApiError:
    """403 in upstream's words."""
    if wanted.path:
        text = f'User "{user}" cannot {wanted.verb} path "{wanted.path}"'
        return ApiError(403, "Forbidden", f"forbidden: {text}" + (f": {reason}" if reason else ""))
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    text = f'User "{user}" cannot {wanted.verb} resource "{wanted.combined}" in API group "{wanted.group}" {where}'
    return forbidden_request(wanted.resource, wanted.name, text + (f": {reason}" if reason else ""), wanted.group)
