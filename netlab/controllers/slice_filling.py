"""Which endpoint goes into which EndpointSlice (upstream: staging/src/k8s.io/endpointslice/reconciler.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netlab.model.meta import Manifest

MAX_ENDPOINTS = 100


@dataclass(frozen=True)
class Filled:
    """A slice's wanted content. `slice` is the present one; None asks for a new one."""

    slice: Manifest | None
    endpoints: tuple[dict[str, Any], ...]


def identity(endpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes an endpoint the same one although its conditions changed: addresses, host name, pod."""
    return (*sorted(endpoint["addresses"]), "|", endpoint.get("hostname") or "",
            (endpoint.get("targetRef") or {}).get("uid") or "")


def fill(slices: Sequence[Manifest], wanted: Sequence[dict[str, Any]], *,
         limit: int = MAX_ENDPOINTS) -> list[Filled]:
    """The wanted content of the slices of one port set; a slice that is emptied is not in the result.

    Endpoints stay where they are. New ones go into slices that change anyway, the fullest first, then into one
    unchanged slice that has room for all the rest, then into new slices: few slices are written, at the price
    that half-empty ones are not merged.
    """
    missing = {identity(endpoint): endpoint for endpoint in wanted}
    changed: list[tuple[Manifest | None, list[dict[str, Any]]]] = []
    unchanged: list[tuple[Manifest | None, list[dict[str, Any]]]] = []
    for part in slices:
        old = part.get("endpoints") or []
        kept = [found for endpoint in old if (found := missing.pop(identity(endpoint), None)) is not None]
        if kept:
            (unchanged if kept == old else changed).append((part, kept))
    rest = list(missing.values())
    for _, content in sorted(changed, key=lambda pair: -len(pair[1])):
        while rest and len(content) < limit:
            content.append(rest.pop(0))
    if rest and len(rest) < limit:
        roomy = [pair for pair in unchanged if len(pair[1]) + len(rest) <= limit]
        if roomy:
            max(roomy, key=lambda pair: len(pair[1]))[1].extend(rest)
            rest = []
    new = [rest[start:start + limit] for start in range(0, len(rest), limit)]
    return [Filled(part, tuple(content)) for part, content in (*changed, *unchanged) if content] \
        + [Filled(None, tuple(content)) for content in new]
