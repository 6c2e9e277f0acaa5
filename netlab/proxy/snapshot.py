"""All Services with their endpoints, as every mode takes them; what did not change is not computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter, is_
from typing import Any, Generic, NamedTuple, TypeVar

from netlab.model import meta
from netlab.model.endpoints import EndpointSlice, parse_endpoint_slice
from netlab.model.errors import ApiError
from netlab.model.family import IPV4, family_of
from netlab.model.fields import contains
from netlab.model.meta import Manifest
from netlab.model.service import Service, parse_service
from netlab.proxy.backends import Backend, backends
from netlab.proxy.frontends import Portal, portals

T = TypeVar("T")


@dataclass(frozen=True)
class Proxied:
    """One port of a Service and all endpoints behind it. The same object comes again while neither changes."""

    portal: Portal
    backends: tuple[Backend, ...]

    @cached_property
    def differs(self) -> bool:
        """Whether nodes may have different rules for it."""
        return self.portal.uses_local or any(b.zones or b.nodes for b in self.backends) \
            or any(row.source_ranges for row in self.portal.frontends)


@dataclass(frozen=True)
class NodeView:
    """The node that rules of one family are for, as a proxy of that family sees it.

    `addresses` and CIDRs are of the family. `cluster_cidr` tells pods from others by their address, `pod_interface`
    ("br0", "veth+") by where their packets come in; "" when it is not known. `service_cidrs` are what Services get
    addresses from. `node_port_addresses` are the CIDRs of the node's addresses that have node ports, or "primary";
    none: what is usual in the mode. Only IPVS knows a scheduler, strict ARP, and ranges whose virtual servers it leaves
    alone.
    """

    name: str
    addresses: tuple[str, ...] = ()
    zone: str = ""
    cluster_cidr: str = ""
    masquerade_all: bool = False
    localhost_node_ports: bool = True  # for IPv4 only: no kernel takes ::1 from one interface to another
    family: str = IPV4
    pod_interface: str = ""
    masquerade_bit: int = 14
    node_port_addresses: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()
    scheduler: str = "rr"
    strict_arp: bool = False
    excluded_cidrs: tuple[str, ...] = ()

    @property
    def masquerade_mark(self) -> int:
        """The mark of packets that are masqueraded when they leave."""
        return 1 << self.masquerade_bit

    @property
    def tells_pods(self) -> bool:
        """Whether traffic of pods can be told from other traffic."""
        return bool(self.cluster_cidr or self.pod_interface)

    def node_port_ips(self, *, default: tuple[str, ...] = ()) -> tuple[str, ...] | None:
        """The node's own addresses that have node ports; None when all have. `default` is for when nothing is said."""
        ours = tuple(cidr for cidr in self.node_port_addresses if cidr == "primary" or family_of(cidr) == self.family)
        wanted = ours or default if self.node_port_addresses == ours else ours
        if (not wanted and not self.node_port_addresses) or "0.0.0.0/0" in wanted or "::/0" in wanted:
            return None
        if wanted == ("primary",):
            return self.addresses[:1]
        loopback = "127.0.0.1" if self.family == IPV4 else "::1"
        return tuple(ip for ip in (*self.addresses, loopback) if any(contains(cidr, ip) for cidr in wanted))


class Snapshots:
    """Turns manifests into `Proxied` rows of one family, sorted by name. `refused` tells what could not be used.

    Manifests must not change once they were handed over: they are known by identity.
    """

    def __init__(self, family: str = IPV4) -> None:
        self.family = family
        self.refused: tuple[str, ...] = ()
        self._services: dict[int, _Parsed[Service]] = {}
        self._slices: dict[int, _Parsed[EndpointSlice]] = {}
        self._joined: dict[tuple[str, str], tuple[Proxied, ...]] = {}
        self._rows: tuple[Proxied, ...] = ()

    def take(self, services: Iterable[Manifest], slices: Iterable[Manifest]) -> tuple[Proxied, ...]:
        """The rows of these Services and EndpointSlices; the same tuple as before if no row changed."""
        refused: list[str] = []
        old_services, old_slices = self._services, self._slices
        self._services = _parse(services, old_services, parse_service, refused)
        self._slices = _parse(slices, old_slices, parse_endpoint_slice, refused)
        self.refused = tuple(refused)
        changed = {one.key for one in _changed(old_services, self._services)}
        changed |= {one.of for one in _changed(old_slices, self._slices)}
        if changed and self._join(changed):
            self._rows = tuple([row for key in sorted(self._joined) for row in self._joined[key]])
        return self._rows

    def _join(self, changed: set[tuple[str, str]]) -> bool:
        """Joins the Services of these names to their slices again; whether any row changed."""
        behind: dict[tuple[str, str], list[EndpointSlice]] = {}
        for part in sorted([part for part in self._slices.values() if part.of in changed], key=_key):
            if part.value is not None:
                behind.setdefault(part.of, []).append(part.value)
        present = {one.key: one.value for one in self._services.values() if one.key in changed}
        differ = False
        for key in changed:
            before, service = self._joined.pop(key, ()), present.get(key)
            after: tuple[Proxied, ...] = ()
            if service is not None:
                after = self._joined[key] = _rows(before, service, behind.get(key, []), self.family)
            differ |= len(before) != len(after) or not all(map(is_, before, after))
        return differ


class _Parsed(NamedTuple, Generic[T]):
    """A manifest's view, None if it was refused, under its namespace and name; `of` is the Service that it is about."""

    manifest: Manifest
    value: T | None
    key: tuple[str, str]
    of: tuple[str, str]


_key: Callable[[_Parsed[Any]], tuple[str, str]] = attrgetter("key")


def _changed(old: dict[int, _Parsed[T]], new: dict[int, _Parsed[T]]) -> list[_Parsed[T]]:
    return [old.get(number) or new[number] for number in old.keys() ^ new.keys()]


def _rows(before: tuple[Proxied, ...], service: Service, slices: list[EndpointSlice],
          family: str) -> tuple[Proxied, ...]:
    known = {(row.portal.name, row.portal.protocol): row for row in before}
    rows = []
    for portal in portals(service, family):
        row = Proxied(portal, backends(slices, port_name=portal.port_name, protocol=portal.protocol,
                                       family=family))
        same = known.get((portal.name, portal.protocol))
        rows.append(same if same == row else row)
    return tuple(rows)


def _parse(manifests: Iterable[Manifest], known: dict[int, _Parsed[T]], parse: Callable[[Manifest], T],
           refused: list[str]) -> dict[int, _Parsed[T]]:
    """The manifests' views by the identity of the manifests, which are held and so keep it."""
    parsed: dict[int, _Parsed[T]] = {}
    for manifest in manifests:
        number = id(manifest)
        old = known.get(number)
        if old is None:
            key = meta.namespace(manifest), meta.name(manifest)
            value: T | None = None
            try:
                value = parse(manifest)
            except ApiError as error:
                refused.append(error.message)
            of = (value.namespace, value.service) if isinstance(value, EndpointSlice) else key
            old = _Parsed(manifest, value, key, of)
        parsed[number] = old
    return parsed
