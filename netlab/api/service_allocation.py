"""Gives a valid Service its cluster IP and node ports, from what the store's other Services hold.

All is computed before anything is stored, so a failure leaves nothing behind.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from netlab.api.service_defaults import (
    NODE_PORT_TYPES,
    is_headless,
    needs_cluster_ip,
    needs_health_check_port,
    needs_node_ports,
)
from netlab.model import addresses, meta
from netlab.model.allocation import RangeFull, free_address, free_port, in_range
from netlab.model.errors import ApiError, internal_error, invalid, invalid_object
from netlab.model.meta import Manifest, ObjectKey

if TYPE_CHECKING:
    from netlab.api.registry import Registry

ALREADY = "provided port is already allocated"


def allocate_service(registry: Registry, new: Manifest, old: Manifest | None, *, dry_run: bool) -> None:
    """Fills in clusterIP, clusterIPs, node ports and the health check port. ApiError 422 or 500."""
    spec, before = new["spec"], meta.spec(old) if old else {}
    key = ObjectKey("services", meta.namespace(new), meta.name(new))
    others = [meta.spec(entry.manifest) for entry in registry.store.entries("services") if entry.key != key]
    if needs_cluster_ip(spec) and not is_headless(spec):
        _allocate_address(registry, new, others, before, dry_run=dry_run)
    if spec["type"] in NODE_PORT_TYPES:
        taken = {port for other in others for port in _held(other)}
        if before.get("type") in NODE_PORT_TYPES:
            _update_ports(registry, new, before, taken)
        else:
            _create_ports(registry, new, taken)
        _health_check_port(registry, spec, before, taken)


@lru_cache(maxsize=1 << 16)
def _number(address: str) -> int:
    return int(addresses.parse(address))


def _held(spec: dict[str, Any]) -> list[int]:
    ports = [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]
    return [*ports, spec["healthCheckNodePort"]] if spec.get("healthCheckNodePort") else ports


def _allocate_address(registry: Registry, new: Manifest, others: list[dict[str, Any]], before: dict[str, Any],
                      *, dry_run: bool) -> None:
    """Takes the addresses that were asked for and chooses those of the families that have none yet."""
    spec = new["spec"]
    given, families = spec.get("clusterIPs") or [], spec["ipFamilies"]
    kept = [ip for ip in before.get("clusterIPs") or () if ip != "None"]
    if len(given) == len(families) and all(ip in kept for ip in given):
        return
    taken = {_number(ip) for other in others for ip in other.get("clusterIPs") or () if ip != "None"}
    for text, family in zip(given, families, strict=False):
        if text not in kept:
            network, address = registry.spec.of(family).service, addresses.parse(text)
            problem = ""
            if not in_range(network, address):
                problem = f"the provided IP ({text}) is not in the valid range. The range of valid IPs is {network}"
            elif int(address) in taken:
                problem = "provided IP is already allocated"
            if problem:
                raise invalid_object("Service", meta.name(new), [
                    invalid("spec.clusterIPs", given, f"failed to allocate IP {text}: {problem}")])
    chosen = [_free_address(registry, family, taken, dry_run=dry_run) for family in families[len(given):]]
    spec["clusterIPs"] = [*given, *chosen]
    spec["clusterIP"] = spec["clusterIPs"][0]


def _free_address(registry: Registry, family: str, taken: set[int], *, dry_run: bool) -> str:
    network = registry.spec.of(family).service
    if dry_run:
        return str(network.network_address)
    reserved = {int(registry.spec.api_ip), int(registry.spec.dns_ip)}
    try:
        return str(free_address(network, taken | reserved, secrets.randbelow))
    except RangeFull as error:
        raise internal_error(f"failed to allocate a serviceIP: {error}") from None


def _requested(registry: Registry, new: Manifest, index: int, taken: set[int]) -> None:
    ports = registry.spec.node_ports
    wanted = new["spec"]["ports"][index]["nodePort"]
    problem = ALREADY if wanted in taken else ""
    if wanted not in ports:
        problem = f"provided port is not in the valid range. The range of valid ports is {ports[0]}-{ports[-1]}"
    if problem:
        raise invalid_object("Service", meta.name(new), [invalid(f"spec.ports[{index}].nodePort", wanted, problem)])
    taken.add(wanted)


def _next(registry: Registry, taken: set[int]) -> int:
    try:
        port = free_port(registry.spec.node_ports, taken, secrets.randbelow)
    except RangeFull as error:
        raise ApiError(500, "InternalError", f"failed to allocate a nodePort: {error}") from None
    taken.add(port)
    return port


def _create_ports(registry: Registry, new: Manifest, taken: set[int]) -> None:
    """A new Service: ports of one number share a node port whatever their protocols."""
    spec = new["spec"]
    by_number: dict[int, int] = {}
    for index, port in enumerate(spec.get("ports") or ()):
        if "nodePort" not in port:
            wanted = by_number.get(port["port"]) or next(
                (p["nodePort"] for p in spec["ports"][index:] if p["port"] == port["port"] and "nodePort" in p), None)
            if wanted is None and not needs_node_ports(spec):
                continue
            if wanted is None:
                port["nodePort"] = by_number[port["port"]] = _next(registry, taken)
                continue
            port["nodePort"] = wanted
        if by_number.get(port["port"]) != port["nodePort"]:
            _requested(registry, new, index, taken)
            by_number.setdefault(port["port"], port["nodePort"])


def _update_ports(registry: Registry, new: Manifest, before: dict[str, Any], taken: set[int]) -> None:
    spec = new["spec"]
    own = set(_held(before))
    for index, port in enumerate(spec.get("ports") or ()):
        if "nodePort" in port and port["nodePort"] not in own:
            _requested(registry, new, index, taken)
            own.add(port["nodePort"])
    taken |= own
    for port in spec.get("ports") or ():
        if "nodePort" not in port and needs_node_ports(spec):
            port["nodePort"] = _next(registry, taken)


def _health_check_port(registry: Registry, spec: dict[str, Any], before: dict[str, Any], taken: set[int]) -> None:
    if not needs_health_check_port(spec):
        return
    wanted = spec.get("healthCheckNodePort")
    if wanted is None:
        spec["healthCheckNodePort"] = _next(registry, taken)
    elif wanted != before.get("healthCheckNodePort"):
        ports = registry.spec.node_ports
        problem = ALREADY if wanted in taken else ""
        if wanted not in ports:
            problem = f"provided port is not in the valid range. The range of valid ports is {ports[0]}-{ports[-1]}"
        if problem:
            raise internal_error(f"failed to allocate requested HealthCheck NodePort {wanted}: {problem}")
