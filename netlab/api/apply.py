"""Client-side apply: the patch that a client computes from three states."""

from __future__ import annotations

import json
from typing import Any

from netlab.api import strategic
from netlab.api.decode import copy
from netlab.api.shapes import Shape, child, of_kind
from netlab.model import meta
from netlab.model.meta import Manifest

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def with_last_applied(manifest: Manifest) -> Manifest:
    """The manifest with itself as the last-applied annotation, written as kubectl writes it."""
    bare: Manifest = copy(manifest)
    data = bare.setdefault("metadata", {})
    annotations = data.setdefault("annotations", {})
    annotations.pop(LAST_APPLIED, None)
    text = json.dumps(bare, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    annotations[LAST_APPLIED] = text
    return bare


def last_applied(live: Manifest) -> Manifest:
    """What was applied the last time, {} when nothing was or the annotation cannot be read."""
    try:
        found = json.loads(meta.annotations(live).get(LAST_APPLIED) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def three_way_patch(last_applied: Manifest | None, modified: Manifest, live: Manifest, *,
                    shape: Shape | None = None) -> Manifest:
    """The strategic merge patch that client-side apply sends; {} when there is nothing to do.

    What `modified` says and `live` does not is set; what was in `last_applied` and is in `modified` no more is
    removed; everything else of `live` stays. All three are whole objects; `modified` carries its annotation already.
    With the shape `OBJECT` it is a JSON merge patch, as for custom kinds.
    """
    return _diff(last_applied or {}, modified, live, shape or of_kind(str(modified.get("kind", ""))))


def _diff(original: dict[str, Any], modified: dict[str, Any], live: dict[str, Any],
          shape: Shape | None) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for key, value in modified.items():
        inner, present, before = child(shape, key), live.get(key), original.get(key)
        if value is None:
            if key in live:
                patch[key] = None
        elif isinstance(value, dict) and isinstance(present, dict):
            changed = _diff(before if isinstance(before, dict) else {}, value, present, inner)
            if changed:
                patch[key] = changed
        elif isinstance(value, list) and isinstance(present, list) and inner and inner.merge_key:
            patch |= _diff_list(key, before if isinstance(before, list) else [], value, present, inner)
        elif value != present and not (key not in live and value in ({}, [])):
            patch[key] = copy(value)
    for key in original:
        if key not in modified and key in live:
            patch[key] = None
    return patch


def _diff_list(name: str, original: list[Any], modified: list[Any], live: list[Any], shape: Shape) -> dict[str, Any]:
    if shape.merge_key == "=":
        added = [item for item in modified if item not in live]
        gone = [item for item in original if item not in modified and item in live]
        patch: dict[str, Any] = {name: added} if added else {}
        if gone:
            patch[strategic.DELETE_VALUES + name] = gone
        return {strategic.ORDER + name: copy(modified)} | patch if patch else {}
    key = shape.merge_key

    def by_key(items: list[Any]) -> dict[Any, dict[str, Any]]:
        return {item[key]: item for item in items if isinstance(item, dict) and key in item}

    before, wanted, present = by_key(original), by_key(modified), by_key(live)
    if len(wanted) != len(modified) or len(present) != len(live):  # keys that are absent or twice: replace
        return {name: [{strategic.DIRECTIVE: "replace"}, *copy(modified)]} if modified != live else {}
    changes: list[Any] = []
    for value, item in wanted.items():
        if value not in present:
            changes.append(copy(item))
        else:
            changed = _diff(before.get(value, {}), item, present[value], shape.element)
            if changed:
                changes.append({key: value} | changed)
    changes += [{strategic.DIRECTIVE: "delete", key: value} for value in before
                if value not in wanted and value in present]
    order = [value for value in present if value in wanted] != list(wanted)
    if not changes and not order:
        return {}
    return {strategic.ORDER + name: [{key: value} for value in wanted]} | ({name: changes} if changes else {})
