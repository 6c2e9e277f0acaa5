"""JSON to a manifest of a kind: types are checked, nulls dropped, unknown and duplicate fields told.

Unknown fields are kept; of a field that is there twice the last one counts.

The result is a copy that shares nothing with its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from netlab.api.shapes import OBJECT, Shape, bare, fields_of, go_name, of_kind
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest

NESTING_LIMIT = 100
TOLD_LIMIT = 100
_GO_TYPES = {"object": "map[string]interface {}", "bytes": "[]uint8", "intstr": "int32", "time": "string"}
_INTEGERS = ("int32", "int64")
_LIMITS = {"int32": 1 << 31, "int64": 1 << 63}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2}|[KMGTPE]i|[numkMGTPE])?", re.ASCII)
_ENTRY = ".<>"  # any entry of a map
_NO_FIELD = re.compile(r"\[\d+\]|\.<>")
_LIKE_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_NO_LINE_ENDS = {10: None, 13: None}
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Doubled(dict[str, Any]):
    """A JSON object in which fields were given more than once."""

    names: tuple[str, ...] = ()


def decode(manifest: Any, kind: str, api_version: str, *, strict: bool = False, told: list[str] | None = None,
           tolerated: frozenset[str] = frozenset(), shape: Shape | None = None) -> Manifest:
    """A checked copy of `manifest`. ApiError 400 for a value of a wrong type, and when strict for an unknown field.

    What there is to tell, such as `unknown field "spec.replica"`, is added to `told`; `tolerated` lets strictness pass.
    `shape` is given for custom kinds.
    """
    found: list[str] = []
    version = api_version.rpartition("/")[2]
    if not isinstance(manifest, dict):
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: json: cannot unmarshal '
                          f"{json_type(manifest)} into Go value of type v1.{kind}")
    try:
        result: Manifest = _value(manifest, shape or of_kind(kind), "", kind, found)
    except TypeError as error:
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from None
    found = [text for text in found if text not in tolerated]
    if found and strict:
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {strict_error(found)}')
    if told is not None:
        told += found
    return result


def strict_error(told: list[str]) -> str:
    """What strictness says of unknown and duplicate fields."""
    return "strict decoding error: " + ", ".join(told[:TOLD_LIMIT])


def _value(value: Any, shape: Shape, path: str, owner: str, told: list[str]) -> Any:
    form, loose = shape.form, "loose" in shape.marks
    if loose and not isinstance(value, list if form == "list" else dict):
        return copy(value)  # validation says so
    if isinstance(value, Doubled) and form in ("struct", "map"):
        told += [f'duplicate field "{_join(path, name)}"' for name in value.names]
    if form == "struct":
        known = fields_of(shape)
        if not isinstance(value, dict):
            raise _mismatch(value, go_name(shape.name), owner, path)
        result = {}
        for key, item in value.items():
            if item is None and not loose:
                continue
            inner = _join(path, key)
            field = known.get(key)
            if field is None:
                if "open" not in shape.marks:
                    told.append(f'unknown field "{inner}"')
                result[key] = copy(item)
            else:
                result[key] = _value(item, field, inner, shape.name, told)
        return result
    if form == "list":
        if not isinstance(value, list | tuple):
            raise _mismatch(value, _go_name(shape), owner, path)
        element = shape.element or OBJECT
        return [_value(_zero(element) if item is None and not loose else item, element, f"{path}[{index}]", owner, told)
                for index, item in enumerate(value)]
    if form == "map":
        if not isinstance(value, dict):
            raise _mismatch(value, _go_name(shape), owner, path)
        element = shape.element or OBJECT
        return {key: _value(_zero(element) if item is None and not loose else item, element, path + _ENTRY, owner, told)
                for key, item in value.items()}
    return _plain(value, shape, path, owner)


def duplicates(value: Any, path: str = "") -> list[str]:
    """What there is to tell of fields that a JSON value has twice; for patches, which are of no kind."""
    if isinstance(value, list):
        return [text for index, item in enumerate(value) for text in duplicates(item, f"{path}[{index}]")]
    if not isinstance(value, dict):
        return []
    found = [f'duplicate field "{_join(path, name)}"' for name in value.names] if isinstance(value, Doubled) else []
    return found + [text for key, item in value.items() for text in duplicates(item, _join(path, key))]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _plain(value: Any, shape: Shape, path: str, owner: str) -> Any:
    form = shape.form
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
        text = str(value)
        if not isinstance(value, str | int | float) or isinstance(value, bool) or not _LIKE_QUANTITY.fullmatch(text):
            raise TypeError(f"quantities must match the regular expression '^{_LIKE_QUANTITY.pattern}$'")
        if len(text) > 64 or not _QUANTITY.fullmatch(text):
            raise TypeError("unable to parse quantity's suffix")
        return text
    elif form == "time":
        if isinstance(value, str):
            if not _TIME.fullmatch(value):
                raise TypeError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as '
                                '"2006"')
            return value
    elif form == "bytes":
        if isinstance(value, str):
            digits = value.translate(_NO_LINE_ENDS)
            right = _BASE64.match(digits)
            end = right.end() if right else 0
            if end < len(digits) or len(digits) % 4:
                raise TypeError(f"illegal base64 data at input byte {end if end < len(digits) else end // 4 * 4}")
            return value
    elif form == "any" or isinstance(value, dict):
        return copy(value)
    raise _mismatch(value, _go_name(shape), owner, path)


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
    shown = f"number {value}" if isinstance(value, float) and go_type in _INTEGERS else json_type(value)
    return TypeError(f"json: cannot unmarshal {shown} into Go struct field {_where(owner, path)} "
                     f"of type {go_type}")


def _where(owner: str, path: str) -> str:
    return f"{bare(owner)}." + _NO_FIELD.sub("", path)  # Go's decoder counts the fields of structs only


def _go_name(shape: Shape) -> str:
    if shape.form == "list" and shape.element:
        return "[]" + _go_name(shape.element)
    if shape.form == "map" and shape.element:
        return "map[string]" + _go_name(shape.element)
    return _GO_TYPES.get(shape.form) or (go_name(shape.name) if shape.name else shape.form)


def json_type(value: Any) -> str:
    """What JSON calls the value's type."""
    names = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return names.get(type(value), "null")
