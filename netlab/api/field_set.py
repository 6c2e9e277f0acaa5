"""Sets of fields: which paths of an object there are, and how metadata.managedFields writes them (FieldsV1).

A path is a tuple of elements as FieldsV1 spells them: `f:<name>` a field, `k:{...}` the list item with these keys,
`v:<value>` the item of a set. Source: sigs.k8s.io/structured-merge-diff, fieldpath and typed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from netlab.api import shapes
from netlab.api.shapes import Shape, child, fields_of
from netlab.model.errors import bad_request
from netlab.model.meta import Manifest

Path = tuple[str, ...]
FieldSet = frozenset[Path]
Entries = list[dict[str, Any]]  # metadata.managedFields
Track = Callable[[Manifest, Manifest | None, Any], Entries]  # the new object, the old one, the entries of the request

SERVER_OWNED: FieldSet = frozenset({("f:apiVersion",), ("f:kind",), ("f:metadata",)} | {
    ("f:metadata", f"f:{name}") for name in (
        "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "resourceVersion",
        "deletionTimestamp", "deletionGracePeriodSeconds")})
CONTAINER = object()  # stands for a map or an item, which has no value besides its fields
_KEY_DEFAULTS = {"protocol": "TCP"}
_ALWAYS_THERE = frozenset({"metadata", "spec", "status", "template", "containers", "loadBalancer"})


def is_atomic(value: Any, shape: Shape | None) -> bool:
    """Whether a field is owned as a whole: a plain value, a list without keys, some maps."""
    if isinstance(value, dict):
        return shape is not None and shapes.is_atomic(shape)
    return not (isinstance(value, list) and shape is not None and shape.form == "list" and shape.merge_key)


def item_element(item: Any, shape: Shape) -> str:
    """The path element of a list's item; ApiError 400 when it omits its key."""
    if shape.merge_key == "=":
        return "v:" + _compact(item)
    keys = {}
    for key in (shape.merge_key, *shape.more_keys):
        if not isinstance(item, dict) or (key not in item and key not in _KEY_DEFAULTS):
            raise bad_request(f'associative list with keys has an element that omits key field "{key}" '
                              "(and doesn't have default value)")
        keys[key] = item.get(key, _KEY_DEFAULTS.get(key))
    return "k:" + _compact(dict(sorted(keys.items())))


def flatten(manifest: Manifest, shape: Shape, *, containers: bool) -> dict[Path, Any]:
    """The owned paths of an object with their values; what only the server writes is left out.

    With `containers` also the maps and lists that hold them, as they come into being by an update; without, what an
    applied configuration owns.
    """
    found: dict[Path, Any] = {}
    data = manifest.get("metadata")
    if isinstance(data, dict) and "managedFields" in data:
        manifest = manifest | {"metadata": {key: value for key, value in data.items() if key != "managedFields"}}
    _walk(manifest, shape, (), found, containers)
    for path in SERVER_OWNED & found.keys():
        del found[path]
    return found


def _walk(value: Any, shape: Shape | None, path: Path, found: dict[Path, Any], containers: bool) -> None:
    if isinstance(value, dict):
        known = fields_of(shape) if shape is not None and shape.form == "struct" else None
        for key, inner in value.items():
            below = child(shape, key) if known is None else known.get(key)
            place = (*path, "f:" + key)
            if not isinstance(inner, dict | list) or is_atomic(inner, below):
                found[place] = inner
                continue
            if not inner or (containers and key not in _ALWAYS_THERE):
                found[place] = CONTAINER
            _walk(inner, below, place, found, containers)
    elif shape is not None:
        for item in value:
            place = (*path, item_element(item, shape))
            found[place] = CONTAINER
            if shape.merge_key != "=":
                _walk(item, shape.element, place, found, containers)


@lru_cache(maxsize=512)  # the objects of one template own the same fields
def to_fields_v1(chosen: FieldSet) -> dict[str, Any]:
    """The set as `fieldsV1` has it. Never change it."""
    tree: dict[str, Any] = {}
    for path in sorted(chosen):
        node = tree
        for depth, element in enumerate(path):
            if element not in node:
                node[element] = {}
            elif not node[element] and path[:depth + 1] in chosen:
                node[element]["."] = {}  # a member that has members below it
            node = node[element]
    return tree


def from_fields_v1(tree: Any) -> FieldSet:
    """The set of a `fieldsV1`; ValueError when it is none."""
    found: set[Path] = set()
    _read(tree, (), found)
    return frozenset(found)


def _read(tree: Any, path: Path, found: set[Path]) -> None:
    if not isinstance(tree, dict):
        raise ValueError("fieldsV1 must be made of maps")
    if path and not tree:
        found.add(path)
    for element, below in tree.items():
        if element == ".":
            found.add(path)
            continue
        if element[:2] not in ("f:", "k:", "v:"):
            raise ValueError(f"unknown path element {element}")
        if element[:2] != "f:":
            element = element[:2] + _compact(json.loads(element[2:]))
        _read(below, (*path, element), found)


def with_parents(paths: Iterable[Path]) -> FieldSet:
    """The paths and everything above them."""
    return frozenset(path[:depth] for path in paths for depth in range(1, len(path) + 1))


def show(path: Path) -> str:
    """The path as messages have it: `.spec.containers[name="c"].image`."""
    text = ""
    for element in path:
        kind, rest = element[0], element[2:]
        if kind == "f":
            text += "." + rest
        elif kind == "v":
            text += f"[={rest}]"
        else:
            text += "[" + ",".join(f"{key}={_compact(value)}" for key, value in json.loads(rest).items()) + "]"
    return text


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
