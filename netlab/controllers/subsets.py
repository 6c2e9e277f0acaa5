"""The subsets of a legacy Endpoints object (upstream: pkg/api/v1/endpoints/util.go)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from netlab.controllers import slice_content
from netlab.controllers.port_order import endpoints_order
from netlab.model import meta, pod_status
from netlab.model.endpoint_ports import resolve
from netlab.model.meta import Manifest

CAPACITY = 1000
_FIELDS = ("addresses", "notReadyAddresses")
Subset = dict[str, Any]
Row = tuple[dict[str, Any], bool, dict[str, Any] | None]
"""An address, whether it is ready, and a port that it has."""


def address(service: Manifest, pod: Manifest, ip: str) -> dict[str, Any]:
    """The pod's entry in a subset."""
    spec = meta.spec(pod)
    entry: dict[str, Any] = {"ip": ip}
    if spec.get("hostname") and spec.get("subdomain") == meta.name(service):
        entry["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        entry["nodeName"] = spec["nodeName"]
    return entry | {"targetRef": {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod),
                                  "uid": meta.uid(pod)}}


def subsets(service: Manifest, pods: Iterable[Manifest]) -> list[Subset]:
    """The Service's pods by their ports, as `repack` orders them. Pods that are being deleted are left out.

    A pod that lacks a named port is absent for that port; a headless Service may have no ports at all.
    """
    spec = meta.spec(service)
    publish = bool(spec.get("publishNotReadyAddresses"))
    family = slice_content.families(service)[0]
    ports = spec.get("ports") or ()
    found: list[Row] = []
    for pod in pods:
        ip = slice_content.address_of(pod, family)
        if ip is None or not slice_content.is_candidate(pod) or (meta.is_deleting(pod) and not publish):
            continue
        entry, ready = address(service, pod, ip), publish or pod_status.is_ready(pod)
        if not ports and slice_content.is_headless(service):
            found.append((entry, ready, None))
        for port in ports:
            number = resolve(port, pod)
            if number is not None:
                found.append((entry, ready, _port(port, number)))
    return repack(found)


def _port(port: Mapping[str, Any], number: int) -> dict[str, Any]:
    entry = {"name": port.get("name") or "", "port": number, "protocol": port.get("protocol") or "TCP",
             "appProtocol": port.get("appProtocol") or ""}
    return {key: value for key, value in entry.items() if value}


def repack(found: Iterable[Row]) -> list[Subset]:
    """Rows as subsets: one for each set of addresses that some ports share, all in upstream's order.

    Where a port has an address twice, not ready trumps ready.
    """
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    ports: dict[str, tuple[dict[str, Any] | None, dict[tuple[str, str], bool]]] = {}
    for entry, ready, port in found:
        key = entry["ip"], (entry.get("targetRef") or {}).get("uid", "")
        entries.setdefault(key, entry)
        states = ports.setdefault(repr(port), (port, {}))[1]
        states[key] = states.get(key, True) and ready
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for port, states in ports.values():
        groups.setdefault(tuple(sorted(states.items())), []).extend([port] if port else [])
    result = []
    for addresses, shared in groups.items():
        subset = {"addresses": [entries[key] for key, ready in addresses if ready],
                  "notReadyAddresses": [entries[key] for key, ready in addresses if not ready],
                  "ports": endpoints_order(shared)}
        result.append({key: value for key, value in subset.items() if value})
    return sorted(result, key=lambda subset: [(port.get("name", ""), port["port"]) for port in subset.get("ports", ())])


def truncate(found: list[Subset], capacity: int = CAPACITY) -> tuple[list[Subset], bool]:
    """At most `capacity` addresses, ready ones first, from the subsets in proportion; whether any was left out.

    Shares are rounded up, so the last subsets have less. A subset without any address left goes: no API takes it.
    """
    ready, other = (sum(len(subset.get(field, ())) for subset in found) for field in _FIELDS)
    if ready + other <= capacity:
        return found, False
    field, room, there = (_FIELDS[0], capacity, ready) if ready > capacity else (_FIELDS[1], capacity - ready, other)
    left = room
    result = []
    for subset in found:
        share = min(left, math.ceil(len(subset.get(field, ())) / there * room))
        kept = subset | {field: subset.get(field, [])[:share]} | ({_FIELDS[1]: []} if field == _FIELDS[0] else {})
        left -= len(kept[field])
        if any(kept.get(name) for name in _FIELDS):
            result.append({key: value for key, value in kept.items() if value})
    return result, True
