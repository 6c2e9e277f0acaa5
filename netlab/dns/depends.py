"""What an answer depends on: the objects after whose change it may be another."""

from __future__ import annotations

from netlab.dns.find import Lookup
from netlab.dns.names import Name, NameServer, NamespaceName, PodName, ServiceName, Zones, reverse_address, shape
from netlab.dns.view import DnsView, Key, Tag

MAX_LINKS = 16  # more than any answer follows


def tags(type: str, lookup: Lookup) -> frozenset[Tag]:
    """The tags of what the view holds, and of what it would hold if the name were there."""
    view, zones = lookup.view, lookup.zones
    if type == "NS":
        return _name_servers(view, zones)
    if lookup.is_reverse:
        address = reverse_address(lookup.name)
        return frozenset([("", str(address))] if address else ())
    found: list[Tag] = []
    asked = lookup.asked
    for _ in range(MAX_LINKS):
        if not isinstance(asked, ServiceName):
            break
        found += ((asked.namespace, ""), (asked.namespace, asked.service))
        service = view.services.get(Key(asked.namespace, asked.service))
        if service is None or not service.external_name:
            break
        name = Name.of(service.external_name)
        if not name.within(zones.domain):
            break
        asked = shape(name, zones.domain)
    if isinstance(asked, NameServer):
        return _name_servers(view, zones).union(found)
    if isinstance(asked, NamespaceName | PodName):
        found.append((asked.namespace, ""))
    if isinstance(asked, PodName) and asked.address:
        found.append((asked.namespace, str(asked.address)))
    return frozenset(found)


def _name_servers(view: DnsView, zones: Zones) -> frozenset[Tag]:
    return frozenset(tag for ip in zones.local for tag in (("", ip), *view.by_endpoint_ip.get(ip, ())))
