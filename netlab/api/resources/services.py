"""Services: a stable name and address for a set of pods."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.columns import NONE, age, joined, pairs
from netlab.api.resource import Column, Objects, Resource
from netlab.api.service_allocation import allocate_service
from netlab.api.service_defaults import (
    carry_over,
    default_service,
    drop_by_type,
    sync_cluster_ips,
)
from netlab.api.service_families import settle_families
from netlab.api.service_ranges import hold_addresses, release_addresses
from netlab.api.service_rules import POLICIES, distribution_errors, service_errors
from netlab.api.service_status import status_errors
from netlab.api.service_warnings import service_warnings
from netlab.model import meta, names
from netlab.model.errors import invalid_object
from netlab.model.meta import Manifest, ObjectKey


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    spec, before = new["spec"], meta.spec(old) if old else None
    if before is None:
        new["status"] = {"loadBalancer": {}}
    else:
        carry_over(spec, before)
    sync_cluster_ips(spec, before)
    if before is not None:
        drop_by_type(spec, before)
        if before.get("type") == "LoadBalancer" and spec["type"] != "LoadBalancer":
            new["status"] = {**meta.status(new), "loadBalancer": {}}
    if spec["type"] == "ExternalName" and spec.get("internalTrafficPolicy") in POLICIES:
        del spec["internalTrafficPolicy"]  # taken for history's sake, never shown
    errors = settle_families(spec, before, registry.spec.ip_families)
    if errors:
        raise invalid_object("Service", meta.name(new), errors)


def _after_delete(registry: Objects, old: Manifest) -> None:
    release_addresses(registry, old)
    registry.store.delete(ObjectKey("endpoints", meta.namespace(old), meta.name(old)))


def _external(manifest: Manifest) -> str:
    spec = meta.spec(manifest)
    outside = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or NONE)
    if spec.get("type") != "LoadBalancer":
        return joined(outside)
    ingresses = (meta.status(manifest).get("loadBalancer") or {}).get("ingress") or []
    addresses = sorted({i.get("ip") or i.get("hostname") or "" for i in ingresses} - {""})
    return ",".join([*addresses, *outside]) or "<pending>"


def _port(port: dict[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    spec = meta.spec(manifest)
    return [meta.name(manifest), spec.get("type", ""), (spec.get("clusterIPs") or [spec.get("clusterIP") or NONE])[0],
            _external(manifest), joined(map(_port, spec.get("ports") or ())), age(manifest, now),
            pairs(spec.get("selector"))]


SERVICES = Resource(
    "services", "Service", short_names=("svc",), categories=("all",), name_problems=names.dns_1035_label,
    subresources=("status", "proxy"), default=default_service, prepare=_prepare, validate=service_errors,
    validate_here=distribution_errors,
    allocate=allocate_service, validate_status=status_errors, warnings=service_warnings,
    after_write=hold_addresses, after_delete=_after_delete,
    columns=(Column("Name"), Column("Type"), Column("Cluster-IP"), Column("External-IP"), Column("Port(s)"),
             Column("Age"), Column("Selector", 1)),
    row=_row)
