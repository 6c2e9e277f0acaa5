"""What a resourceFieldRef of the downward API reads: a container's requests and limits, in units of a divisor."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from netlab.model.quantity import Quantity


def resource_value(container: Mapping[str, Any], reference: Mapping[str, Any], allocatable: Mapping[str, str]) -> str:
    """The value, rounded up to a whole number of divisors. A limit that is not set is what the node can give.

    ValueError when a quantity cannot be read.
    """
    kind, _, resource = str(reference.get("resource", "")).partition(".")
    given = ((container.get("resources") or {}).get(kind) or {}).get(resource)
    if given is None and kind == "limits":
        given = allocatable.get(resource)
    divisor = Quantity.parse(reference.get("divisor") or "1").value or Fraction(1)
    return str(-((-Quantity.parse(given or "0").value / divisor) // 1))
