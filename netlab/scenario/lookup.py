"""Values inside objects by paths such as `.spec.ports[0].nodePort`, the simple part of kubectl's jsonpath."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PART = re.compile(r"\.?([A-Za-z0-9_-]+)|\[(-?\d+)\]|\['([^']+)'\]|(\[\*\])|\[\"([^\"]+)\"\]")
MISSING = object()


def parts(path: str) -> list[str | int] | None:
    """The steps of a path, or None when it is malformed. `[*]` is the step "*"."""
    path = path.strip()
    if path.startswith("{") and path.endswith("}"):
        path = path[1:-1]
    path = path.replace("\\.", "\0")
    found: list[str | int] = []
    position = 0
    path = re.sub(r"\.([A-Za-z0-9_/-]*\0[A-Za-z0-9_/\0-]*)", lambda match: f"['{match[1]}']", path)
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            return None
        position = match.end()
        name, index, quoted, star, double = match.groups()
        found.append("*" if star else int(index) if index else (name or quoted or double).replace("\0", "."))
    return found


def look(value: Any, path: str) -> Any:
    """The value at the path, MISSING when there is none. With `[*]` a list of what is there."""
    return _look(value, parts(path) or [])


def _look(value: Any, steps: list[str | int]) -> Any:
    for number, step in enumerate(steps):
        if step == "*" and isinstance(value, list):
            found = (_look(item, steps[number + 1:]) for item in value)
            return [item for item in found if item is not MISSING]
        if isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            return MISSING
    return value
