"""`$(VAR)` in commands, arguments and values (k8s.io/kubernetes/third_party/forked/golang/expansion)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with references replaced; `$$` gives `$`, so `$$(VAR)` stays unexpanded; unknown ones are left as is."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(value, text)
