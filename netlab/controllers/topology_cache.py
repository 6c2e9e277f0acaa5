"""`service.kubernetes.io/topology-mode: Auto`: endpoints are given to zones by the zones' shares of CPU (KEP-2433).

Source: staging/src/k8s.io/endpointslice/topologycache.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from netlab.controllers.near_hints import hint_nothing, is_ready
from netlab.controllers.slice_filling import Endpoint, Filled, without_hints
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest
from netlab.model.quantity import Quantity

ANNOTATIONS = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")  # the first counts
ZONE = "topology.kubernetes.io/zone"
ENABLED, DISABLED = "TopologyAwareHintsEnabled", "TopologyAwareHintsDisabled"
IS_ENABLED, IS_DISABLED = "Topology Aware Hints has been enabled", "Topology Aware Hints has been disabled"
NO_NODE_INFO = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
TOO_FEW = "Insufficient number of endpoints"
OVERLOAD = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
NO_ZONE = "One or more endpoints do not have a zone specified"
_THRESHOLD = 0.2  # an endpoint may get so much more than its share
_LEFT_OUT = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
Key = tuple[str, str]


class Event(NamedTuple):
    """Something to tell of the Service."""

    type: str
    reason: str
    message: str


class Share(NamedTuple):
    """How many endpoints a zone may have at most, and should have."""

    most: int
    desired: float


class _CannotShare(Exception):
    """There is no good distribution; the text says why."""


def is_auto(service: Manifest) -> bool:
    """Whether the Service's annotation asks for zones by their CPU."""
    notes = meta.annotations(service)
    return next((notes[key] for key in ANNOTATIONS if key in notes), "") in ("Auto", "auto")


def cpu_shares(nodes: Iterable[Manifest]) -> dict[str, float]:
    """Each zone's part of the CPU of all ready workers; empty when it is not known, or there is one zone only."""
    cpus: dict[str, Fraction] = {}
    for node in nodes:
        if any(label in meta.labels(node) for label in _LEFT_OUT) or not pod_status.is_ready(node):
            continue
        zone = meta.labels(node).get(ZONE)
        cpu = Quantity.parse((meta.status(node).get("allocatable") or {}).get("cpu") or 0).value
        if not zone or not cpu:
            return {}
        cpus[zone] = cpus.get(zone, Fraction(0)) + cpu
    total = math.ceil(sum(cpus.values()) * 1000)
    return {zone: math.ceil(cpu * 1000) / total for zone, cpu in sorted(cpus.items())} if len(cpus) > 1 else {}


def shares(zones: Mapping[str, float], endpoints: int) -> dict[str, Share]:
    """What each zone gets of that many endpoints."""
    if not zones:
        raise _CannotShare(NO_NODE_INFO)
    if len(zones) > endpoints:
        raise _CannotShare(f"{TOO_FEW} ({endpoints} endpoints, {len(zones)} zones)")
    least = {zone: _least(part * endpoints) for zone, part in zones.items()}
    spare = endpoints - sum(least.values())
    if spare < 0:
        raise _CannotShare(f"{OVERLOAD} ({endpoints} endpoints, {len(zones)} zones)")
    return {zone: Share(least[zone] + spare, max(part * endpoints, float(least[zone])))
            for zone, part in zones.items()}


def is_overloaded(given: Mapping[str, int], zones: Mapping[str, float]) -> bool:
    """Whether a zone has fewer endpoints than it needs."""
    total = sum(given.values())
    return bool(given) and (not zones or any(zone not in given or given[zone] < _least(total * part)
                                             for zone, part in zones.items()))


class TopologyCache:
    """The zones of the cluster, and how many endpoints of each Service and family are hinted for each zone."""

    def __init__(self) -> None:
        self.zones: dict[str, float] = {}
        self._given: dict[Key, dict[str, dict[str, int]]] = {}
        self._hinted: set[Key] = set()

    def overloaded(self) -> list[Key]:
        """The Services of which some zone has not enough endpoints any more."""
        return [key for key, families in self._given.items()
                if any(is_overloaded(given, self.zones) for given in families.values())]

    def has_hints(self, key: Key) -> bool:
        """Whether the Service's hints come from here."""
        return key in self._hinted

    def remove(self, key: Key, family: str) -> None:
        """Forgets a Service's hints of a family."""
        self._given.get(key, {}).pop(family, None)
        if not self._given.get(key):
            self._given.pop(key, None)
        self._hinted.discard(key)

    def forget(self, key: Key) -> None:
        """Forgets a Service that is gone."""
        self._given.pop(key, None)
        self._hinted.discard(key)

    def hint(self, key: Key, family: str, parts: Sequence[Filled]) -> tuple[list[Filled], list[Event]]:
        """The slices with hints, as few of them changed as can be; without any where no distribution is good."""
        try:
            hinted, given = _distribute(parts, self.zones)
        except _CannotShare as reason:
            self.remove(key, family)
            return hint_nothing(parts), [Event("Warning", DISABLED, f"{reason}, addressType: {family}")]
        news = [] if self.has_hints(key) else [Event("Normal", ENABLED, f"{IS_ENABLED}, addressType: {family}")]
        self._given.setdefault(key, {})[family] = given
        self._hinted.add(key)
        return hinted, news


def _least(share: float) -> int:
    return math.ceil(share * (1 / (1 + _THRESHOLD)))


def _distribute(parts: Sequence[Filled], zones: Mapping[str, float]) -> tuple[list[Filled], dict[str, int]]:
    wanted = shares(zones, sum(is_ready(endpoint) for part in parts for endpoint in part.endpoints))
    given: dict[str, int] = {}
    kept, open_parts = [], [part for part in parts if part.changed]
    for part in parts:
        if part.changed:
            continue
        counts = _good_hints(part.endpoints, given, wanted)
        if counts is None:
            open_parts.append(replace(part, changed=True))
        else:
            kept.append(part)
            given |= {zone: given.get(zone, 0) + count for zone, count in counts.items()}
    for part in open_parts:
        for endpoint in filter(is_ready, part.endpoints):
            zone = endpoint.get("zone")
            if not zone:
                raise _CannotShare(NO_ZONE)
            given[zone] = given.get(zone, 0) + 1
    giving, receiving = transfers(wanted, given)
    hinted = []
    for part in open_parts:
        endpoints = [_hinted(endpoint, giving, receiving, given) for endpoint in part.endpoints]
        hinted.append(replace(part, endpoints=tuple(endpoints)))
    return hinted + kept, given


def _good_hints(endpoints: Iterable[Endpoint], given: Mapping[str, int],
                wanted: Mapping[str, Share]) -> dict[str, int] | None:
    """How many hints for each zone an unchanged slice has; None when it cannot stay as it is."""
    counts: dict[str, int] = {}
    for endpoint in filter(is_ready, endpoints):
        found = [zone["name"] for zone in (endpoint.get("hints") or {}).get("forZones") or ()]
        if not found or any(zone not in wanted for zone in found):
            return None
        for zone in found:
            counts[zone] = counts.get(zone, 0) + 1
    if any(count + given.get(zone, 0) > wanted[zone].most for zone, count in counts.items()):
        return None
    return counts


def transfers(wanted: Mapping[str, Share], given: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """How many endpoints zones give away, and how many zones receive: from the richest to the poorest, one by one."""
    differences = {zone: given.get(zone, 0) - share.desired for zone, share in wanted.items()}
    rich = {zone: extra for zone, extra in differences.items() if extra > 0}
    poor = {zone: -extra for zone, extra in differences.items() if extra < 0}
    giving: dict[str, int] = {}
    receiving: dict[str, int] = {}
    while rich and poor:
        giver, receiver = max(rich, key=lambda zone: rich[zone]), max(poor, key=lambda zone: poor[zone])
        # Nobody gives or receives less than half an endpoint, nor two at once less than a whole one.
        if min(rich[giver], poor[receiver]) < 0.5 or max(rich[giver], poor[receiver]) < 1:
            break
        giving[giver] = giving.get(giver, 0) + 1
        receiving[receiver] = receiving.get(receiver, 0) + 1
        rich[giver] -= 1
        poor[receiver] -= 1
    return giving, receiving


def _hinted(endpoint: Endpoint, giving: dict[str, int], receiving: dict[str, int], given: dict[str, int]) -> Endpoint:
    if not is_ready(endpoint):
        return endpoint
    zone = endpoint["zone"]
    if giving.get(zone) and any(receiving.values()):
        giving[zone] -= 1
        given[zone] -= 1
        zone = next(name for name, count in receiving.items() if count)
        receiving[zone] -= 1
        given[zone] = given.get(zone, 0) + 1
    return without_hints(endpoint) | {"hints": {"forZones": [{"name": zone}]}}
