"""ResourceQuotas and LimitRanges: how much a namespace, and each thing in it, may ask for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.object_rules import unchanged
from netlab.api.resource import Column, Resource
from netlab.api.resources.roles import CREATED, created
from netlab.api.usage import NAMED, STANDARD
from netlab.model import meta
from netlab.model.errors import FieldError, forbidden, invalid, not_supported
from netlab.model.meta import Manifest
from netlab.model.quantity import parse_all

_SCOPES = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
           "Terminating")
_ORDER = (("min", "max", "min value {} is greater than max value {}"),
          ("min", "defaultRequest", "min value {} is greater than default request value {}"),
          ("defaultRequest", "max", "default request value {} is greater than max value {}"),
          ("defaultRequest", "default", "default request value {} is greater than default limit value {}"),
          ("default", "max", "default value {} is greater than max value {}"))
_TYPES = ["Container", "PersistentVolumeClaim", "Pod"]


def _default_range(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    for item in spec.setdefault("limits", []):
        if item.get("type") == "Container":
            item["default"] = (item.get("max") or {}) | (item.get("default") or {})
            item["defaultRequest"] = (item.get("min") or {}) | item["default"] | (item.get("defaultRequest") or {})
            for field in ("default", "defaultRequest"):
                if not item[field]:
                    del item[field]


def _validate_range(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = []
    for index, item in enumerate(new["spec"]["limits"]):
        path = f"spec.limits[{index}]"
        if item.get("type") not in _TYPES and "/" not in item.get("type", ""):
            errors.append(not_supported(f"{path}.type", item.get("type", ""), _TYPES))
        if item.get("type") == "Pod":
            errors += [forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'")
                       for field in ("default", "defaultRequest") if item.get(field)]
        for low, high, text in _ORDER:
            small, large = parse_all(item.get(low)), parse_all(item.get(high))
            errors += [invalid(f"{path}.{low}[{name}]", str(amount), text.format(amount, large[name]))
                       for name, amount in small.items() if name in large and amount.value > large[name].value]
    return errors


def _validate_quota(new: Manifest, old: Manifest | None) -> list[FieldError]:
    errors = []
    for name, amount in parse_all(meta.spec(new).get("hard")).items():
        path = f"spec.hard[{name}]"
        if "/" not in name and name not in STANDARD and not name.startswith(("requests.", "limits.")):
            errors.append(invalid(path, name, "must be a standard resource for quota"))
        if amount.value < 0:
            errors.append(invalid(path, str(amount), "must be greater than or equal to 0"))
        elif (name in NAMED or name.startswith(("count/", "services."))) and amount.value.denominator != 1:
            errors.append(invalid(path, str(amount), "must be an integer"))
    errors += [not_supported("spec.scopes", scope, list(_SCOPES))
               for scope in meta.spec(new).get("scopes") or () if scope not in _SCOPES]
    if old is not None:
        errors += unchanged(meta.spec(new).get("scopes"), meta.spec(old).get("scopes"), "spec.scopes")
    return errors


def _quota_row(manifest: Manifest, now: datetime) -> list[Any]:
    hard, used = meta.status(manifest).get("hard") or {}, meta.status(manifest).get("used") or {}
    texts = {name: f"{name}: {used.get(name, '0')}/{limit}" for name, limit in sorted(hard.items())}
    return [meta.name(manifest), ", ".join(text for name, text in texts.items() if not name.startswith("limits")),
            ", ".join(text for name, text in texts.items() if name.startswith("limits")), age(manifest, now)]


RESOURCEQUOTAS = Resource("resourcequotas", "ResourceQuota", short_names=("quota",), validate=_validate_quota,
                          columns=(Column("Name"), Column("Request"), Column("Limit"), Column("Age")), row=_quota_row)
LIMITRANGES = Resource("limitranges", "LimitRange", short_names=("limits",), subresources=(),
                       default=_default_range, validate=_validate_range, columns=CREATED, row=created)
