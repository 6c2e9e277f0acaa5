"""OpenAPI as far as kubectl needs it: for its checks before a write, and for `kubectl explain`."""

from __future__ import annotations

from functools import cache
from typing import Any

from netlab.api.discovery import VERSION, groups
from netlab.api.resources import RESOURCES
from netlab.api.response import Response, dump, json_response
from netlab.api.shapes import Shape, types

V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_SCHEMA = "io.k8s.api."
_PLAIN: dict[str, dict[str, Any]] = {
    "string": {"type": "string"}, "bool": {"type": "boolean"}, "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"}, "intstr": {"type": "string", "format": "int-or-string"},
    "quantity": {"type": "string"}, "time": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"}, "object": {"type": "object"}, "any": {}}


def respond(path: str) -> Response | None:
    """The answer below /openapi, None for any other path. Version 2 is an empty document, which kubectl accepts."""
    if path == "/openapi/v2":
        return Response(200, b"", V2_TYPE)
    if path == "/openapi/v3":
        places = ["api/v1", *(f"apis/{group}/v1" for group in groups())]
        return json_response({"paths": {p: {"serverRelativeURL": f"/openapi/v3/{p}?hash=1"} for p in places}})
    if path == "/openapi/v3/api/v1":
        return Response(200, _document(""))
    for group in groups():
        if path == f"/openapi/v3/apis/{group}/v1":
            return Response(200, _document(group))
    return None


@cache
def _document(group: str) -> bytes:
    paths, schemas = {}, {}
    parameters = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
                  for name in ("dryRun", "fieldManager", "fieldValidation")]
    for kind in RESOURCES.values():
        if kind.group != group:
            continue
        own = {"group": group, "version": "v1", "kind": kind.kind}
        place = f"{kind.prefix}/" + ("namespaces/{namespace}/" if kind.namespaced else "") + kind.plural + "/{name}"
        paths[place] = {"patch": {"x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": own,
                                  "parameters": parameters, "responses": {"200": {"description": "OK"}}}}
        schemas[_SCHEMA + kind.kind] = _struct(kind.kind) | {"x-kubernetes-group-version-kind": [own]}
    wanted = list(schemas)
    while wanted:  # everything that these refer to
        for reference in _references(schemas[wanted.pop()]):
            if reference not in schemas:
                schemas[reference] = _struct(reference.removeprefix(_SCHEMA))
                wanted.append(reference)
    return dump({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]}, "paths": paths,
                 "components": {"schemas": schemas}})


def _struct(name: str) -> dict[str, Any]:
    return {"type": "object", "description": f"{name}: see the Kubernetes API reference.",
            "properties": {field: _property(shape) for field, shape in types()[name].items()}}


def _property(shape: Shape) -> dict[str, Any]:
    element = shape.element
    if shape.form == "list" and element:
        return {"type": "array", "items": _property(element)}
    if shape.form == "map" and element:
        return {"type": "object", "additionalProperties": _property(element)}
    if shape.form == "struct":
        return {"allOf": [{"$ref": f"#/components/schemas/{_SCHEMA}{shape.name}"}]}
    return _PLAIN[shape.form]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            return [value["$ref"].rpartition("/")[2]]
        return [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []
