"""Requests on another version of a kind: bodies are turned into the stored version, answers back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netlab.api.patch import APPLY, apply_patch, check_type
from netlab.api.registry import Registry
from netlab.api.request import Request, parse_json, parse_yaml
from netlab.api.response import Answer, Response, dump
from netlab.api.watch import Watch
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.routes import Route
    from netlab.api.views import View

Handle = Callable[[Request, "Route"], Answer]


def serve_view(handle: Handle, request: Request, route: Route, registry: Registry) -> Answer:
    """The answer to a request whose route has a view; `handle` answers for the stored version."""
    view = route.view
    assert view is not None
    inner = replace(route, view=None)
    if route.subresource in ("", "status"):
        if request.method in ("POST", "PUT"):
            request = _with_body(request, _read(view, request.json()))
        elif request.method == "PATCH" and request.content_type == APPLY:
            request = replace(request, body=dump(_read(view, parse_yaml(request.body))))
        elif request.method == "PATCH":
            check_type(route.kind, request.content_type)
            old = registry.get(route.kind.key, route.name, route.namespace or "")
            new = apply_patch(view.show(old), parse_json(request.body), request.content_type, view.served.kind)
            request = replace(_with_body(request, _read(view, new)), method="PUT")
    answer = handle(request, inner)
    if isinstance(answer, Watch):
        answer.convert = view.show
        return answer
    if isinstance(answer, Response) and answer.content_type == "application/json" and answer.code < 300:
        return replace(answer, body=dump(_shown(view, route, parse_json(answer.body))))
    return answer


def _read(view: View, body: Any) -> Manifest:
    if not isinstance(body, dict):
        raise bad_request(f"{view.served.kind}: the body is no object")
    if body.get("apiVersion") not in (None, "", view.served.api_version):
        raise bad_request(f"the API version in the data ({body['apiVersion']}) does not match the expected API "
                          f"version ({view.served.api_version})")
    return view.read(body)


def _with_body(request: Request, body: Manifest) -> Request:
    headers = {**request.headers, "content-type": "application/json"}
    return replace(request, body=dump(body), headers=headers)


def _shown(view: View, route: Route, body: Any) -> Any:
    if body.get("kind") == route.kind.list_kind:
        return body | {"apiVersion": view.served.api_version, "items": [view.show(item) for item in body["items"]]}
    return view.show(body) if body.get("kind") == route.kind.kind else body
