"""The paths of the API as OpenAPI has them: which requests there are, and on what kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from netlab.api.discovery import LOCAL, REVIEW_GROUPS, REVIEWS, subresource
from netlab.api.resource import Resource
from netlab.api.served import Served

_METHODS = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
_CONNECTING = ("exec", "attach", "portforward", "proxy")
_WRITE = (("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
_READ = (("labelSelector", "string"), ("fieldSelector", "string"), ("limit", "integer"), ("continue", "string"),
         ("resourceVersion", "string"), ("watch", "boolean"))
_QUERIES: dict[str, tuple[tuple[str, str], ...]] = {
    "list": _READ, "deletecollection": _READ[:2], "post": _WRITE, "put": _WRITE,
    "patch": (*_WRITE, ("force", "boolean")),
    "delete": (("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string"))}


class Operation(NamedTuple):
    """One request: `action` is what x-kubernetes-action says, `identity` the group, version and kind it is about."""

    path: str
    method: str
    action: str
    identity: dict[str, str]

    def document(self, version: int) -> dict[str, Any]:
        """The operation object of OpenAPI 2 or 3."""
        queries = _QUERIES.get(self.action, ())
        parameters = [{"name": name, "in": "query"} | ({"schema": _typed(kind)} if version == 3 else _typed(kind))
                      for name, kind in queries]
        return {"operationId": _operation_id(self), "parameters": parameters,
                "responses": {"200": {"description": "OK"}}, "x-kubernetes-action": self.action,
                "x-kubernetes-group-version-kind": self.identity}


def operations(served: Served, group: str, version: str) -> Iterator[Operation]:
    """Every request of one version of a group."""
    for kind in served.kinds(group, version):
        yield from _of_kind(kind)
    for plural in REVIEW_GROUPS.get(group, ()):
        place = f"/apis/{group}/{version}/" + ("namespaces/{namespace}/" if plural == LOCAL else "") + plural
        yield Operation(place, "post", "post", {"group": group, "version": version, "kind": REVIEWS[plural]})


def document(found: Iterator[Operation], version: int) -> dict[str, Any]:
    """The `paths` of an OpenAPI document."""
    paths: dict[str, Any] = {}
    for operation in found:
        item = paths.setdefault(operation.path, {})
        names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
        if names and not item:
            kind = {"schema": {"type": "string"}} if version == 3 else {"type": "string"}
            item["parameters"] = [{"name": name, "in": "path", "required": True} | kind for name in names]
        item[operation.method] = operation.document(version)
    return paths


def _of_kind(kind: Resource) -> Iterator[Operation]:
    identity = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    collection = kind.prefix + ("/namespaces/{namespace}/" if kind.namespaced else "/") + kind.plural
    for method, action in (("get", "list"), ("post", "post"), ("delete", "deletecollection")):
        yield Operation(collection, method, action, identity)
    if kind.namespaced:
        yield Operation(f"{kind.prefix}/{kind.plural}", "get", "list", identity)
    for method in ("get", "put", "patch", "delete"):
        yield Operation(collection + "/{name}", method, method, identity)
    for name in kind.subresources:
        extra, verbs = subresource(kind, name)
        place = f"{collection}/{{name}}/{name}"
        for verb in verbs:
            action = "connect" if name in _CONNECTING else _METHODS[verb]
            yield Operation(place, _METHODS[verb], action, identity | extra)


def _typed(kind: str) -> dict[str, Any]:
    return {"type": kind, "uniqueItems": True}


def _operation_id(operation: Operation) -> str:
    words = [part.strip("{}") for part in operation.path.split("/")[2:]]
    return operation.action + "".join(word.replace(".", "").capitalize() for word in words)
