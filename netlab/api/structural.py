"""Structural schemas: what a custom object keeps of what was sent, its defaults, and its fields as others know them.

A schema is the `openAPIV3Schema` of a version, JSON as it was stored; that it is structural was seen to then. Source:
the API documentation, "Extend the Kubernetes API with CustomResourceDefinitions".
"""

from __future__ import annotations

from typing import Any

from netlab.api.decode import copy
from netlab.api.shapes import Shape
from netlab.model.meta import Manifest

Schema = dict[str, Any]
OF_EVERY_OBJECT = ("apiVersion", "kind", "metadata")
PRESERVE, EMBEDDED, INT_OR_STRING = (
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string")
_ANY = Shape("any")


def complete(manifest: Manifest, *, schema: Schema) -> None:
    """Drops what the schema does not know, and puts in its defaults, in place."""
    for key in OF_EVERY_OBJECT:
        manifest.setdefault(key, {} if key == "metadata" else "")
    kept = {key: manifest[key] for key in OF_EVERY_OBJECT}
    _prune(manifest, schema, keep=OF_EVERY_OBJECT)
    _fill(manifest, schema)
    manifest |= kept


def _prune(value: Any, schema: Schema, *, keep: tuple[str, ...] = ()) -> None:
    if isinstance(value, list):
        for item in value:
            _prune(item, schema.get("items") or {})
    elif isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        preserve = schema.get(PRESERVE) or others is True
        for key in tuple(value):
            if key in keep:
                continue
            if key in properties:
                embedded = OF_EVERY_OBJECT if properties[key].get(EMBEDDED) else ()
                _prune(value[key], properties[key], keep=embedded)
            elif isinstance(others, dict):
                _prune(value[key], others)
            elif not preserve:
                del value[key]


def _fill(value: Any, schema: Schema) -> None:
    if isinstance(value, list):
        for item in value:
            _fill(item, schema.get("items") or {})
    elif isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, below in properties.items():
            if "default" in below and (key not in value or (value[key] is None and not below.get("nullable"))):
                value[key] = copy(below["default"])
            if key in value:
                _fill(value[key], below)
        if isinstance(others, dict):
            for key in value.keys() - properties.keys():
                _fill(value[key], others)


def shape_of_root(schema: Schema) -> Shape:
    """The fields of the objects of a kind, for patches, field managers, and for telling of unknown fields."""
    found = _shape(schema)
    return found._replace(form="struct", inline={**(found.inline or {}), "apiVersion": Shape("string"),
                                                 "kind": Shape("string"), "metadata": Shape("struct", "ObjectMeta")})


def _shape(schema: Schema) -> Shape:
    # Types are looked at when the object is validated: `loose`.
    kind, others = schema.get("type"), schema.get("additionalProperties")
    if schema.get(INT_OR_STRING):
        return _ANY
    if kind == "array":
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        merge = {"map": keys[0] if keys else "", "set": "="}.get(schema.get("x-kubernetes-list-type") or "", "")
        return Shape("list", element=_shape(schema.get("items") or {}), merge_key=merge, more_keys=tuple(keys[1:]),
                     marks=frozenset({"loose"}))
    if kind != "object":
        return _ANY
    marks = {"loose"} | ({"atomic"} if schema.get("x-kubernetes-map-type") == "atomic" else set())
    if isinstance(others, dict) and not schema.get("properties"):
        return Shape("map", element=_shape(others), marks=frozenset(marks))
    if schema.get(PRESERVE) or others is not None:
        marks.add("open")
    fields = {key: _shape(below) for key, below in (schema.get("properties") or {}).items()}
    if schema.get(EMBEDDED):
        fields |= {"apiVersion": _ANY, "kind": _ANY, "metadata": _ANY} | fields
    return Shape("struct", marks=frozenset(marks), inline=fields)
