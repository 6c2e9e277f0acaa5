"""What is wrong with the schema of a CustomResourceDefinition: it must be structural, and of known types.

Source: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/validation and pkg/apiserver/schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from netlab.api.structural import EMBEDDED, INT_OR_STRING, PRESERVE
from netlab.api.structural_rules import schema_problems
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required

TYPES = ["array", "boolean", "integer", "number", "object", "string"]
_NUMBERS = ("minimum", "maximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_FORBIDDEN = ("definitions", "dependencies", "patternProperties", "additionalItems", "$ref", "id", "$schema")
_JUNCTIONS = ("allOf", "anyOf", "oneOf")
DEPTH = 60


def schema_errors(schema: Any, path: str) -> list[FieldError]:
    """Everything wrong with a version's schema."""
    if not isinstance(schema, dict) or not schema:
        return [required(path, "schemas are required")]
    if schema.get("type") != "object":
        return [invalid(f"{path}.type", schema.get("type", ""), "must be object")]
    if schema.get("x-kubernetes-int-or-string") or schema.get(EMBEDDED):
        return [forbidden(path, "the root is an object")]
    return list(_errors(schema, path, 0))


def without_rules(schema: Any) -> bool:
    """Whether the schema has no rules that nobody here evaluates (x-kubernetes-validations)."""
    if isinstance(schema, list):
        return all(map(without_rules, schema))
    if isinstance(schema, dict):
        return not isinstance(schema.get("x-kubernetes-validations"), list) and all(map(without_rules, schema.values()))
    return True


def _errors(schema: Any, path: str, depth: int) -> Iterator[FieldError]:
    if not isinstance(schema, dict):
        yield invalid(path, schema, "must be a schema")
        return
    if depth > DEPTH:
        yield invalid(path, "", "the schema is nested too deeply")
        return
    kind = schema.get("type") or ""
    if kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if schema.get(INT_OR_STRING):
        if kind:
            yield forbidden(f"{path}.type", f"must be empty if {INT_OR_STRING} is true")
    elif not kind and not schema.get(PRESERVE):
        yield required(f"{path}.type", "must not be empty for specified object fields")
    yield from (forbidden(f"{path}.{key}", f"{key} is not supported") for key in _FORBIDDEN if key in schema)
    yield from _keyword_errors(schema, path)
    yield from _list_errors(schema, path, kind)
    if "items" in schema:
        yield from _errors(schema["items"], f"{path}.items", depth + 1)
    elif kind == "array":
        yield required(f"{path}.items", "must be specified")
    for key, below in (schema.get("properties") or {}).items():
        yield from _errors(below, f"{path}.properties[{key}]", depth + 1)
    if isinstance(others := schema.get("additionalProperties"), dict):
        if schema.get("properties"):
            yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
        yield from _errors(others, f"{path}.additionalProperties", depth + 1)
    elif others not in (None, True, False):
        yield invalid(f"{path}.additionalProperties", others, "must be a schema or a boolean")


def _keyword_errors(schema: dict[str, Any], path: str) -> Iterator[FieldError]:
    for key in _NUMBERS:
        value = schema.get(key, 1)
        if not isinstance(value, int | float) or isinstance(value, bool) or (key == "multipleOf" and value <= 0):
            yield invalid(f"{path}.{key}", value, "must be a number" + (" above 0" if key == "multipleOf" else ""))
    yield from (invalid(f"{path}.{key}", schema[key], "must be greater than or equal to 0")
                for key in _COUNTS if schema.get(key, 0) < 0)
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            yield invalid(f"{path}.pattern", schema["pattern"],
                          f"must be a valid regular expression, but isn't: {error}")
    if not isinstance(schema.get("enum", []), list):
        yield invalid(f"{path}.enum", schema["enum"], "must be a list")
    for name in _JUNCTIONS:
        for index, below in enumerate(schema.get(name) or ()):
            yield from _junction_errors(below, f"{path}.{name}[{index}]")
    if "not" in schema:
        yield from _junction_errors(schema["not"], f"{path}.not")
    if "default" in schema:
        found = schema_problems({"default": schema["default"]}, {"properties": {"default": schema}})
        yield from (FieldError(f"{path}.{error.field}", error.reason, error.message) for error in found)


def _junction_errors(schema: Any, path: str) -> Iterator[FieldError]:
    """Below a junction stand value validations only: they say nothing of what is kept, nor of types and defaults."""
    if not isinstance(schema, dict):
        yield invalid(path, schema, "must be a schema")
        return
    if schema.get("type") not in (None, "", *TYPES):
        yield not_supported(f"{path}.type", schema["type"], TYPES)
    if "default" in schema:
        yield forbidden(f"{path}.default", "must be undefined to be structural")
    yield from _keyword_errors(schema, path)
    for key, below in (schema.get("properties") or {}).items():
        yield from _junction_errors(below, f"{path}.properties[{key}]")
    if "items" in schema:
        yield from _junction_errors(schema["items"], f"{path}.items")
    if schema.get("additionalProperties") is not None:
        yield forbidden(f"{path}.additionalProperties", "must be undefined to be structural")


def _list_errors(schema: dict[str, Any], path: str, kind: str) -> Iterator[FieldError]:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if list_type not in (None, "", "atomic", "map", "set"):
        yield not_supported(f"{path}.x-kubernetes-list-type", list_type, ["atomic", "map", "set"])
    if list_type and kind != "array":
        yield invalid(f"{path}.type", kind, "must be array if x-kubernetes-list-type is specified")
    if list_type == "map" and not keys:
        yield required(f"{path}.x-kubernetes-list-map-keys",
                       "must not be empty if x-kubernetes-list-type is map")
    if keys and list_type != "map":
        yield invalid(f"{path}.x-kubernetes-list-type", list_type or "",
                      "must be map if x-kubernetes-list-map-keys is non-empty")
    if schema.get("x-kubernetes-map-type") not in (None, "", "atomic", "granular"):
        yield not_supported(f"{path}.x-kubernetes-map-type", schema["x-kubernetes-map-type"], ["atomic", "granular"])
