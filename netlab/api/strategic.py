"""Strategic merge patch: a merge patch that knows which lists are keyed, and directives inside of the patch.

Source: the API convention "Strategic Merge Patch", and k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

from typing import Any

from netlab.api.decode import copy
from netlab.api.shapes import Shape, child, of_kind
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest

DIRECTIVE = "$patch"
RETAIN = "$retainKeys"
ORDER = "$setElementOrder/"
DELETE_VALUES = "$deleteFromPrimitiveList/"


def apply(manifest: Manifest, patch: dict[str, Any], kind: str) -> Manifest:
    """The patched object of that kind. ApiError 400 when the patch is malformed."""
    merged: Manifest = _merge_map(manifest, patch, of_kind(kind))
    return merged


def _merge_map(target: dict[str, Any], patch: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        plain: dict[str, Any] = _plain(patch)
        return plain
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type found: {directive}")
    result: dict[str, Any] = copy(target)
    if RETAIN in patch:
        kept = _list(patch[RETAIN], RETAIN)
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in patch.items():
        if key.startswith(DELETE_VALUES):
            field, gone = key[len(DELETE_VALUES):], _list(value, key)
            if isinstance(result.get(field), list):
                result[field] = [item for item in result[field] if item not in gone]
    for key, value in patch.items():
        if key in (DIRECTIVE, RETAIN) or key.startswith((ORDER, DELETE_VALUES)):
            continue
        inner = child(shape, key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            present = result.get(key)
            if value.get(DIRECTIVE) == "delete":
                result.pop(key, None)
            else:
                result[key] = _merge_map(present if isinstance(present, dict) else {}, value, inner)
        elif isinstance(value, list):
            present = result.get(key)
            result[key] = _merge_list(present if isinstance(present, list) else [], value, inner, key)
        else:
            result[key] = value
    for key, value in patch.items():
        field = key[len(ORDER):]
        if key.startswith(ORDER) and isinstance(result.get(field), list):
            inner = child(shape, field)
            before = target.get(field)
            result[field] = _ordered(result[field], _list(value, key), inner.merge_key if inner else "",
                                     before if isinstance(before, list) else [])
    return result


def _merge_list(target: list[Any], patch: list[Any], shape: Shape | None, name: str) -> list[Any]:
    merge_key = shape.merge_key if shape else ""
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" for item in patch):
        return [_plain(item) for item in patch if not (isinstance(item, dict) and item.get(DIRECTIVE) == "replace")]
    if not merge_key:
        return [_plain(item) for item in patch]
    if merge_key == "=":
        return _ordered([*copy(target), *(item for item in copy(patch) if item not in target)], patch, "", target)
    result: list[Any] = copy(target)
    for item in patch:
        if not isinstance(item, dict):
            raise bad_request(f"cannot merge {name}: its elements are objects with the key {merge_key}")
        if merge_key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {merge_key}")
        place = next((index for index, present in enumerate(result)
                      if isinstance(present, dict) and present.get(merge_key) == item[merge_key]), None)
        if item.get(DIRECTIVE) == "delete":
            result = [present for present in result
                      if not (isinstance(present, dict) and present.get(merge_key) == item[merge_key])]
        elif place is None:
            result.append(_merge_map({}, item, shape.element if shape else None))
        else:
            result[place] = _merge_map(result[place], item, shape.element if shape else None)
    return _ordered(result, patch, merge_key, target)


def _ordered(merged: list[Any], order: list[Any], merge_key: str, before: list[Any]) -> list[Any]:
    """The list in the order of the patch or directive; what is not in it keeps its place among what was there before.

    Beside what was not there before, so new elements come in front.
    """
    def identity(item: Any) -> Any:
        return item.get(merge_key) if merge_key not in ("", "=") and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    old = [identity(item) for item in before]
    named = sorted((item for item in merged if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    others = [item for item in merged if identity(item) not in wanted]
    result: list[Any] = []
    while named and others:
        first, second = identity(named[0]), identity(others[0])
        keep = second in old and first in old and old.index(second) < old.index(first)
        result.append((others if keep else named).pop(0))
    return [*result, *named, *others]


def _plain(value: Any) -> Any:
    """A copy without directives and nulls, as an element that is added or replaced."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()
                if item is not None and key not in (DIRECTIVE, RETAIN) and not key.startswith((ORDER, DELETE_VALUES))}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad_request(f"{name} must be a list")
    return value
