"""The types of the API as OpenAPI has them, in version 2 and in version 3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.api import descriptions
from netlab.api.shapes import Shape, Type, bare, types

Schema = dict[str, Any]
PLACES = {2: "#/definitions/", 3: "#/components/schemas/"}
_PLAIN: dict[str, Schema] = {
    "string": {"type": "string"}, "bool": {"type": "boolean"}, "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"}, "bytes": {"type": "string", "format": "byte"},
    "object": {"type": "object"}, "any": {}, "time": {"type": "string", "format": "date-time"}}
_CHOICES: dict[tuple[str, int], Schema] = {
    ("intstr", 2): {"type": "string", "format": "int-or-string"},
    ("intstr", 3): {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    ("quantity", 2): {"type": "string"}, ("quantity", 3): {"oneOf": [{"type": "string"}, {"type": "number"}]}}
_DEFAULTS = {"Protocol": "TCP"}


def model_name(name: str) -> str:
    """A type as OpenAPI names it: `io.k8s.api.core.v1.Service`."""
    return f"{types()[name].package}.{bare(name)}"


def schemas(kinds: Iterable[tuple[str, dict[str, str]]], version: int) -> dict[str, Schema]:
    """The schemas of some kinds, and of all that they refer to, by model name. Each kind comes with its GVK."""
    identities: dict[str, list[dict[str, str]]] = {}
    for name, identity in kinds:
        identities.setdefault(name, []).append(identity)
    found: dict[str, Schema] = {}
    wanted = list(identities)
    while wanted:
        name = wanted.pop()
        if model_name(name) in found:
            continue
        found[model_name(name)] = schema = _model(types()[name], version)
        if any(identities.get(name, ())):
            schema["x-kubernetes-group-version-kind"] = identities[name]
        for shape in types()[name].fields.values():
            while shape.element:
                shape = shape.element
            if _is_model(shape):
                wanted.append(shape.name)
    return dict(sorted(found.items()))


def _is_model(shape: Shape) -> bool:
    return bool(shape.name) and shape.form != "string"


def _model(known: Type, version: int) -> Schema:
    head: Schema = {}
    if text := descriptions.of_type(known.name):
        head["description"] = text
    if known.form:
        return head | (_CHOICES.get((known.form, version)) or _PLAIN[known.form])
    head["type"] = "object"
    if known.required:
        head["required"] = sorted(known.required)
    if known.atomic:
        head["x-kubernetes-map-type"] = "atomic"
    return head | {"properties": {field: _field(known.name, field, shape, version)
                                  for field, shape in sorted(known.fields.items())}}


def _field(owner: str, name: str, shape: Shape, version: int) -> Schema:
    schema = _value(shape, version)
    if text := descriptions.of_field(owner, name):
        schema["description"] = text
    if shape.form == "list":
        strategy = ["merge"] if shape.merge_key else []
        if shape.merge_key in ("", "="):
            schema["x-kubernetes-list-type"] = "set" if shape.merge_key else "atomic"
        else:
            schema["x-kubernetes-list-type"] = "map"
            schema["x-kubernetes-list-map-keys"] = [shape.merge_key, *shape.more_keys]
            schema["x-kubernetes-patch-merge-key"] = shape.merge_key
    else:
        strategy = []
        if "atomic" in shape.marks:
            schema["x-kubernetes-map-type"] = "atomic"
    if "retainKeys" in shape.marks:
        strategy.append("retainKeys")
    if strategy:
        schema["x-kubernetes-patch-strategy"] = ",".join(strategy)
    return schema


def _value(shape: Shape, version: int) -> Schema:
    if shape.form == "list" and shape.element:
        return {"type": "array", "items": _value(shape.element, version)}
    if shape.form == "map" and shape.element:
        return {"type": "object", "additionalProperties": _value(shape.element, version)}
    if _is_model(shape):
        reference = {"$ref": PLACES[version] + model_name(shape.name)}
        return {"allOf": [reference]} if version == 3 else dict(reference)  # in version 3 nothing may stand beside it
    schema = dict(_PLAIN[shape.form])
    if shape.name:
        if values := types()[shape.name].values:
            schema["enum"] = list(values)
        if shape.name in _DEFAULTS:
            schema["default"] = _DEFAULTS[shape.name]
    return schema
