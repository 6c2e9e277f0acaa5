"""What dataplane and DNS need of an EndpointSlice, parsed from its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netlab.model import meta
from netlab.model.errors import invalid
from netlab.model.family import family_of
from netlab.model.fields import Reader
from netlab.model.meta import Manifest
from netlab.model.service import HEADLESS_LABEL, PROTOCOLS, PROXY_NAME_LABEL

SERVICE_LABEL = "kubernetes.io/service-name"
ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")


@dataclass(frozen=True)
class EndpointPort:
    """A port that all endpoints of a slice have; 0 when the slice gives no number, name None when it gives none."""

    name: str | None
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class Endpoint:
    """One backend, usually a pod. Absent conditions read as kube-proxy reads them: ready and serving."""

    addresses: tuple[str, ...]
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    hostname: str = ""
    node: str = ""
    zone: str = ""
    for_zones: frozenset[str] = frozenset()
    target: str = ""  # the pod's name
    for_nodes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class EndpointSlice:
    """Endpoints of one Service ("" when the slice names none) that have the same ports."""

    namespace: str
    name: str
    service: str
    address_type: str = "IPv4"
    ports: tuple[EndpointPort, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    proxied: bool = True  # False: labelled as another proxy's business


def parse_endpoint_slice(manifest: Manifest) -> EndpointSlice:
    """The slice that a manifest describes; ApiError (422) names the field that cannot be used."""
    read = Reader(manifest, "EndpointSlice")
    labels = meta.labels(manifest)
    kind = read.choice(manifest.get("addressType"), "addressType", ADDRESS_TYPES)
    return EndpointSlice(
        namespace=meta.namespace(manifest),
        name=meta.name(manifest),
        service=labels.get(SERVICE_LABEL, ""),
        address_type=kind,
        ports=tuple(_port(read, item, f"ports[{i}]")
                    for i, item in enumerate(read.items(manifest.get("ports"), "ports"))),
        endpoints=tuple(_endpoint(read, item, f"endpoints[{i}]", kind)
                        for i, item in enumerate(read.items(manifest.get("endpoints"), "endpoints"))),
        proxied=PROXY_NAME_LABEL not in labels and HEADLESS_LABEL not in labels,
    )


def _port(read: Reader, value: Any, path: str) -> EndpointPort:
    item = read.mapping(value, path)
    name = item.get("name")
    return EndpointPort(
        name=None if name is None else read.text(name, f"{path}.name"),
        port=read.port(item.get("port"), f"{path}.port"),
        protocol=read.choice(item.get("protocol"), f"{path}.protocol", PROTOCOLS),
    )


def _endpoint(read: Reader, value: Any, path: str, kind: str) -> Endpoint:
    item = read.mapping(value, path)
    conditions = read.mapping(item.get("conditions"), f"{path}.conditions")
    hints = read.mapping(item.get("hints"), f"{path}.hints")
    addresses = [_address(read, text, f"{path}.addresses[{i}]", kind)
                 for i, text in enumerate(read.items(item.get("addresses"), f"{path}.addresses"))]
    return Endpoint(
        addresses=tuple(addresses),
        ready=read.flag(conditions.get("ready"), f"{path}.conditions.ready", absent=True),
        serving=read.flag(conditions.get("serving"), f"{path}.conditions.serving", absent=True),
        terminating=read.flag(conditions.get("terminating"), f"{path}.conditions.terminating", absent=False),
        hostname=read.text(item.get("hostname"), f"{path}.hostname"),
        node=read.text(item.get("nodeName"), f"{path}.nodeName"),
        zone=read.text(item.get("zone"), f"{path}.zone"),
        for_zones=_hints(read, hints.get("forZones"), f"{path}.hints.forZones"),
        target=read.text(read.mapping(item.get("targetRef"), f"{path}.targetRef").get("name"),
                         f"{path}.targetRef.name"),
        for_nodes=_hints(read, hints.get("forNodes"), f"{path}.hints.forNodes"),
    )


def _hints(read: Reader, value: Any, path: str) -> frozenset[str]:
    return frozenset(str(read.mapping(item, path).get("name") or "") for item in read.items(value, path)) - {""}


def _address(read: Reader, value: Any, path: str, kind: str) -> str:
    if kind == "FQDN":
        return read.text(value, path, needed=True)
    address = read.address(value, path)
    if family_of(address) != kind:
        raise read.refuse(invalid(path, value, f"must be an {kind} address"))
    return address
