"""JSON patch (RFC 6902) with JSON pointers (RFC 6901)."""

from __future__ import annotations

import re
from typing import Any

from netlab.api.decode import copy, json_type
from netlab.model.errors import ApiError, bad_request

LIMIT = 10_000  # operations in one patch, as upstream


def apply(document: Any, operations: Any) -> Any:
    """The document after all operations. ApiError 400 when malformed, 422 when an operation does not fit."""
    if not isinstance(operations, list):
        raise bad_request(f"error decoding patch: json: cannot unmarshal {json_type(operations)} into Go value of type "
                          "[]interface {}")
    if len(operations) > LIMIT:
        raise ApiError(413, "RequestEntityTooLarge", f"The allowed maximum operations in a JSON patch is {LIMIT}, "
                       f"got {len(operations)}")
    result = copy(document)
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request(f"json: cannot unmarshal {json_type(operation)} into Go value of type "
                              "jsonpatch.Operation")
        if not isinstance(operation.get("path"), str):
            raise _unfit()
        result = _operate(result, operation)
    return result


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    op, path = operation.get("op"), _pointer(operation["path"])
    if op in ("add", "replace", "test"):
        if "value" not in operation:
            raise _unfit()
        value = copy(operation["value"])
    elif op in ("move", "copy"):
        if not isinstance(operation.get("from"), str):
            raise _unfit()
        source = _pointer(operation["from"])
        if op == "move" and path[:len(source)] == source and path != source:
            raise _unfit()
        value = copy(_find(document, source))
    elif op != "remove":
        raise _unfit()
    if op == "test":
        found = _find(document, path, missing=None)
        if not _same(found, value):
            raise _unfit()
        return document
    if op in ("remove", "replace", "move"):
        gone = source if op == "move" else path
        if gone:
            _find(document, gone)
        if op == "replace":
            return _set(document, path, value)
        document = _remove(document, gone)
        if op == "remove":
            return document
    return _add(document, path, value)


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise _unfit()
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


_RAISE = object()


def _find(document: Any, path: list[str], *, missing: Any = _RAISE) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and _index(part, len(document)) is not None:
            document = document[int(part)]
        elif missing is _RAISE:
            raise _unfit()
        else:
            return missing
    return document


def _index(part: str, size: int) -> int | None:
    return int(part) if re.fullmatch("0|[1-9][0-9]{0,8}", part) and int(part) < size else None


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        index = len(parent) if path[-1] == "-" else _index(path[-1], len(parent) + 1)
        if index is None:
            raise _unfit()
        parent.insert(index, value)
    else:
        raise _unfit()
    return document


def _set(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    parent[path[-1] if isinstance(parent, dict) else int(path[-1])] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _find(document, path[:-1])
    del parent[path[-1] if isinstance(parent, dict) else int(path[-1])]
    return document


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values, where true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _unfit() -> ApiError:
    """Upstream does not tell which operation, nor why."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request")
