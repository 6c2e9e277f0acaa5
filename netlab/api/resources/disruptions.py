"""PodDisruptionBudgets: how many of some pods may be taken away at a time."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.object_rules import selector_errors
from netlab.api.resource import Column, Resource
from netlab.model import meta
from netlab.model.errors import FieldError, invalid, not_supported
from netlab.model.meta import Manifest

_POLICIES = ["AlwaysAllow", "IfHealthyBudget"]
_BOUNDS = ("minAvailable", "maxUnavailable")


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec, errors = meta.spec(new), []
    if all(field in spec for field in _BOUNDS):
        errors.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for field in _BOUNDS:
        value = spec.get(field)
        if isinstance(value, int) and value < 0:
            errors.append(invalid(f"spec.{field}", value, "must be greater than or equal to 0"))
        elif isinstance(value, str) and not re.fullmatch("[0-9]{1,9}%", value):
            errors.append(invalid(f"spec.{field}", value, "a valid percent string must be a numeric string followed "
                                  "by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"))
        elif isinstance(value, str) and int(value[:-1]) > 100:
            errors.append(invalid(f"spec.{field}", value, "must not be greater than 100%"))
    errors += selector_errors(spec.get("selector") or {}, "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy not in (None, *_POLICIES):
        errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
    return errors


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec = meta.spec(manifest)
    return [meta.name(manifest), *(str(spec.get(field, "N/A")) for field in _BOUNDS),
            meta.status(manifest).get("disruptionsAllowed", 0), age(manifest, now)]


PODDISRUPTIONBUDGETS = Resource(
    "poddisruptionbudgets", "PodDisruptionBudget", "policy", short_names=("pdb",), generations=True,
    validate=_validate,
    columns=(Column("Name"), Column("Min Available"), Column("Max Unavailable"),
             Column("Allowed Disruptions", 0, "integer"), Column("Age")), row=_row)
