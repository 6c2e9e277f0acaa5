"""The environment variables that tell a container of the Services there are (Docker links compatible)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netlab.model import meta


def service_variables(services: Iterable[Mapping[str, Any]], namespace: str, *, links: bool = True) -> dict[str, str]:
    """The variables for a pod of `namespace`, from the Services that exist now.

    Those of its own namespace if `links` (enableServiceLinks), and always default/kubernetes, which a Service of that
    name in the pod's namespace replaces only when links are on.
    """
    chosen: dict[str, Mapping[str, Any]] = {}
    for service in services:
        name, home = meta.name(service), meta.namespace(service)
        if meta.spec(service).get("clusterIP") in (None, "", "None"):
            continue
        if home == namespace and links:
            chosen[name] = service
        elif home == "default" and name == "kubernetes":
            chosen.setdefault(name, service)
    result: dict[str, str] = {}
    for name in sorted(chosen):
        result |= _variables(name, meta.spec(chosen[name]))
    return result


def _variables(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    prefix, address, ports = _upper(name), str(spec["clusterIP"]), spec.get("ports") or []
    if not ports:
        return {}
    result = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            result[f"{prefix}_SERVICE_PORT_{_upper(port['name'])}"] = str(port["port"])
    bracketed = f"[{address}]" if ":" in address else address
    for index, port in enumerate(ports):
        protocol, number = port.get("protocol") or "TCP", str(port["port"])
        url = f"{protocol.lower()}://{bracketed}:{number}"
        if index == 0:
            result[f"{prefix}_PORT"] = url
        one = f"{prefix}_PORT_{number}_{protocol.upper()}"
        result |= {one: url, f"{one}_PROTO": protocol.lower(), f"{one}_PORT": number, f"{one}_ADDR": address}
    return result


def _upper(name: str) -> str:
    return name.replace("-", "_").upper()
