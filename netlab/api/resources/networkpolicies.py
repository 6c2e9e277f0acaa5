"""NetworkPolicies: who may talk to which pods. Source: pkg/apis/networking/validation."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_network
from typing import Any

from netlab.api.columns import age, label_selector
from netlab.api.container_rules import PROTOCOLS
from netlab.api.object_rules import selector_errors
from netlab.api.resource import Column, Resource
from netlab.model import meta, names
from netlab.model.errors import FieldError, forbidden, invalid, not_supported, required
from netlab.model.meta import Manifest

_TYPES = ["Ingress", "Egress"]
_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def _default(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    for direction, _ in _DIRECTIONS:
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port["protocol"] = port.get("protocol") or "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _validate(new: Manifest, old: Manifest | None) -> list[FieldError]:
    spec = new["spec"]
    errors = selector_errors(spec["podSelector"], "spec.podSelector")
    for direction, side in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            where = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                errors += _port_errors(port, f"{where}.ports[{number}]")
            for number, peer in enumerate(rule.get(side) or ()):
                errors += _peer_errors(peer, f"{where}.{side}[{number}]")
    if len(spec["policyTypes"]) > 2:
        return [*errors, invalid("spec.policyTypes", spec["policyTypes"], "may not specify more than two policyTypes")]
    errors += [not_supported(f"spec.policyTypes[{index}]", name, _TYPES)
               for index, name in enumerate(spec["policyTypes"]) if name not in _TYPES]
    return errors


def _port_errors(port: dict[str, Any], path: str) -> list[FieldError]:
    errors = []
    if port["protocol"] not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", port["protocol"], PROTOCOLS))
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, int):
        errors += [invalid(f"{path}.port", number, text) for text in names.port_number(number)]
        if end is not None:
            if end < number:
                errors.append(invalid(f"{path}.endPort", number, "must be greater than or equal to `port`"))
            errors += [invalid(f"{path}.endPort", end, text) for text in names.port_number(end)]
        return errors
    if end is not None:
        why = "is non-numeric" if number is not None else "is not specified"
        errors.append(invalid(f"{path}.endPort", end, f"may not be specified when `port` {why}"))
    if number is not None:
        errors += [invalid(f"{path}.port", number, text) for text in names.port_name(number)]
    return errors


def _peer_errors(peer: dict[str, Any], path: str) -> list[FieldError]:
    errors = []
    for field in ("podSelector", "namespaceSelector"):
        if peer.get(field) is not None:
            errors += selector_errors(peer[field], f"{path}.{field}")
    block = peer.get("ipBlock")
    if block is not None:
        errors += _block_errors(block, f"{path}.ipBlock")
    count = sum(peer.get(field) is not None for field in ("podSelector", "namespaceSelector", "ipBlock"))
    if count == 0:
        errors.append(required(path, "must specify a peer"))
    elif count > 1 and block is not None:
        errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _block_errors(block: dict[str, Any], path: str) -> list[FieldError]:
    text = block.get("cidr", "")
    if not text:
        return [required(f"{path}.cidr")]
    whole = _network(text)
    if whole is None:
        return [invalid(f"{path}.cidr", text, _CIDR)]
    errors = []
    for index, part in enumerate(block.get("except") or ()):
        where, inner = f"{path}.except[{index}]", _network(part)
        if inner is None:
            errors.append(invalid(where, part, _CIDR))
        elif inner.version != whole.version or inner.prefixlen <= whole.prefixlen \
                or inner.network_address not in whole:
            errors.append(invalid(where, part, "must be a strict subset of `cidr`"))
    return errors


def _network(text: str) -> Any:
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _warn(new: Manifest, old: Manifest | None) -> list[str]:
    return ["nothing in this lab enforces NetworkPolicies yet: it is stored, and all traffic stays allowed"]


def _row(manifest: Manifest, now: datetime) -> list[Any]:
    return [meta.name(manifest), label_selector(meta.spec(manifest).get("podSelector")), age(manifest, now)]


NETWORKPOLICIES = Resource(
    "networkpolicies", "NetworkPolicy", "networking.k8s.io", short_names=("netpol",), subresources=(),
    generations=True, default=_default, validate=_validate, warnings=_warn,
    columns=(Column("Name"), Column("Pod-Selector"), Column("Age")), row=_row)
