"""Which endpoint goes into which EndpointSlice (upstream: staging/src/k8s.io/endpointslice/reconciler.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netlab.model.meta import Manifest

MAX_ENDPOINTS = 100
Endpoint = dict[str, Any]


@dataclass(frozen=True)
class Filled:
    """A slice's wanted content. `slice` is the present one; None asks for a new one. Not `changed`: it is right."""

    slice: Manifest | None
    endpoints: tuple[Endpoint, ...]
    changed: bool = True
    ports: tuple[dict[str, Any], ...] = ()


def identity(endpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes an endpoint the same one although its conditions changed: addresses, host name, pod's name."""
    pod = endpoint.get("targetRef") or {}
    return (*sorted(endpoint["addresses"]), "|", endpoint.get("hostname") or "", pod.get("namespace") or "",
            pod.get("name") or "")


def same(one: Endpoint, other: Endpoint) -> bool:
    """Whether two endpoints say the same, their hints apart."""
    return one == other or without_hints(one) == without_hints(other)


def without_hints(endpoint: Endpoint) -> Endpoint:
    """The endpoint as it is before zones and nodes are thought of."""
    return {key: value for key, value in endpoint.items() if key != "hints"} if "hints" in endpoint else endpoint


def fill(slices: Sequence[Manifest], wanted: Sequence[Endpoint], *, limit: int = MAX_ENDPOINTS,
         outdated: Callable[[Manifest], bool] = lambda part: False) -> list[Filled]:
    """The wanted content of the slices of one port set; a slice that is emptied is not in the result.

    Endpoints stay where they are. New ones go into slices that change anyway, the fullest first, then into one
    unchanged slice that has room for all the rest, else into new slices until the rest fits somewhere: few slices are
    written, at the price that half-empty ones are not merged. `outdated` slices change for other reasons. Endpoints of
    slices that do not change come as they are, with their hints.
    """
    missing = {identity(endpoint): endpoint for endpoint in wanted}
    changed: list[tuple[Manifest, list[Endpoint]]] = []
    unchanged: list[tuple[Manifest, list[Endpoint]]] = []
    new: list[list[Endpoint]] = []
    for part in slices:
        old = part.get("endpoints") or []
        kept = [found for endpoint in old if (found := missing.pop(identity(endpoint), None)) is not None]
        if old and not kept:
            continue
        if outdated(part) or len(kept) != len(old) or not all(map(same, kept, old)):
            changed.append((part, kept))
        else:
            unchanged.append((part, old))
    rest = list(missing.values())
    for _, content in sorted(changed, key=lambda pair: -len(pair[1])):
        room = max(0, limit - len(content))
        content += rest[:room]
        rest = rest[room:]
    while rest:
        roomy = [pair for pair in unchanged if len(pair[1]) + len(rest) <= limit] if len(rest) < limit else []
        if roomy:
            chosen = max(roomy, key=lambda pair: len(pair[1]))
            unchanged.remove(chosen)
            changed.append((chosen[0], [*map(without_hints, chosen[1]), *rest]))
        else:
            new.append(rest[:limit])
        rest = [] if roomy else rest[limit:]
    return [*(Filled(None, tuple(content)) for content in new),
            *(Filled(part, tuple(content)) for part, content in changed),
            *(Filled(part, tuple(content), changed=False) for part, content in unchanged)]
