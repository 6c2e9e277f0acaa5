"""What of a Service's change concerns its load balancer, in the events of upstream's service controller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netlab.model import meta
from netlab.model.meta import Manifest

_FIELDS = (("LoadbalancerIP", "loadBalancerIP", ""), ("ExternalTrafficPolicy", "externalTrafficPolicy", ""),
           ("HealthCheckNodePort", "healthCheckNodePort", 0))


def changes(old: Manifest, new: Manifest) -> Iterator[tuple[str, str]]:
    """(reason, message) of each change."""
    before, after = meta.spec(old), meta.spec(new)
    if before.get("loadBalancerSourceRanges") != after.get("loadBalancerSourceRanges"):
        yield "LoadBalancerSourceRanges", \
            f"{_list(before.get('loadBalancerSourceRanges'))} -> {_list(after.get('loadBalancerSourceRanges'))}"
    for reason, field, nothing in _FIELDS:
        if before.get(field, nothing) != after.get(field, nothing):
            yield reason, f"{before.get(field, nothing)} -> {after.get(field, nothing)}"


def _list(value: Any) -> str:
    """As Go prints a slice of strings."""
    return f"[{' '.join(value or ())}]"
