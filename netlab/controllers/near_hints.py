"""Hints of EndpointSlices for Services with a `trafficDistribution` (KEP-4444, KEP-3015), and for those without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from netlab.controllers.slice_filling import Endpoint, Filled, without_hints

SAME_NODE = "PreferSameNode"
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", SAME_NODE)


def is_ready(endpoint: Endpoint) -> bool:
    """Whether the endpoint says to be ready; only such ones have hints."""
    return (endpoint.get("conditions") or {}).get("ready") is True


def hint_near(parts: Iterable[Filled], distribution: str) -> list[Filled]:
    """The slices with each ready endpoint hinted for its own zone, and for its own node with PreferSameNode."""
    def near(endpoint: Endpoint) -> Endpoint:
        if not is_ready(endpoint):
            return endpoint
        hints: dict[str, Any] = {}
        if zone := endpoint.get("zone"):
            hints["forZones"] = [{"name": zone}]
        if distribution == SAME_NODE and (node := endpoint.get("nodeName")):
            hints["forNodes"] = [{"name": node}]
        return without_hints(endpoint) | ({"hints": hints} if hints else {})

    return [_mapped(part, near) for part in parts]


def hint_nothing(parts: Iterable[Filled]) -> list[Filled]:
    """The slices without hints."""
    return [_mapped(part, without_hints) for part in parts]


def _mapped(part: Filled, change: Callable[[Endpoint], Endpoint]) -> Filled:
    endpoints = tuple(map(change, part.endpoints))
    return replace(part, endpoints=endpoints, changed=part.changed or endpoints != part.endpoints)
