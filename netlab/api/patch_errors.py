"""What upstream answers to a patch whose result is no object of the kind: 422 about `patch`, not about the object.

Source: k8s.io/apiserver, pkg/endpoints/handlers/patch.go; k8s.io/apimachinery, pkg/runtime/converter.go.
"""

from __future__ import annotations

import json
import re
from typing import Any

from netlab.api.decode import decode, duplicates, strict_error
from netlab.api.patch import STRATEGIC
from netlab.api.resource import Resource
from netlab.model.errors import ApiError, invalid, invalid_object
from netlab.model.meta import Manifest

_WRONG_TYPE = re.compile(r"json: cannot unmarshal (\w+).* of type (\S+)")
_KINDS = {"object": "map", "array": "slice", "number": "int64"}  # what Go's reflection calls them
_PLAIN = frozenset({"int32", "int64", "bool", "string"})


def check(kind: Resource, old: Manifest, new: Manifest, *, patch: Any, patch_type: str, strict: bool) -> list[str]:
    """What is to be told of unknown and duplicate fields that the patch brings; ApiError 422 when strict.

    ApiError 422, too, when a value has a wrong type.
    """
    known: list[str] = []
    decode(old, kind.kind, kind.api_version, told=known, shape=kind.shape)
    told = duplicates(patch)
    try:
        decode(new, kind.kind, kind.api_version, told=told, tolerated=frozenset(known),
               shape=kind.shape)
    except ApiError as error:
        text = error.message.partition(f"cannot be handled as a {kind.kind}: ")[2]
        raise _refused(patch, new, patch_type, _as_converter(text) if patch_type == STRATEGIC else text) from None
    if strict and told:
        raise _refused(patch, new, patch_type, strict_error(told))
    return told


def _refused(patch: Any, new: Manifest, patch_type: str, text: str) -> ApiError:
    shown = go_value(patch) if patch_type == STRATEGIC else json.dumps(new, separators=(",", ":"), ensure_ascii=False)
    return invalid_object("", "", [invalid("patch", shown, text)])


def _as_converter(text: str) -> str:
    found = _WRONG_TYPE.fullmatch(text)
    if not found:
        return text
    kind, wanted = _KINDS.get(found[1], found[1]), found[2]
    if wanted.startswith(("[]", "map[")):
        return f"cannot restore {'slice' if wanted.startswith('[]') else 'map'} from {kind}"
    bare = wanted.rpartition(".")[2]
    if wanted in _PLAIN:
        return f"unrecognized type: {wanted}"
    from netlab.api.shapes import types

    plain = bare in types() and types()[bare].form == "string"
    return "unrecognized type: string" if plain else f"cannot restore struct from: {kind}"


def go_value(value: Any) -> str:
    """A JSON value as Go's %+v prints it: `map[spec:map[replicas:x]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_value(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_value, value)) + "]"
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
