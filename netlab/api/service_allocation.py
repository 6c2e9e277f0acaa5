"""Gives a Service its cluster IPs and node ports, from what the store's other Services hold.

All is computed before anything is stored, so a failure leaves nothing behind.

Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go.
"""

from __future__ import annotations

import secrets
from typing import Any

from netlab.api import service_ranges
from netlab.api.port_operation import PortOperation
from netlab.api.resource import Objects
from netlab.api.service_defaults import (
    NODE_PORT_TYPES,
    is_headless,
    needs_cluster_ip,
    needs_health_check_port,
    needs_node_ports,
    node_ports,
)
from netlab.api.service_families import is_settled
from netlab.model import addresses, meta
from netlab.model.allocation import RangeFull, free_address, in_range
from netlab.model.errors import ApiError, internal_error, invalid, invalid_object
from netlab.model.meta import Manifest, ObjectKey


def allocate_service(registry: Objects, new: Manifest, old: Manifest | None, *, dry_run: bool) -> None:
    """Fills in clusterIP, clusterIPs, node ports and the health check port. ApiError 422 or 500."""
    spec, before = new["spec"], meta.spec(old) if old else None
    _addresses(registry, new, before, dry_run=dry_run)
    if spec["type"] in NODE_PORT_TYPES:
        key = ObjectKey("services", meta.namespace(new), meta.name(new))
        others = [meta.spec(entry.manifest) for entry in registry.store.entries("services") if entry.key != key]
        _ports(registry, new, before, others, dry_run=dry_run)


def _held(spec: dict[str, Any]) -> set[int]:
    if spec.get("type") not in NODE_PORT_TYPES:
        return set()
    return node_ports(spec) | {spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else node_ports(spec)


def _addresses(registry: Objects, new: Manifest, before: dict[str, Any] | None, *, dry_run: bool) -> None:
    """All addresses of a Service that had none, or the second one of a Service that gets a second family."""
    spec = new["spec"]
    families = spec.get("ipFamilies") or []
    if not needs_cluster_ip(spec) or (before is not None and is_settled(spec, before)):
        return
    if before is None or not needs_cluster_ip(before):
        if is_headless(spec):
            return
        wanted = range(len(families))
    elif len(families) == 2 and len(before.get("ipFamilies") or ()) == 1 and not is_headless(before):
        wanted = range(1, 2)
    else:
        return
    given = spec.get("clusterIPs") or []
    given = spec["clusterIPs"] = [*given, *[""] * (len(families) - len(given))]
    for index in wanted:
        if given[index]:
            _take_address(registry, new, index, dry_run=dry_run)
    for index in wanted:
        given[index] = given[index] or _free_address(registry, families[index], dry_run=dry_run)
    spec["clusterIP"] = given[0]


def _take_address(registry: Objects, new: Manifest, index: int, *, dry_run: bool) -> None:
    """A dry run looks at one range only, and not at what others have."""
    spec = new["spec"]
    text, ranges = spec["clusterIPs"][index], service_ranges.usable(registry, spec["ipFamilies"][index])
    address = addresses.parse(text)
    network = next((one for one in ranges if address in one or dry_run), None)
    if network is None:
        problem = "the provided network does not match the current range"
    elif not in_range(network, address):
        problem = f"the provided IP ({text}) is not in the valid range. The range of valid IPs is {network}"
    elif service_ranges.has(registry, address) and not dry_run:
        problem = "provided IP is already allocated"
    else:
        return
    raise invalid_object("Service", meta.name(new), [
        invalid("spec.clusterIPs", spec["clusterIPs"], f"failed to allocate IP {text}: {problem}")])


def _free_address(registry: Objects, family: str, *, dry_run: bool) -> str:
    for network in service_ranges.usable(registry, family):
        if dry_run:
            return str(network.network_address)
        try:
            return str(free_address(network, service_ranges.Taken(registry, network.version), secrets.randbelow))
        except RangeFull:
            continue
    raise internal_error(f"failed to allocate a serviceIP: {RangeFull()}")


def _ports(registry: Objects, new: Manifest, before: dict[str, Any] | None, others: list[dict[str, Any]], *,
           dry_run: bool) -> None:
    own = _held(before) if before is not None else set()
    operation = PortOperation(registry.spec.node_ports, own.union(*map(_held, others)), dry_run=dry_run)
    if before is None:
        _create_ports(new, operation)
    else:
        _update_ports(new, own, operation)
    if needs_health_check_port(new["spec"]) and not (before is not None and needs_health_check_port(before)):
        _health_check_port(new["spec"], operation)


def _requested(new: Manifest, index: int, port: int, operation: PortOperation) -> None:
    problem = operation.take(port)
    if problem:
        raise invalid_object("Service", meta.name(new), [invalid(f"spec.ports[{index}].nodePort", port, problem)])


def _next(operation: PortOperation) -> int:
    try:
        return operation.next()
    except RangeFull as error:
        raise internal_error(f"failed to allocate a nodePort: {error}") from None


def _create_ports(new: Manifest, operation: PortOperation) -> None:
    """A new Service: ports of one number share a node port whatever their protocols."""
    ports = new["spec"].get("ports") or []
    by_number: dict[int, int] = {}
    for index, port in enumerate(ports):
        if "nodePort" not in port and not needs_node_ports(new["spec"]):
            continue
        number = port.get("port", 0)
        if number not in by_number:
            asked = next((other["nodePort"] for other in ports
                          if other.get("port", 0) == number and "nodePort" in other), None)
            if asked is None:
                asked = _next(operation)
            else:
                _requested(new, index, asked, operation)
            port["nodePort"] = by_number[number] = asked
        elif port.setdefault("nodePort", by_number[number]) != by_number[number]:
            _requested(new, index, port["nodePort"], operation)


def _update_ports(new: Manifest, own: set[int], operation: PortOperation) -> None:
    """A Service that was there: each port has a node port of its own, if its author does not give two the same."""
    asked: set[int] = set()
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(new["spec"].get("ports") or ()):
        if "nodePort" not in port:
            if not needs_node_ports(new["spec"]):
                continue
            port["nodePort"] = _next(operation)
        elif port["nodePort"] not in own | asked:
            _requested(new, index, port["nodePort"], operation)
            asked.add(port["nodePort"])
        pair = (port["protocol"], port["nodePort"])
        if pair in seen:
            raise ApiError(500, "", f"duplicate nodePort: {{{pair[0]} {pair[1]}}}")
        seen.add(pair)


def _health_check_port(spec: dict[str, Any], operation: PortOperation) -> None:
    wanted = spec.get("healthCheckNodePort")
    if wanted is not None:
        problem = operation.take(wanted)
        if problem:
            raise internal_error(f"failed to allocate requested HealthCheck NodePort {wanted}: {problem}")
        return
    try:
        spec["healthCheckNodePort"] = operation.next()
    except RangeFull as error:
        raise internal_error(f"failed to allocate a HealthCheck NodePort 0: {error}") from None
