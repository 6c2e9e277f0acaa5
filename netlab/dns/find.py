"""What a name leads to: addresses with ports, or another name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netlab.dns.names import (
    Name,
    NameServer,
    NamespaceName,
    PodName,
    SchemaVersion,
    ServiceName,
    Shape,
    Zones,
    parse_address,
    reverse_address,
    shape,
)
from netlab.dns.view import DnsView, Key, Port, Service, Slice


class Lookup(NamedTuple):
    """A name and everything that it is answered from. `zone` is the name's zone in the case of the question."""

    name: Name
    zone: Name
    view: DnsView
    zones: Zones
    is_reverse: bool  # the name belongs to an address range, not to the cluster domain
    asked: Shape | None  # what it speaks of in the cluster domain; None when no such name can exist there

    @classmethod
    def of(cls, name: Name, view: DnsView, zones: Zones) -> Lookup | None:
        """The lookup of a name in one of the zones; None outside of all."""
        zone = zones.of(name)
        if zone is None:
            return None
        in_domain = name.within(zones.domain)
        return cls(name, zone, view, zones, not in_domain, shape(name, zones.domain) if in_domain else None)

    @property
    def at_apex(self) -> bool:
        """Whether the name is its zone's own."""
        return len(self.name) == len(self.zone)

    def exposed(self, namespace: str) -> bool:
        """Whether the namespace exists and is one of those that are answered for."""
        return self.wanted(namespace) and self.view.has_namespace(namespace)

    def wanted(self, namespace: str) -> bool:
        """Whether the namespace is one of those that are answered for."""
        return not self.zones.namespaces or namespace in self.zones.namespaces


class Target(NamedTuple):
    """One thing that a name leads to: an address (with `port` if it has one, and its own name), or `alias`."""

    address: str = ""
    port: int | None = None
    labels: tuple[str, ...] = ()  # its own name, without the zone
    alias: Name | None = None


def find(lookup: Lookup) -> list[Target] | None:
    """What the name leads to. Empty: the name is there without addresses; None: there is no such name."""
    if lookup.is_reverse:
        return [] if lookup.at_apex else None  # an address's name has PTR records only, and those are found otherwise
    asked, view = lookup.asked, lookup.view
    if isinstance(asked, ServiceName):
        service = view.services.get(Key(asked.namespace, asked.service))
        return _of_service(asked, service, lookup) if service and lookup.exposed(asked.namespace) else None
    if asked is None or isinstance(asked, SchemaVersion):
        return None
    if isinstance(asked, NameServer):
        return [Target(address, 0, ("ns", "dns")) for _, address in name_servers(lookup)]
    if isinstance(asked, NamespaceName):
        without = lookup.zones.pods == "disabled" and asked.kind == "pod"
        return [] if lookup.exposed(asked.namespace) and not without else None
    if isinstance(asked, PodName):
        exists = _pod_exists(asked, lookup)
        return [Target(str(asked.address), 0, (asked.label, asked.namespace, "pod"))] if exists else None
    return []


def _pod_exists(asked: PodName, lookup: Lookup) -> bool:
    if asked.address is None or lookup.zones.pods == "disabled" or not lookup.exposed(asked.namespace):
        return False
    return lookup.zones.pods == "insecure" or lookup.view.has_pod(asked.namespace, str(asked.address))


def _of_service(asked: ServiceName, service: Service, lookup: Lookup) -> list[Target] | None:
    if service.external_name is not None:
        alias = Name.of(service.external_name)
        below = asked.endpoint or asked.port or asked.protocol  # an alias has neither endpoints nor ports
        return None if below or not alias or parse_address(service.external_name) else [Target(alias=alias)]
    if service.headless or asked.endpoint:
        return list(_endpoints(asked, lookup)) or None
    if not lookup.zones.empty_services and not any(part.endpoints for part in lookup.view.slices_of.get(
            service.key, ())):
        return None
    labels = (service.key.name, service.key.namespace, "svc")
    matching = [port for port in service.ports or (_ANY,) if _matches(asked, port)]
    return [Target(ip, port.number or None, labels) for port in matching for ip in service.cluster_ips
            ] if matching else None


_ANY = Port("", "", 0)  # what a Service or slice without ports has: it matches when no port is asked for


def _endpoints(asked: ServiceName, lookup: Lookup) -> Iterator[Target]:
    key = Key(asked.namespace, asked.service)
    # Most endpoints are not the one that is asked for, which their addresses say without their labels being made.
    dotted = "" if lookup.zones.endpoint_pod_names else asked.endpoint.replace("-", ".")
    for part in lookup.view.slices_of.get(key, ()) if lookup.zones.endpoints else ():
        endpoints = part.endpoints if not dotted else [
            pair for pair in part.endpoints if pair[0] == dotted or pair[1] or ":" in pair[0]]
        ports = [port for port in part.ports or (_ANY,) if _matches(asked, port)] if endpoints else []
        for address, hostname in endpoints:
            label = _label(part, address, hostname, lookup.zones)
            if asked.endpoint in ("", label.lower()):
                for port in ports:
                    yield Target(address, port.number or None, (label, key.name, key.namespace, "svc"))


def _matches(asked: ServiceName, port: Port) -> bool:
    return asked.port in ("", port.name.lower()) and asked.protocol in ("", port.protocol.lower())


def endpoint_label(address: str, hostname: str) -> str:
    """An endpoint's own label under its Service: its hostname, or the address with dashes."""
    label = hostname or address.replace(".", "-").replace(":", "-")
    return label + "0" if label.endswith("-") else label


def _label(part: Slice, address: str, hostname: str, zones: Zones) -> str:
    pod = dict(part.pod_names).get(address, "") if zones.endpoint_pod_names and not hostname else ""
    return endpoint_label(address, hostname or pod)


def reverse_names(lookup: Lookup) -> list[Name]:
    """What the address that the name says is called: its Service, or its endpoint in every Service that has it."""
    address, view = reverse_address(lookup.name), lookup.view
    if address is None:
        return []
    ip = str(address)
    if ip in view.by_cluster_ip:
        key = view.by_cluster_ip[ip]
        if not lookup.wanted(key.namespace):
            return []
        return [Name((key.name, key.namespace, "svc")) + lookup.zones.domain]
    names = [Name((_label(part, ip, hostname, lookup.zones), key.name, key.namespace, "svc")) + lookup.zones.domain
             for key in (view.by_endpoint_ip.get(ip, ()) if lookup.zones.endpoints else ())
             if lookup.wanted(key.namespace)
             for part in view.slices_of.get(key, ())
             for found, hostname in part.endpoints if found == ip]
    return list(dict.fromkeys(names))


def name_servers(lookup: Lookup) -> list[tuple[Name, str]]:
    """The Services that have this server as an endpoint, with their addresses; else `ns.dns` at its own address."""
    view, found = lookup.view, []
    for ip in lookup.zones.local:
        for key in view.by_endpoint_ip.get(ip, ()) if lookup.zones.endpoints else ():
            service = view.services.get(key)
            name = Name((key.name, key.namespace, "svc")) + lookup.zone
            if service and service.headless:
                found += [(Name(target.labels) + lookup.zone, target.address)
                          for target in _endpoints(ServiceName(key.namespace, key.name), lookup)]
            elif service:
                found += [(name, ip) for ip in service.cluster_ips[:1]]
    own = [(Name(("ns", "dns")) + lookup.zone, ip) for ip in lookup.zones.local]
    return list(dict.fromkeys(found or own))
