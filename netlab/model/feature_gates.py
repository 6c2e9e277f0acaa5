"""Feature gates: what of newer Kubernetes a lab can be asked to do, by upstream's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlab.model.errors import FieldError, invalid, unknown_field

PREFER_SAME = "PreferSameTrafficDistribution"
GATES = {PREFER_SAME: False}  # alpha in 1.33, on from 1.34
"""Every gate, and whether it is open when nothing is said: as in Kubernetes 1.33."""


def read_feature_gates(value: Any) -> tuple[dict[str, bool], list[FieldError]]:
    """The gates that a lab file opens or closes other than by default, and everything wrong with what it says."""
    if value is None:
        return {}, []
    if not isinstance(value, Mapping):
        return {}, [invalid("spec.featureGates", str(value), "must be an object")]
    errors = [unknown_field("spec.featureGates", key, tuple(GATES)) for key in value if key not in GATES]
    errors += [invalid(f"spec.featureGates.{key}", item if isinstance(item, str | int) else str(item),
                       "must be true or false")
               for key, item in value.items() if key in GATES and not isinstance(item, bool)]
    return ({} if errors else {key: item for key, item in value.items() if item != GATES[key]}), errors
