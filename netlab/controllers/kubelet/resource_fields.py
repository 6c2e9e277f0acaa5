"""What a resourceFieldRef of the downward API reads: a container's requests and limits, in units of a divisor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)$")
_UNITS = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
          **{unit: Fraction(1000 ** power) for power, unit in enumerate("kMGTPE", 1)},
          **{unit + "i": Fraction(1024 ** power) for power, unit in enumerate("KMGTPE", 1)}}


def amount(text: str) -> Fraction:
    """A quantity such as `500m`, `1.5Gi` or `2e3` as a number. ValueError when it is none."""
    match = _QUANTITY.match(text.strip())
    if match is None:
        raise ValueError(f"not a quantity: {text}")
    return Fraction(match[1]) * Fraction(10) ** int(match[2] or 0) * _UNITS[match[3] or ""]


def resource_value(container: Mapping[str, Any], reference: Mapping[str, Any], allocatable: Mapping[str, str]) -> str:
    """The value, rounded up to a whole number of divisors. A limit that is not set is what the node can give.

    ValueError when a quantity cannot be read.
    """
    kind, _, resource = str(reference.get("resource", "")).partition(".")
    given = ((container.get("resources") or {}).get(kind) or {}).get(resource)
    if given is None and kind == "limits":
        given = allocatable.get(resource)
    divisor = amount(str(reference.get("divisor") or "1")) or Fraction(1)
    return str(-((-amount(str(given or "0")) / divisor) // 1))
