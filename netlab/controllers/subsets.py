"""The subsets of a legacy Endpoints object (upstream: pkg/api/v1/endpoints/util.go)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netlab.controllers import slice_content
from netlab.model import meta, pod_status
from netlab.model.endpoint_ports import resolve
from netlab.model.meta import Manifest

CAPACITY = 1000
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
    """Rows as subsets: one for each set of ports that some addresses share, all sorted.

    An address that is ready for one port of its set counts as ready.
    """
    rows: dict[tuple[str, str], tuple[dict[str, Any], dict[str, dict[str, Any]], list[bool]]] = {}
    for entry, ready, port in found:
        key = entry["ip"], (entry.get("targetRef") or {}).get("uid", "")
        _, ports, states = rows.setdefault(key, (entry, {}, []))
        states.append(ready)
        if port is not None:
            ports[_port_key(port)] = port
    groups: dict[tuple[str, ...], Subset] = {}
    for key in sorted(rows):
        entry, ports, states = rows[key]
        names = tuple(sorted(ports))
        subset = groups.setdefault(names, {"addresses": [], "notReadyAddresses": [],
                                           "ports": [ports[name] for name in names]})
        subset["addresses" if any(states) else "notReadyAddresses"].append(entry)
    return [{key: value for key, value in groups[names].items() if value} for names in sorted(groups)]


def _port_key(port: Mapping[str, Any]) -> str:
    return f"{port.get('name', '')}/{port['port']:05}/{port.get('protocol', 'TCP')}"


def truncate(found: list[Subset], capacity: int = CAPACITY) -> tuple[list[Subset], bool]:
    """At most `capacity` addresses, ready ones first, taken evenly from the subsets; whether any was left out."""
    ready = sum(len(subset.get("addresses", ())) for subset in found)
    total = ready + sum(len(subset.get("notReadyAddresses", ())) for subset in found)
    if total <= capacity:
        return found, False
    shares = {"addresses": (min(ready, capacity), ready),
              "notReadyAddresses": (capacity - min(ready, capacity), total - ready)}
    result = []
    for subset in found:
        kept = dict(subset)
        for field, (room, there) in shares.items():
            # Whole part of the proportional share; what rounding leaves goes to the first subsets below.
            kept[field] = subset.get(field, [])[:len(subset.get(field, ())) * room // there if there else 0]
        result.append(kept)
    for field, (room, _) in shares.items():
        left = room - sum(len(subset[field]) for subset in result)
        for kept, subset in zip(result, found, strict=True):
            more = subset.get(field, [])[len(kept[field]):len(kept[field]) + left]
            kept[field] = kept[field] + more
            left -= len(more)
    return [slim for kept in result if (slim := {key: value for key, value in kept.items() if value})
            and ("addresses" in slim or "notReadyAddresses" in slim)], True
