"""What is wrong with a custom object by its schema, in upstream's words.

Source: k8s.io/kube-openapi/pkg/validation/{validate,errors}, k8s.io/apiextensions-apiserver/pkg/apiserver/validation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from netlab.api.structural import INT_OR_STRING, OF_EVERY_OBJECT, Schema
from netlab.model import meta
from netlab.model.errors import FieldError, duplicate, invalid, required, too_long
from netlab.model.meta import Manifest

LIMIT = 100  # problems that are told


def _date_time(text: str) -> None:
    meta.parse_time(text if "T" in text.upper() else "")


_FORMATS: dict[str, Callable[[str], object]] = {
    "date-time": _date_time, "date": date.fromisoformat, "ipv4": IPv4Address, "ipv6": IPv6Address, "uuid": UUID}


def schema_problems(manifest: Manifest, schema: Schema) -> list[FieldError]:
    """Everything wrong with the object, but for its metadata."""
    below = {key: value for key, value in manifest.items() if key not in OF_EVERY_OBJECT}
    properties = {key: value for key, value in (schema.get("properties") or {}).items() if key not in OF_EVERY_OBJECT}
    needed = [key for key in schema.get("required") or () if key not in OF_EVERY_OBJECT]
    found = _problems(below, schema | {"properties": properties, "required": needed}, "")
    return [error for _, error in zip(range(LIMIT), found, strict=False)]


def _problems(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    if value is None and schema.get("nullable"):
        return
    wanted = ("integer", "string") if schema.get(INT_OR_STRING) else (schema["type"],) if "type" in schema else ()
    if wanted and not any(_is(value, kind) for kind in wanted):
        shown = _type_of(value)
        yield FieldError(path, "FieldValueTypeInvalid",
                         f'Invalid value: "{shown}": {path} in body must be of type {",".join(wanted)}: "{shown}"')
        return
    if "enum" in schema and not any(_same(value, allowed) for allowed in schema["enum"]):
        names = ", ".join(f'"{allowed if isinstance(allowed, str) else _json(allowed)}"' for allowed in schema["enum"])
        yield FieldError(path, "FieldValueNotSupported",
                         f"Unsupported value: {_json(value)}: supported values: {names}")
    if isinstance(value, str):
        yield from _text_problems(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_problems(value, schema, path)
    elif isinstance(value, list):
        yield from _list_problems(value, schema, path)
    elif isinstance(value, dict):
        yield from _object_problems(value, schema, path)
    yield from _junctions(value, schema, path)


def _text_problems(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield too_long(path, schema["maxLength"])
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield invalid(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield invalid(path, value, f"{path} in body should match '{schema['pattern']}'")
    check = _FORMATS.get(schema.get("format") or "")
    if check is not None:
        try:
            check(value)
        except ValueError:
            yield FieldError(path, "FieldValueTypeInvalid", f"Invalid value: {_json(value)}: {path} in body must be of "
                                                            f"type {schema['format']}: {_json(value)}")


def _number_problems(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    least, most, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if most is not None and (value > most or (value == most and schema.get("exclusiveMaximum"))):
        yield invalid(path, value, f"{path} in body should be less than "
                                   f"{'' if schema.get('exclusiveMaximum') else 'or equal to '}{most}")
    if least is not None and (value < least or (value == least and schema.get("exclusiveMinimum"))):
        yield invalid(path, value, f"{path} in body should be greater than "
                                   f"{'' if schema.get('exclusiveMinimum') else 'or equal to '}{least}")
    if step and value % step:
        yield invalid(path, value, f"{path} in body should be a multiple of {step}")


def _list_problems(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield _too_many(path, len(value), schema["maxItems"])
    if "minItems" in schema and len(value) < schema["minItems"]:
        yield invalid(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
    seen: set[str] = set()
    for index, item in enumerate(value):
        below = schema.get("items") or {}
        if kind in ("map", "set") and (kind == "set" or isinstance(item, dict)):
            identity = item if kind == "set" else {key: item[key] for key in sorted(keys) if key in item}
            if (text := _json(identity)) in seen:
                yield duplicate(f"{path}[{index}]", identity)
            seen.add(text)
        yield from _problems(item, below, f"{path}[{index}]")


def _object_problems(value: dict[str, Any], schema: Schema, path: str) -> Iterator[FieldError]:
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield _too_many(path, len(value), schema["maxProperties"])
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        yield invalid(path, len(value), f"{path} in body should have at least {schema['minProperties']} properties")
    yield from (required(_join(path, key)) for key in schema.get("required") or () if key not in value)
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, item in value.items():
        if key in properties:
            yield from _problems(item, properties[key], _join(path, key))
        elif isinstance(others, dict):
            yield from _problems(item, others, _join(path, key))


def _junctions(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    """allOf, anyOf, oneOf, not."""
    def fits(other: Schema) -> bool:
        return next(_problems(value, other, path), None) is None

    for other in schema.get("allOf") or ():
        yield from _problems(value, other, path)
    about = path or "<nil>"
    if (some := schema.get("anyOf")) and not any(map(fits, some)):
        yield invalid(about, "", f'"{path}" must validate at least one schema (anyOf)')
    if one := schema.get("oneOf"):
        count = sum(map(fits, one))
        if count != 1:
            text = "Found none valid" if not count else f"Found {count} valid alternatives"
            yield invalid(about, "", f'"{path}" must validate one and only one schema (oneOf). {text}')
    if (never := schema.get("not")) and fits(never):
        yield invalid(about, "", f'"{path}" must not validate the schema (not)')


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and value.is_integer())
    known: dict[str, Any] = {"string": str, "boolean": bool, "array": list, "object": dict}
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, known[kind])


def _type_of(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _same(left: Any, right: Any) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _too_many(path: str, count: int, limit: int) -> FieldError:
    return FieldError(path, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} items")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
