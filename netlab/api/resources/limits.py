"""ResourceQuotas and LimitRanges: stored, and enforced by nobody in a lab."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import age
from netlab.api.resource import Column, Resource
from netlab.api.resources.roles import CREATED, created
from netlab.model import meta
from netlab.model.errors import FieldError, not_supported
from netlab.model.meta import Manifest

_TYPES = ["Container", "PersistentVolumeClaim", "Pod"]


def _warn_quota(new: Manifest, old: Manifest | None) -> list[str]:
    return ["nothing in this lab enforces ResourceQuotas: it is stored only"]


def _warn_range(new: Manifest, old: Manifest | None) -> list[str]:
    return ["nothing in this lab enforces LimitRanges: it is stored only"]


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
    return [not_supported(f"spec.limits[{index}].type", item.get("type", ""), _TYPES)
            for index, item in enumerate(new["spec"]["limits"])
            if item.get("type") not in _TYPES and "/" not in item.get("type", "")]


def _quota_row(manifest: Manifest, now: datetime) -> list[Any]:
    hard, used = meta.status(manifest).get("hard") or {}, meta.status(manifest).get("used") or {}
    texts = {name: f"{name}: {used.get(name, '0')}/{limit}" for name, limit in sorted(hard.items())}
    return [meta.name(manifest), ", ".join(text for name, text in texts.items() if not name.startswith("limits")),
            ", ".join(text for name, text in texts.items() if name.startswith("limits")), age(manifest, now)]


RESOURCEQUOTAS = Resource("resourcequotas", "ResourceQuota", short_names=("quota",), warnings=_warn_quota,
                          columns=(Column("Name"), Column("Request"), Column("Limit"), Column("Age")), row=_quota_row)
LIMITRANGES = Resource("limitranges", "LimitRange", short_names=("limits",), subresources=(), warnings=_warn_range,
                       default=_default_range, validate=_validate_range, columns=CREATED, row=created)
