"""The two steps of server-side apply on values: merging a configuration, and removing fields by their paths.

Source: sigs.k8s.io/structured-merge-diff, typed (merge and remove).
"""

from __future__ import annotations

from typing import Any

from netlab.api.decode import copy
from netlab.api.field_set import FieldSet, Path, is_atomic, item_element, with_parents
from netlab.api.shapes import Shape, child
from netlab.model.meta import Manifest


def merge(live: Manifest, applied: Manifest, shape: Shape) -> Manifest:
    """The live object with everything that the configuration says: maps and keyed lists merged, the rest replaced."""
    merged: Manifest = _merge(live, applied, shape)
    return merged


def _merge(live: Any, applied: Any, shape: Shape | None) -> Any:
    if isinstance(applied, dict):
        result = copy(live)
        for key, value in applied.items():
            below, present = child(shape, key), result.get(key)
            mixed = type(present) is type(value) and not is_atomic(value, below)
            result[key] = _merge(present, value, below) if mixed else copy(value)
        return result
    assert shape is not None
    items = {item_element(item, shape): item for item in live}
    wanted = {item_element(item, shape): item for item in applied}
    both = {element: _merge(items[element], item, shape.element) if element in items and isinstance(item, dict)
            else copy(item) for element, item in wanted.items()}
    if items.keys() <= both.keys():
        return list(both.values())
    return [*(both.pop(element) if element in both else copy(item) for element, item in items.items()), *both.values()]


def prune(manifest: Manifest, shape: Shape, *, before: FieldSet, owned: FieldSet) -> Manifest:
    """The object without the fields of `before` that are in nobody's set any more.

    A map that held only such fields goes too, with what defaults put there; maps of the metadata stay as long as
    something is in them, since controllers write there.
    """
    kept = with_parents(owned)
    gone = with_parents(before) - kept
    result: Manifest = copy(manifest)
    removed: set[Path] = set()
    for path in sorted(gone, key=len):
        if len(path) > 1 and path[:-1] not in removed and (path in before or path[0] != "f:metadata"):
            _remove(result, shape, path)
            removed.add(path)
        elif path[:-1] in removed:
            removed.add(path)
    for path in [path for path in gone if path not in before and path[0] == "f:metadata" and len(path) == 2]:
        if not result["metadata"].get(path[1][2:]):
            result["metadata"].pop(path[1][2:], None)
    for path in [path for path in gone if len(path) == 1 and path != ("f:metadata",)]:
        if path in before or not result.get(path[0][2:], True):
            result.pop(path[0][2:], None)
    return result


def _remove(value: Any, shape: Shape | None, path: Path) -> None:
    element, *rest = path
    if isinstance(value, dict):
        name = element[2:]
        if rest and isinstance(value.get(name), dict | list):
            _remove(value[name], child(shape, name), tuple(rest))
        elif not rest:
            value.pop(name, None)
    elif isinstance(value, list) and shape is not None and shape.merge_key:
        for index, item in enumerate(value):
            if item_element(item, shape) == element:
                if rest:
                    _remove(item, shape.element, tuple(rest))
                else:
                    del value[index]
                return
