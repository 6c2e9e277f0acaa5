"""The order of ports in Endpoints and EndpointSlices: upstream's, which is that of a hash.

Controllers of Kubernetes 1.33 sort ports by the MD5 of how Go prints them (k8s.io/endpointslice/util, and
pkg/api/v1/endpoints for Endpoints), so kube-dns shows `9153,53,53` as slice and `dns-tcp, dns, metrics` as Endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import md5
from typing import Any

Port = dict[str, Any]


def slice_order(ports: Iterable[Mapping[str, Any]]) -> tuple[Port, ...]:
    """Ports with `name`, `port` and `protocol` in the order of EndpointSlices, without what the API adds to them."""
    return tuple(sorted(map(_canonical, ports), key=lambda port: _hash(
        "{{Name:{0} Protocol:{2} Port:{1} AppProtocol:{3}}}", "(*string)", "(*int32)", "(*v1.Protocol)",
        port["name"], port["port"], port["protocol"], port.get("appProtocol"))))


def endpoints_order(ports: Iterable[Port]) -> list[Port]:
    """Ports of an Endpoints' subset in their order."""
    return sorted(ports, key=lambda port: _hash(
        "{{Name:{0} Port:{1} Protocol:{2} AppProtocol:{3}}}", "(string)", "(int32)", "(v1.Protocol)",
        port.get("name", ""), port["port"], port.get("protocol", "TCP"), port.get("appProtocol")))


def _canonical(port: Mapping[str, Any]) -> Port:
    entry = {"name": port.get("name") or "", "port": port.get("port"), "protocol": port.get("protocol") or "TCP"}
    return entry | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})


@lru_cache(maxsize=4096)
def _hash(form: str, text_type: str, number_type: str, protocol_type: str, name: str, number: int | None,
          protocol: str, application: str | None) -> bytes:
    values = (text_type + name, number_type + _go(number), protocol_type + protocol, "(*string)" + _go(application))
    return md5(f"(v1.EndpointPort){form.format(*values)}".encode(), usedforsecurity=False).digest()


def _go(value: object) -> str:
    return "<nil>" if value is None else str(value)
