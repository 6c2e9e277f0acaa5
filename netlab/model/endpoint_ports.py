"""Which port of a pod a Service's port leads to (API documentation of ServicePort.targetPort)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netlab.model import meta


def resolve(service_port: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    """The pod's port number; None when the target port is a name that the pod does not have.

    A number is taken as it is. A name is looked for in the containers' ports with the same protocol, then in
    those of init containers that keep running.
    """
    target = service_port.get("targetPort") or service_port.get("port")
    if isinstance(target, int):
        return target
    protocol = service_port.get("protocol") or "TCP"
    return next((int(port["containerPort"]) for port in _container_ports(pod)
                 if port.get("name") == target and (port.get("protocol") or "TCP") == protocol), None)


def endpoint_ports(service: Mapping[str, Any], pod: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The ports of an EndpointSlice in which that pod is listed for that Service, as manifests.

    They carry the Service's port names; ports that the pod does not have are left out.
    """
    found = []
    for port in meta.spec(service).get("ports") or ():
        number = resolve(port, pod)
        if number is not None:
            entry = {"name": port.get("name") or "", "port": number, "protocol": port.get("protocol") or "TCP"}
            if port.get("appProtocol"):
                entry["appProtocol"] = port["appProtocol"]
            found.append(entry)
    return tuple(found)


def _container_ports(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for container in meta.spec(pod).get("containers") or ():
        yield from container.get("ports") or ()
    for container in meta.spec(pod).get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield from container.get("ports") or ()
