"""EndpointSlices: a part of a Service's backends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from netlab.api.address_warnings import ip_warnings
from netlab.api.columns import age, more
from netlab.api.container_rules import PROTOCOLS
from netlab.api.object_rules import unchanged
from netlab.api.resource import Column, Objects, Resource
from netlab.model import addresses, meta, names
from netlab.model.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from netlab.model.family import FAMILIES
from netlab.model.feature_gates import PREFER_SAME
from netlab.model.meta import Manifest

ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"]
MOST_ENDPOINTS, MOST_ADDRESSES, MOST_PORTS, MOST_HINTS = 1000, 100, 20000, 8
CONTROLLERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")


def _default(manifest: Manifest) -> None:
    manifest["endpoints"] = manifest.get("endpoints") or []
    manifest["ports"] = manifest.get("ports") or []
    for port in manifest["ports"]:
        port["name"] = port.get("name") or ""
        port["protocol"] = port.get("protocol") or "TCP"


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    """Takes away what v1 does not write any more, and what a feature that is off would need unless it was there."""
    for endpoint in new["endpoints"]:
        endpoint.pop("deprecatedTopology", None)
    had = any((endpoint.get("hints") or {}).get("forNodes") for endpoint in (old or {}).get("endpoints") or ())
    if had or registry.spec.enabled(PREFER_SAME):
        return
    for endpoint in new["endpoints"]:
        if "forNodes" in (endpoint.get("hints") or {}):
            endpoint["hints"] = {key: value for key, value in endpoint["hints"].items() if key != "forNodes"}


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    kind = new.get("addressType", "")
    errors = []
    if not kind:
        errors.append(required("addressType"))
    elif kind not in ADDRESS_TYPES:
        errors.append(not_supported("addressType", kind, ADDRESS_TYPES))
    errors += too_many("endpoints", new["endpoints"], MOST_ENDPOINTS)
    if len(new["endpoints"]) <= MOST_ENDPOINTS:
        for index, endpoint in enumerate(new["endpoints"]):
            errors += _endpoint_errors(endpoint, kind, f"endpoints[{index}]")
    errors += too_many("ports", new["ports"], MOST_PORTS)
    if len(new["ports"]) <= MOST_PORTS:
        errors += _port_errors(new["ports"])
    if old is not None:
        errors += unchanged(kind, old.get("addressType"), "addressType")
    return errors


def _port_errors(ports: list[dict[str, Any]]) -> list[FieldError]:
    errors, taken = [], set()
    for index, port in enumerate(ports):
        where = f"ports[{index}]"
        if port["name"]:
            errors += [invalid(f"{where}.name", port["name"], text) for text in names.dns_label(port["name"])]
        if port["name"] in taken:
            errors.append(duplicate(f"{where}.name", port["name"]))
        taken.add(port["name"])
        if port["protocol"] not in PROTOCOLS:
            errors.append(not_supported(f"{where}.protocol", port["protocol"], PROTOCOLS))
        if "port" in port:  # upstream takes any number, which its proxies then stumble over
            errors += [invalid(f"{where}.port", port["port"], text) for text in names.port_number(port["port"])]
        if "appProtocol" in port:
            errors += [invalid(f"{where}.appProtocol", port["appProtocol"], text)
                       for text in names.qualified_name(port["appProtocol"])]
    return errors


def _endpoint_errors(endpoint: dict[str, Any], kind: str, path: str) -> list[FieldError]:
    found = endpoint.get("addresses") or []
    errors = too_many(f"{path}.addresses", found, MOST_ADDRESSES)
    if not found:
        errors.append(required(f"{path}.addresses", "must contain at least 1 address"))
    for index, text in enumerate(found):
        errors += _address_errors(text, kind, f"{path}.addresses", index)
    node, host = endpoint.get("nodeName"), endpoint.get("hostname")
    if node is not None:
        errors += [invalid(f"{path}.nodeName", node, text) for text in names.dns_subdomain(node)]
    if host is not None:
        errors += [invalid(f"{path}.hostname", host, text) for text in names.dns_label(host)]
    hints = endpoint.get("hints") or {}
    return errors + _hint_errors(hints.get("forZones") or [], f"{path}.hints.forZones", names.label_value) \
        + _hint_errors(hints.get("forNodes") or [], f"{path}.hints.forNodes", names.dns_subdomain)


def _address_errors(text: str, kind: str, path: str, index: int) -> list[FieldError]:
    where = f"{path}[{index}]"
    if kind == "FQDN":
        return _domain_errors(text, where)
    if kind not in FAMILIES:
        return []
    if not addresses.is_ip(text):
        return [invalid(where, text, addresses.NO_IP)]
    errors = [] if addresses.family(text) == kind else [invalid(path, text, f"must be an {kind} address")]
    return errors + [invalid(where, text, problem) for problem in addresses.not_special(text)]


def _domain_errors(text: str, path: str) -> list[FieldError]:
    if not text:
        return [required(path)]
    name = text.removesuffix(".")
    problems = names.dns_subdomain(name)
    if problems:
        return [invalid(path, name, ",".join(problems))]
    if "." not in name:
        return [invalid(path, name, "should be a domain with at least two segments separated by dots")]
    return next(([invalid(path, label, ",".join(problems))] for label in name.split(".")
                 if (problems := names.dns_label(label))), [])


def _hint_errors(hints: list[dict[str, Any]], path: str, problems: Callable[[str], list[str]]) -> list[FieldError]:
    if len(hints) > MOST_HINTS:
        return too_many(path, hints, MOST_HINTS)
    errors, taken = [], set()
    for index, hint in enumerate(hints):
        where, name = f"{path}[{index}].name", hint.get("name", "")
        if name in taken:
            errors.append(duplicate(where, name))
        taken.add(name)
        errors += [invalid(where, name, text) for text in problems(name)]
    return errors


def _warnings(new: Manifest, old: Manifest | None) -> list[str]:
    found = []
    if old is None and new.get("addressType") == "FQDN":
        found.append("spec.addressType: FQDN endpoints are deprecated")
    if meta.labels(new).get("endpointslice.kubernetes.io/managed-by") in CONTROLLERS:
        return found
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        for number, text in enumerate(endpoint.get("addresses") or ()):
            found += ip_warnings(f"endpoints[{index}].addresses[{number}]", text)
    return found


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    ports = [str(port.get("port", "*")) for port in manifest.get("ports") or ()]
    found = [text for endpoint in manifest.get("endpoints") or () for text in endpoint.get("addresses") or ()]
    return [meta.name(manifest), manifest.get("addressType", ""), more(ports, empty="<unset>"),
            more(found, empty="<unset>"), age(manifest, now)]


ENDPOINTSLICES = Resource(
    "endpointslices", "EndpointSlice", "discovery.k8s.io", subresources=(), generations=True, default=_default,
    prepare=_prepare, validate=_validate, warnings=_warnings,
    columns=(Column("Name"), Column("AddressType"), Column("Ports"), Column("Endpoints"), Column("Age")), row=_row)
