"""The schemas of custom kinds as OpenAPI has them: what their definitions say, and what every object has."""

from __future__ import annotations

from typing import Any

from netlab.api.openapi_schemas import PLACES, model_name
from netlab.api.resource import Resource
from netlab.api.structural import EMBEDDED, INT_OR_STRING, PRESERVE, Schema

# What version 2 of OpenAPI lacks; kubectl checks by it what it knows only.
_NOT_IN_2 = ("allOf", "anyOf", "default", "nullable", "not", "oneOf")


def schemas(kinds: list[tuple[Resource, Schema]], version: int) -> dict[str, Schema]:
    """The schemas of custom kinds and of their lists, by model name."""
    found: dict[str, Schema] = {}
    for kind, schema in kinds:
        found[custom_name(kind, kind.kind)] = _of_object(kind, schema, version)
        found[custom_name(kind, kind.list_kind)] = _of_list(kind, version)
    return found


def custom_name(kind: Resource, name: str) -> str:
    """`com.example.stable.v1.CronTab`."""
    return ".".join([*reversed(kind.group.split(".")), kind.version, name])


def _of_object(kind: Resource, schema: Schema, version: int) -> Schema:
    found = _known(schema, version)
    own = {"apiVersion": {"type": "string", "description": "The version of the API that this object is written in."},
           "kind": {"type": "string", "description": "What kind of object this is."},
           "metadata": _reference("ObjectMeta", version) | {"description": "Name, labels and the like."}}
    return found | {"type": "object", "properties": dict(sorted({**(found.get("properties") or {}), **own}.items())),
                    "x-kubernetes-group-version-kind": [_identity(kind, kind.kind)]}


def _of_list(kind: Resource, version: int) -> Schema:
    items: Schema = {"type": "array", "items": {"$ref": PLACES[version] + custom_name(kind, kind.kind)}}
    return {"type": "object", "required": ["items"], "description": f"{kind.list_kind} is a list of {kind.kind}",
            "properties": {"apiVersion": {"type": "string"}, "items": items, "kind": {"type": "string"},
                           "metadata": {"type": "object"}},
            "x-kubernetes-group-version-kind": [_identity(kind, kind.list_kind)]}


def _reference(name: str, version: int) -> Schema:
    reference = {"$ref": PLACES[version] + model_name(name)}
    return {"allOf": [reference]} if version == 3 else reference


def _identity(kind: Resource, name: str) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": name}


def _known(schema: Schema, version: int) -> Schema:
    if version == 3:
        return schema
    if schema.get(INT_OR_STRING) or schema.get(PRESERVE) or schema.get(EMBEDDED) or schema.get("nullable"):
        return {key: schema[key] for key in ("description", INT_OR_STRING, PRESERVE) if key in schema}
    found: dict[str, Any] = {key: value for key, value in schema.items() if key not in _NOT_IN_2}
    if isinstance(found.get("items"), dict):
        found["items"] = _known(found["items"], version)
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _known(found["additionalProperties"], version)
    elif "additionalProperties" in found:
        del found["additionalProperties"]
    if "properties" in found:
        found["properties"] = {key: _known(value, version) for key, value in found["properties"].items()}
    return found
