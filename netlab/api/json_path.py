"""Simple JSONPaths, as CustomResourceDefinitions have them: `.spec.replicas`, `.status.conditions[0].type`.

    .name  ['name']  .*  [*]  [0]  [-1]  [?(@.field=="value")]      a dot in a name is written \\.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

_STEP = re.compile(r"""
    \.(?P<name>(?:[^.\[\]\\'"\s]|\\.)+)
  | \[\s*(?P<quote>['"])(?P<quoted>.+?)(?P=quote)\s*\]
  | \[\s*(?P<index>-?\d+)\s*\]
  | \[(?P<all>\*)\]
  | \[\?\(\s*@(?P<field>(?:\.(?:[^.\[\]\\'"\s=!<>]|\\.)+)+)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[\w.-]+)\s*\)\]
""", re.VERBOSE)


class _Step(NamedTuple):
    """`kind` is name, index, all or filter."""

    kind: str
    name: str = ""
    place: int = 0
    equal: bool = True
    value: Any = None


@cache
def _steps(path: str) -> tuple[_Step, ...]:
    found, position = [], 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f"{path!r} is no simple JSONPath")
        position = step.end()
        if step["index"]:
            found.append(_Step("index", place=int(step["index"])))
        elif step["all"] or step["name"] == "*":
            found.append(_Step("all"))
        elif step["field"]:
            text = step["value"]
            value = text[1:-1] if text[0] in "'\"" else _plain(text)
            found.append(_Step("filter", step["field"], equal=step["op"] == "==", value=value))
        else:
            found.append(_Step("name", re.sub(r"\\(.)", r"\1", step["name"]) if step["name"] else step["quoted"]))
    return tuple(found)


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def is_simple(path: str) -> bool:
    """Whether the path can be followed."""
    try:
        return path.startswith((".", "[")) and bool(_steps(path))
    except ValueError:
        return False


def every(path: str, value: Any) -> Iterator[Any]:
    """The values that the path leads to."""
    found = [value]
    for step in _steps(path):
        found = [below for item in found for below in _below(item, step)]
    yield from found


def first(path: str, value: Any) -> Any:
    """The first value that the path leads to, None when there is none."""
    return next(every(path, value), None)


def _below(item: Any, step: _Step) -> Iterator[Any]:
    if step.kind == "name":
        if isinstance(item, dict) and step.name in item:
            yield item[step.name]
    elif step.kind == "all":
        yield from item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    elif isinstance(item, list):
        if step.kind == "filter":
            yield from (entry for entry in item if (first(step.name, entry) == step.value) == step.equal)
        elif -len(item) <= step.place < len(item):
            yield item[step.place]


def put(path: str, manifest: dict[str, Any], value: Any) -> None:
    """Writes a value where a path of names leads to; what is missing on the way is made."""
    *way, last = [step.name for step in _steps(path)]
    for name in way:
        manifest = manifest.setdefault(name, {})
    manifest[last] = value
