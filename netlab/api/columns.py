"""Cells as kubectl's tables show them: ages, selectors, lists that are cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from netlab.model import meta
from netlab.model.meta import Manifest

NONE = "<none>"
UNKNOWN = "<unknown>"


def duration(seconds: int) -> str:
    """A time span as kubectl writes it: 45s, 3m20s, 18m, 5h2m, 30h, 4d3h, 12d, 2y40d (duration.HumanDuration)."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days, rest = divmod(hours, 24)
    if days < 8:
        return f"{days}d{rest}h" if rest else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if rest and years < 8 else f"{years}y"


def since(moment: Any, now: datetime) -> str:
    """How long ago a timestamp is, `<unknown>` without one."""
    try:
        return duration(int((now - meta.parse_time(moment)).total_seconds()))
    except (ValueError, TypeError):
        return UNKNOWN


def age(manifest: Manifest, now: datetime) -> str:
    """How long ago the object was created."""
    return since(meta.metadata(manifest).get("creationTimestamp"), now)


def joined(values: Iterable[str], empty: str = NONE) -> str:
    """The values with commas."""
    return ",".join(values) or empty


def more(values: list[str], limit: int = 3, empty: str = NONE) -> str:
    """The first values, and how many there are more."""
    if not values:
        return empty
    text = ",".join(values[:limit])
    return f"{text} + {len(values) - limit} more..." if len(values) > limit else text


def label_selector(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector in the query grammar."""
    selector = selector or {}
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression.get("key", ""), expression.get("operator", "")
        values = ",".join(sorted(expression.get("values") or ()))
        known = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append(known.get(operator, f"!{key}"))
    return joined(sorted(terms))


def pairs(labels: Mapping[str, str] | None) -> str:
    """Labels as `a=b,c=d`."""
    return joined(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def containers(template: Mapping[str, Any]) -> tuple[str, str]:
    """Names and images of a pod template's containers."""
    found = (template.get("spec") or {}).get("containers") or []
    return joined((c.get("name", "") for c in found), ""), joined((c.get("image", "") for c in found), "")
