"""JSON to a manifest of a kind: types are checked, nulls dropped, unknown fields kept and told.

The result is a copy that shares nothing with its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from netlab.api.shapes import OBJECT, Shape, fields, of_kind
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest

NESTING_LIMIT = 100
_GO_TYPES = {"time": "v1.Time", "object": "map[string]interface {}", "bytes": "[]uint8", "intstr": "intstr.IntOrString",
             "quantity": "resource.Quantity"}
_LIMITS = {"int32": 1 << 31, "int64": 1 << 63}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2}|[KMGTPE]i|[numkMGTPE])?", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def decode(manifest: Any, kind: str, api_version: str, *, strict: bool = False,
           unknown: list[str] | None = None, tolerated: frozenset[str] = frozenset()) -> Manifest:
    """A checked copy of `manifest`. ApiError 400 for a value of a wrong type, and when strict for an unknown field.

    The paths of unknown fields are added to `unknown`; `tolerated` are paths that strictness lets pass.
    """
    paths: list[str] = []
    version = api_version.rpartition("/")[2]
    if not isinstance(manifest, dict):
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: json: cannot unmarshal '
                          f"{_json_type(manifest)} into Go value of type v1.{kind}")
    try:
        result: Manifest = _value(manifest, of_kind(kind), "", kind, paths)
    except TypeError as error:
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from None
    paths = [path for path in paths if path not in tolerated]
    if paths and strict:
        told = ", ".join(f'unknown field "{path}"' for path in paths)
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {told}')
    if unknown is not None:
        unknown += paths
    return result


def _value(value: Any, shape: Shape, path: str, owner: str, unknown: list[str]) -> Any:
    form = shape.form
    if form == "struct":
        known = fields(shape.name)
        if not isinstance(value, dict):
            raise _mismatch(value, f"v1.{shape.name}", owner, path)
        result = {}
        for key, item in value.items():
            if item is None:
                continue
            inner = f"{path}.{key}" if path else key
            field = known.get(key)
            if field is None:
                unknown.append(inner)
                result[key] = copy(item)
            else:
                result[key] = _value(item, field, inner, shape.name, unknown)
        return result
    if form == "list":
        if not isinstance(value, list | tuple):
            raise _mismatch(value, _go_name(shape), owner, path)
        element = shape.element or OBJECT
        return [_value(_zero(element) if item is None else item, element, f"{path}[{index}]", owner, unknown)
                for index, item in enumerate(value)]
    if form == "map":
        if not isinstance(value, dict):
            raise _mismatch(value, _go_name(shape), owner, path)
        element = shape.element or OBJECT
        return {key: _value(_zero(element) if item is None else item, element, f"{path}.{key}", owner, unknown)
                for key, item in value.items()}
    return _plain(value, form, path, owner)


def _plain(value: Any, form: str, path: str, owner: str) -> Any:
    if form == "string":
        if isinstance(value, str):
            return value
    elif form == "bool":
        if isinstance(value, bool):
            return value
    elif form in _LIMITS:
        number = _integer(value)
        if number is not None:
            if -_LIMITS[form] <= number < _LIMITS[form]:
                return number
            raise TypeError(f"json: cannot unmarshal number {str(number)[:40]} into Go struct field "
                            f"{_where(owner, path)} of type {form}")
    elif form == "intstr":
        number = _integer(value)
        if isinstance(value, str) or (number is not None and -_LIMITS["int32"] <= number < _LIMITS["int32"]):
            return value if isinstance(value, str) else number
    elif form == "quantity":
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = str(value)
            if len(text) > 64 or not _QUANTITY.fullmatch(text):
                raise TypeError("quantities must match the regular expression "
                                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
            return text
    elif form == "time":
        if isinstance(value, str):
            if not _TIME.fullmatch(value):
                raise TypeError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse')
            return value
    elif form == "bytes":
        if isinstance(value, str):
            digits = "".join(value.split())
            if not _BASE64.fullmatch(digits) or len(digits) % 4:
                raise TypeError("illegal base64 data at input byte 0")
            return value
    elif form == "any" or isinstance(value, dict):
        return copy(value)
    raise _mismatch(value, _GO_TYPES.get(form, form), owner, path)


def copy(value: Any, depth: int = 0) -> Any:
    """A deep copy of a JSON value; RecursionError when it is nested so deeply that others could not work with it."""
    if depth > NESTING_LIMIT:
        raise RecursionError
    if isinstance(value, dict):
        return {key: copy(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copy(item, depth + 1) for item in value]
    return value


def _integer(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _zero(shape: Shape) -> Any:
    zero: Mapping[str, Any] = {"string": "", "bytes": "", "bool": False, "int32": 0, "int64": 0, "quantity": "0",
                               "intstr": 0, "list": []}
    return zero.get(shape.form, {})


def _mismatch(value: Any, go_type: str, owner: str, path: str) -> TypeError:
    return TypeError(f"json: cannot unmarshal {_json_type(value)} into Go struct field {_where(owner, path)} "
                     f"of type {go_type}")


def _where(owner: str, path: str) -> str:
    return f"{owner}." + re.sub(r"\[\d+\]", "", path)


def _go_name(shape: Shape) -> str:
    if shape.form == "list" and shape.element:
        return "[]" + _go_name(shape.element)
    if shape.form == "map" and shape.element:
        return "map[string]" + _go_name(shape.element)
    return f"v1.{shape.name}" if shape.form == "struct" else _GO_TYPES.get(shape.form, shape.form)


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names.get(type(value), "null")
