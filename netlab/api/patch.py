"""The three patch types of the API, by media type. Pure: nothing that comes in is changed."""

from __future__ import annotations

from typing import Any

from netlab.api import json_patch, strategic
from netlab.api.decode import copy, json_type
from netlab.api.resource import Resource
from netlab.model.errors import bad_request, unsupported_media_type
from netlab.model.meta import Manifest

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TYPES = [JSON_PATCH, MERGE, APPLY, STRATEGIC]


def check_type(kind: Resource, patch_type: str) -> None:
    """ApiError 415 for a patch of a type that objects of the kind do not take: custom ones no strategic patch."""
    taken = [known for known in TYPES if not (kind.custom and known == STRATEGIC)]
    if patch_type not in taken:
        raise unsupported_media_type(taken)


def apply_patch(manifest: Manifest, patch: Any, patch_type: str, kind: str) -> Manifest:
    """The patched object. ApiError 400 for a malformed patch, 415 for an unknown type, 422 when it does not fit."""
    if patch_type == JSON_PATCH:
        new = json_patch.apply(manifest, patch)
    elif patch_type not in (MERGE, STRATEGIC):
        raise unsupported_media_type(TYPES)
    elif not isinstance(patch, dict):
        raise bad_request(("" if patch_type == STRATEGIC else "error decoding patch: ") + "json: cannot unmarshal "
                          f"{json_type(patch)} into Go value of type map[string]interface {{}}")
    elif patch_type == MERGE:
        new = merge(manifest, patch)
    else:
        new = strategic.apply(manifest, patch, kind)
    if not isinstance(new, dict):
        raise bad_request("the patch leaves no object")
    return new


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: maps are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return copy(patch)
    result = copy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
