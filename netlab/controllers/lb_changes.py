"""What of a Service's change concerns its load balancer, in the events of upstream's service controller."""

from __future__ import annotations

from typing import Any

from netlab.model import meta
from netlab.model.meta import Manifest

Told = tuple[str, str]
"""Reason and message of an event."""

_ALIKE = (("LoadbalancerIP", "loadBalancerIP", ""), ("ExternalTrafficPolicy", "externalTrafficPolicy", ""),
          ("HealthCheckNodePort", "healthCheckNodePort", 0))
_SILENT = ("ports", "sessionAffinity", "sessionAffinityConfig", "ipFamilies")


def change(old: Manifest, new: Manifest) -> Told | None:
    """The change that has the load balancer made right anew: the first that there is an event for, ("", "") for one
    that has no event, None for none.
    """
    before, after = meta.spec(old), meta.spec(new)
    ranges = [_list(spec.get("loadBalancerSourceRanges")) for spec in (before, after)]
    if ranges[0] != ranges[1]:
        return "LoadBalancerSourceRanges", f"{ranges[0]} -> {ranges[1]}"
    if any(before.get(field) != after.get(field) for field in _SILENT):
        return "", ""
    outside = [list(spec.get("externalIPs") or ()) for spec in (before, after)]
    if len(outside[0]) != len(outside[1]):
        return "ExternalIP", f"Count: {len(outside[0])} -> {len(outside[1])}"
    for one, other in zip(*outside, strict=True):
        if one != other:
            return "ExternalIP", f"Added: {other}"
    for reason, field, nothing in _ALIKE:
        if before.get(field, nothing) != after.get(field, nothing):
            return reason, f"{before.get(field, nothing)} -> {after.get(field, nothing)}"
    return ("", "") if meta.annotations(old) != meta.annotations(new) else None


def _list(value: Any) -> str:
    """As Go prints a slice of strings."""
    return f"[{' '.join(value or ())}]"
