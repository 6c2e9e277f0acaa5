"""EndpointSlices: a part of a Service's backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from netlab.api.address_warnings import ip_warnings
from netlab.api.columns import age, more
from netlab.api.container_rules import PROTOCOLS
from netlab.api.object_rules import unchanged
from netlab.api.resource import Column, Resource
from netlab.api.resources.endpoints import address_errors
from netlab.model import addresses, meta, names
from netlab.model.errors import FieldError, duplicate, invalid, not_supported, required
from netlab.model.feature_gates import PREFER_SAME
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.api.registry import Registry

ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"]
MAX_HINTS = 8
CONTROLLERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")


def _default(manifest: Manifest) -> None:
    manifest["endpoints"] = manifest.get("endpoints") or []
    manifest["ports"] = manifest.get("ports") or []
    for port in manifest["ports"]:
        port["name"] = port.get("name") or ""
        port["protocol"] = port.get("protocol") or "TCP"


def _prepare(registry: Registry, new: Manifest, old: Manifest | None) -> None:
    """Takes away what nobody may say without its feature gate, unless it was there before."""
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
    for field, limit in (("endpoints", 1000), ("ports", 20000)):
        if len(new[field]) > limit:
            errors.append(FieldError(field, "FieldValueTooMany",
                                     f"Too many: {len(new[field])}: must have at most {limit} items"))
    for index, endpoint in enumerate(new["endpoints"][:1000]):
        errors += _endpoint_errors(endpoint, kind, f"endpoints[{index}]")
    taken = set()
    for index, port in enumerate(new["ports"][:20000]):
        where = f"ports[{index}]"
        if port["name"]:
            errors += [invalid(f"{where}.name", port["name"], text) for text in names.dns_label(port["name"])]
        if port["name"] in taken:
            errors.append(duplicate(f"{where}.name", port["name"]))
        taken.add(port["name"])
        if port["protocol"] not in PROTOCOLS:
            errors.append(not_supported(f"{where}.protocol", port["protocol"], PROTOCOLS))
        if port.get("appProtocol"):
            errors += [invalid(f"{where}.appProtocol", port["appProtocol"], text)
                       for text in names.qualified_name(port["appProtocol"])]
        if "port" in port:
            errors += [invalid(f"{where}.port", port["port"], text) for text in names.port_number(port["port"])]
    if old is not None:
        errors += unchanged(kind, old.get("addressType"), "addressType")
    return errors


def _endpoint_errors(endpoint: dict[str, Any], kind: str, path: str) -> list[FieldError]:
    found = endpoint.get("addresses") or []
    if not found:
        return [required(f"{path}.addresses", "must contain at least 1 address")]
    if len(found) > 100:
        return [FieldError(f"{path}.addresses", "FieldValueTooMany",
                           f"Too many: {len(found)}: must have at most 100 items")]
    errors = []
    for index, text in enumerate(found):
        where = f"{path}.addresses[{index}]"
        if kind == "FQDN":
            errors += [invalid(where, text, problem) for problem in names.dns_subdomain(text)]
        else:
            problems = address_errors(text, where)
            if not problems and addresses.family(text) != kind:
                problems = [invalid(where, text, f"must be a valid {kind} address")]
            errors += problems
    if endpoint.get("hostname"):
        errors += [invalid(f"{path}.hostname", endpoint["hostname"], text)
                   for text in names.dns_label(endpoint["hostname"])]
    if endpoint.get("nodeName"):
        errors += [invalid(f"{path}.nodeName", endpoint["nodeName"], text)
                   for text in names.dns_subdomain(endpoint["nodeName"])]
    hints = endpoint.get("hints") or {}
    return errors + _hint_errors(hints.get("forZones") or (), f"{path}.hints.forZones", names.label_value) \
        + _hint_errors(hints.get("forNodes") or (), f"{path}.hints.forNodes", names.dns_subdomain)


def _hint_errors(hints: Sequence[dict[str, Any]], path: str, problems: Callable[[str], list[str]]) -> list[FieldError]:
    if len(hints) > MAX_HINTS:
        return [FieldError(path, "FieldValueTooMany", f"Too many: {len(hints)}: must have at most {MAX_HINTS} items")]
    errors = []
    taken = set()
    for index, hint in enumerate(hints):
        name, where = hint.get("name") or "", f"{path}[{index}].name"
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
    return found + [text for index, endpoint in enumerate(new.get("endpoints") or ())
                    for number, address in enumerate(endpoint.get("addresses") or ())
                    for text in ip_warnings(f"endpoints[{index}].addresses[{number}]", address)]


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    ports = [str(port.get("port", "*")) for port in manifest.get("ports") or ()]
    found = [text for endpoint in manifest.get("endpoints") or () for text in endpoint.get("addresses") or ()]
    return [meta.name(manifest), manifest.get("addressType", ""), more(ports, empty="<unset>"),
            more(found, empty="<unset>"), age(manifest, now)]


ENDPOINTSLICES = Resource(
    "endpointslices", "EndpointSlice", "discovery.k8s.io", subresources=(), generations=True, default=_default,
    prepare=_prepare, validate=_validate, warnings=_warnings,
    columns=(Column("Name"), Column("AddressType"), Column("Ports"), Column("Endpoints"), Column("Age")), row=_row)
