"""ServiceCIDRs, the ranges of cluster IPs, and IPAddresses, which say whose an address is."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

from netlab.api.columns import age
from netlab.api.object_rules import IMMUTABLE, unchanged
from netlab.api.resource import Column, Objects, Resource
from netlab.api.service_ranges import hold_again
from netlab.model import addresses, meta, names
from netlab.model.errors import FieldError, invalid, required
from netlab.model.meta import Manifest

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
READY = "Kubernetes Service CIDR is ready"


def condition(status: str, message: str, *, now: str, reason: str = "") -> dict[str, str]:
    """The condition Ready."""
    return {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": now}


def _prepare(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    if old is None:
        data = new["metadata"]
        data["finalizers"] = list(dict.fromkeys([*(data.get("finalizers") or ()), FINALIZER]))
        new["status"] = {"conditions": [condition("True", READY, now=registry.now())]}


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    path, cidrs = "spec.cidrs", meta.spec(new).get("cidrs") or []
    before = meta.spec(old).get("cidrs") or [] if old is not None else []
    if old is None:
        return _range_errors(cidrs, path)
    if len(cidrs) == len(before):
        return [invalid(f"{path}[{index}]", text, IMMUTABLE)
                for index, text in enumerate(cidrs) if text != before[index]]
    if len(before) != 1 or len(cidrs) != 2:
        return [invalid(path, cidrs, IMMUTABLE)]
    first = [invalid(f"{path}[0]", cidrs[0], IMMUTABLE)] if cidrs[0] != before[0] else []
    return first + _range_errors(cidrs, path)


def _range_errors(cidrs: list[str], path: str) -> list[FieldError]:
    if not cidrs:
        return [required(path, "at least one CIDR required")]
    if len(cidrs) > 2:
        return [invalid(path, {"CIDRs": cidrs}, "may only hold up to 2 values")]
    errors = [invalid(f"{path}[{index}]", text, problem)
              for index, text in enumerate(cidrs) for problem in _strictly(text)]
    if not errors and len(cidrs) == 2 and len({ip_network(text).version for text in cidrs}) == 1:
        errors.append(invalid(path, cidrs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
                                           "2001:db8::/64"))
    return errors


def _strictly(text: str) -> list[str]:
    """Why a range is not written as new kinds want it."""
    if not addresses.is_cidr(text):
        return [addresses.NO_CIDR]
    written, _, length = text.partition("/")
    problems = _oddities(written)
    network = ip_network(f"{addresses.parse(written)}/{length}", strict=False)
    if addresses.parse(written) != network.network_address:
        problems.append("must not have bits set beyond the prefix length")
    return problems or ([] if str(network) == text else [f'must be in canonical form ("{network}")'])


def _oddities(text: str) -> list[str]:
    address = addresses.parse(text)
    problems = ["must not have leading 0s"] if address.version == 4 and str(address) != text else []
    if address.version == 6 and address.ipv4_mapped is not None:
        problems.append("must not be an IPv4-mapped IPv6 address")
    return problems


def _name_problems(name: str) -> list[str]:
    if not addresses.is_ip(name):
        return [addresses.NO_IP]
    return _oddities(name) or ([] if str(ip_address(name)) == name else
                               [f'must be in canonical form ("{ip_address(name)}")'])


def _validate_address(new: Manifest, old: Manifest | None) -> list[FieldError]:
    path, parent = "spec.parentRef", meta.spec(new).get("parentRef")
    if old is not None:
        return unchanged(parent, meta.spec(old).get("parentRef"), path)
    if parent is None:
        return [required(path)]
    errors = []
    if parent.get("group"):
        errors += [invalid(f"{path}.group", parent["group"], text) for text in names.dns_subdomain(parent["group"])]
    errors += [required(f"{path}.{field}") for field in ("resource", "name") if not parent.get(field)]
    return errors


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), ",".join(meta.spec(manifest).get("cidrs") or ()), age(manifest, now)]


def _address_row(manifest: Manifest, now: datetime) -> list[Any]:
    parent = meta.spec(manifest).get("parentRef") or {}
    path = "/".join(filter(None, (parent.get(field) for field in ("resource", "namespace", "name"))))
    return [meta.name(manifest), path, age(manifest, now)]


SERVICECIDRS = Resource(
    "servicecidrs", "ServiceCIDR", "networking.k8s.io", namespaced=False, prepare=_prepare, validate=_validate,
    columns=(Column("Name"), Column("CIDRs"), Column("Age")), row=_row)

IPADDRESSES = Resource(
    "ipaddresses", "IPAddress", "networking.k8s.io", namespaced=False, short_names=("ip",), subresources=(),
    name_problems=_name_problems, validate=_validate_address, after_delete=hold_again,
    columns=(Column("Name"), Column("ParentRef"), Column("Age")), row=_address_row)
