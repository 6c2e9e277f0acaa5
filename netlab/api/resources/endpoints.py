"""Endpoints: the old form of a Service's backends, one object per Service."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from netlab.api.address_warnings import ip_warnings
from netlab.api.columns import NONE, age, more
from netlab.api.container_rules import PROTOCOLS
from netlab.api.resource import Column, Resource
from netlab.model import addresses, meta, names
from netlab.model.errors import FieldError, invalid, not_supported, required
from netlab.model.family import with_port
from netlab.model.meta import Manifest

DEPRECATED = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"

FIELDS = ("addresses", "notReadyAddresses")


def _default(manifest: Manifest) -> None:
    for subset in manifest.get("subsets") or ():
        for port in subset.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    if old is not None and new.get("subsets") == old.get("subsets"):
        return []  # they may be older than a rule
    errors = []
    for index, subset in enumerate(new.get("subsets") or ()):
        where = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(required(where, "must specify `addresses` or `notReadyAddresses`"))
        for field in FIELDS:
            for number, address in enumerate(subset.get(field) or ()):
                errors += _address_errors(address, f"{where}.{field}[{number}]")
        ports = subset.get("ports") or []
        for number, port in enumerate(ports):
            errors += _port_errors(port, f"{where}.ports[{number}]", named=len(ports) > 1)
    return errors


def _address_errors(address: dict[str, Any], path: str) -> list[FieldError]:
    text, host, node = address.get("ip", ""), address.get("hostname"), address.get("nodeName")
    errors = [] if addresses.is_ip(text) else [invalid(f"{path}.ip", text, addresses.NO_IP)]
    if host:
        errors += [invalid(f"{path}.hostname", host, problem) for problem in names.dns_label(host)]
    if node is not None:
        errors += [invalid(f"{path}.nodeName", node, problem) for problem in names.dns_subdomain(node)]
    special = addresses.not_special(text) if addresses.is_ip(text) else ["must be a valid IP address"]
    return errors + [invalid(f"{path}.ip", text, problem) for problem in special]


def _port_errors(port: dict[str, Any], path: str, *, named: bool) -> list[FieldError]:
    """Why a port cannot be an endpoint's."""
    errors = []
    if named and not port.get("name"):
        errors.append(required(f"{path}.name"))
    elif port.get("name"):
        errors += [invalid(f"{path}.name", port["name"], text) for text in names.dns_label(port["name"])]
    errors += [invalid(f"{path}.port", port.get("port", 0), text) for text in names.port_number(port.get("port", 0))]
    if port.get("protocol") not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", port.get("protocol"), PROTOCOLS))
    if "appProtocol" in port:
        errors += [invalid(f"{path}.appProtocol", port["appProtocol"], text)
                   for text in names.qualified_name(port["appProtocol"])]
    return errors


def _warnings(new: Manifest, old: Manifest | None) -> list[str]:
    """Addresses that are written oddly, unless the controller wrote them."""
    if meta.labels(new).get("endpoints.kubernetes.io/managed-by") == "endpoint-controller":
        return []
    return [text for index, subset in enumerate(new.get("subsets") or ()) for field in FIELDS
            for number, address in enumerate(subset.get(field) or ())
            for text in ip_warnings(f"subsets[{index}].{field}[{number}].ip", address.get("ip", ""))]


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    subsets = manifest.get("subsets") or []
    found: list[str] = []
    for subset in subsets:
        ready = [address.get("ip", "") for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or []
        found += [with_port(ip, port.get("port", 0)) for port in ports for ip in ready] if ports else ready
    return [meta.name(manifest), more(found, empty="" if subsets else NONE), age(manifest, now)]


ENDPOINTS = Resource(
    "endpoints", "Endpoints", short_names=("ep",), subresources=(), default=_default, validate=_validate,
    warnings=_warnings, deprecated=DEPRECATED, columns=(Column("Name"), Column("Endpoints"), Column("Age")), row=_row)
