"""Where cluster IPs come from (ServiceCIDRs), and who has which (IPAddresses): KEP-1880.

Source: k8s.io/kubernetes pkg/registry/core/service/ipallocator (cidrallocator.go, ipallocator.go).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

from netlab.api.resource import Objects
from netlab.model import meta
from netlab.model.family import family_of
from netlab.model.meta import Manifest, ObjectKey
from netlab.model.ranges import Address, Network

CIDRS, ADDRESSES = "servicecidrs", "ipaddresses"
DEFAULT = "kubernetes"
FAMILY_LABEL, MANAGED_BY_LABEL = "ipaddress.kubernetes.io/ip-family", "ipaddress.kubernetes.io/managed-by"
MANAGED_BY = "ipallocator.k8s.io"


def default_range(registry: Objects) -> Manifest:
    """The ServiceCIDR that a cluster starts with."""
    return {"metadata": {"name": DEFAULT}, "spec": {"cidrs": [str(one.service) for one in registry.spec.ranges]}}


def networks(manifest: Manifest) -> list[Network]:
    """The ranges of a ServiceCIDR."""
    return [ip_network(text) for text in meta.spec(manifest).get("cidrs") or ()]


def usable(registry: Objects, family: str) -> list[Network]:
    """The ranges of a family that addresses are given from; the default one first, for a Service of no wish."""
    found = registry.list(CIDRS)
    if not found:
        return [registry.spec.of(family).service]
    found.sort(key=lambda item: meta.name(item) != DEFAULT)
    return list(dict.fromkeys(network for item in found if not meta.is_deleting(item)
                              for network in networks(item) if f"IPv{network.version}" == family))


def known(registry: Objects, family: str) -> list[Network]:
    """The ranges of a family that addresses have come from, those that are being deleted as well."""
    found = [network for item in registry.list(CIDRS) for network in networks(item)
             if f"IPv{network.version}" == family]
    return found or [registry.spec.of(family).service]


class Taken:
    """The addresses of one version, as integers, that somebody has or that are kept for somebody."""

    def __init__(self, registry: Objects, version: int) -> None:
        self._registry, self._address = registry, IPv4Address if version == 4 else IPv6Address
        self._kept = {int(registry.spec.api_ip), int(registry.spec.dns_ip)}

    def __contains__(self, number: object) -> bool:
        assert isinstance(number, int)
        return number in self._kept or has(self._registry, self._address(number))


def has(registry: Objects, address: Address) -> bool:
    """Whether somebody has it."""
    return registry.find(ADDRESSES, str(address)) is not None


def hold_addresses(registry: Objects, new: Manifest, old: Manifest | None) -> None:
    """Writes down whose the addresses of a Service are, and gives back those that it has no more."""
    now, before = _addresses(new), _addresses(old)
    for address in before:
        if address not in now:
            registry.store.delete(ObjectKey(ADDRESSES, "", address))
    for address in now:
        if address not in before and registry.find(ADDRESSES, address) is None:
            registry.create(ADDRESSES, {
                "metadata": {"name": address, "labels": {FAMILY_LABEL: family_of(address),
                                                         MANAGED_BY_LABEL: MANAGED_BY}},
                "spec": {"parentRef": {"resource": "services", "namespace": meta.namespace(new),
                                       "name": meta.name(new)}}})


def release_addresses(registry: Objects, service: Manifest) -> None:
    """Gives back all that a Service had."""
    for address in _addresses(service):
        registry.store.delete(ObjectKey(ADDRESSES, "", address))


def hold_again(registry: Objects, address: Manifest) -> None:
    """An IPAddress that somebody deleted comes back when a Service has it."""
    parent = meta.spec(address).get("parentRef") or {}
    service = registry.find("services", parent.get("name", ""), parent.get("namespace", ""))
    if service is not None and parent.get("resource") == "services" and meta.name(address) in _addresses(service):
        hold_addresses(registry, service, None)


def _addresses(service: Manifest | None) -> list[str]:
    return [ip for ip in meta.spec(service).get("clusterIPs") or () if ip != "None"] if service else []
