"""Server-side apply takes a configuration only if it fits the kind's schema: no unknown field, no other type.

Source: sigs.k8s.io/structured-merge-diff, typed (validate).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.api.field_set import item_element, show
from netlab.api.patch_errors import go_value
from netlab.api.resource import Resource
from netlab.api.shapes import OBJECT, Shape, fields, of_kind
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest

_GO_TYPES = {str: "string", bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}


def check(kind: Resource, manifest: Manifest, *, name: str, namespace: str) -> None:
    """ApiError 400 in upstream's words (there it is a 500) when the configuration does not fit."""
    found = list(_misfits(manifest, of_kind(kind.kind), ""))
    if not found:
        return
    text = found[0] if len(found) == 1 else "\n  ".join(["errors:", *found])
    group = kind.api_version if "/" in kind.api_version else f"/{kind.api_version}"
    raise ApiError(400, "", f"failed to create typed patch object ({meta.namespace(manifest) or namespace}/"
                   f"{meta.name(manifest) or name}; {group}, Kind={kind.kind}): {text}")


def _misfits(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if value is None or shape.form in ("any", "object"):
        return
    if shape.form in ("struct", "map"):
        if not isinstance(value, dict):
            yield f"{path}: expected map, got &{{{go_value(value)}}}"
            return
        known = fields(shape.name) if shape.form == "struct" else None
        for key, inner in value.items():
            below = known.get(key) if known is not None else shape.element or OBJECT
            if below is None:
                yield f"{path}.{key}: field not declared in schema"
            else:
                yield from _misfits(inner, below, f"{path}.{key}")
    elif shape.form == "list":
        if not isinstance(value, list):
            yield f"{path}: expected list, got &{{{go_value(value)}}}"
            return
        for index, item in enumerate(value):
            yield from _misfits(item, shape.element or OBJECT, path + _place(item, index, shape))
    elif text := _scalar(value, shape.form):
        yield f"{path}: {text}"


def _place(item: Any, index: int, shape: Shape) -> str:
    try:
        return show((item_element(item, shape),)) if shape.merge_key else f"[{index}]"
    except ApiError:  # no key: told when the fields are taken stock of
        return f"[{index}]"


def _scalar(value: Any, form: str) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if form in ("int32", "int64"):
        return "" if number else f"expected numeric (int or float), got {_GO_TYPES.get(type(value), 'bool')}"
    if form == "bool":
        return "" if isinstance(value, bool) else f"expected boolean, got &{{{go_value(value)}}}"
    if form in ("string", "bytes"):
        shown = f"expected string, got &value.valueUnstructured{{Value:{go_value(value)}}}"
        return "" if isinstance(value, str) else shown
    plain = number or isinstance(value, str | bool)
    return "" if plain else f"expected any scalar, got &{{{go_value(value)}}}"
