"""`${name}` in the texts of a step; `$${name}` is left as `${name}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_REFERENCE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


def names(value: Any) -> Iterator[str]:
    """The names that a value refers to, anywhere inside."""
    if isinstance(value, str):
        yield from (match[2] for match in _REFERENCE.finditer(value) if not match[1])
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from names(key)
            yield from names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from names(item)


def fill(value: Any, variables: Mapping[str, Any]) -> Any:
    """A copy with all references replaced; text that is one reference and nothing else takes the value's type."""
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole and not whole[1]:
            return variables[whole[2]]
        return _REFERENCE.sub(lambda match: match[0][1:] if match[1] else str(variables[match[2]]), value)
    if isinstance(value, dict):
        return {fill(key, variables): fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, variables) for item in value]
    if isinstance(value, tuple):
        return tuple(fill(item, variables) for item in value)
    return value
