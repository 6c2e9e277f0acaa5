"""All Services with their endpoints, as every mode takes them; what did not change is not computed again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import is_, itemgetter
from typing import Generic, NamedTuple, TypeVar

from netlab.model import meta
from netlab.model.endpoints import EndpointSlice, parse_endpoint_slice
from netlab.model.errors import ApiError
from netlab.model.family import IPV4
from netlab.model.fields import contains
from netlab.model.meta import Manifest
from netlab.model.node_port_addresses import PRIMARY, node_port_cidrs, on_localhost
from netlab.model.service import Service, parse_service
from netlab.proxy.backends import Backend, backends
from netlab.proxy.frontends import Portal, portals

T = TypeVar("T")
Name = tuple[str, str]  # namespace and name


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
    none: what is usual in the mode; `gateways` are addresses that pods know the node by, and can be among them.
    `drop_invalid` False: INVALID packets are forwarded, as with nf_conntrack_tcp_be_liberal. Only IPVS knows a
    scheduler, strict ARP, and ranges whose virtual servers it leaves alone.
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
    gateways: tuple[str, ...] = ()
    drop_invalid: bool = True

    @property
    def masquerade_mark(self) -> int:
        """The mark of packets that are masqueraded when they leave."""
        return 1 << self.masquerade_bit

    @property
    def tells_pods(self) -> bool:
        """Whether traffic of pods can be told from other traffic."""
        return bool(self.cluster_cidr or self.pod_interface)

    @property
    def localhost(self) -> bool:
        """Whether node ports may be used at 127.0.0.1."""
        return self.localhost_node_ports and self.family == IPV4 and on_localhost(self.node_port_addresses)

    def node_port_ips(self, *, default: tuple[str, ...] = ()) -> tuple[str, ...] | None:
        """The node's own addresses that have node ports; None when all have. `default` is for when nothing is said."""
        wanted = node_port_cidrs(self.node_port_addresses or default, self.family)
        if wanted is None:
            return None
        if wanted == (PRIMARY,):
            return self.addresses[:1]
        own = (*self.addresses, *self.gateways, "127.0.0.1" if self.family == IPV4 else "::1")
        return tuple(ip for ip in own if any(contains(cidr, ip) for cidr in wanted))


class Snapshots:
    """Turns manifests into `Proxied` rows of one family, sorted by name. `taken` is how many changes of Services and of
    EndpointSlices it has seen.

    Manifests must not change once they were handed over: they are known by identity.
    """

    def __init__(self, family: str = IPV4) -> None:
        self.family = family
        self._refused: dict[tuple[str, Name], str] = {}  # by what read it, and its name
        self._services: dict[Name, _Parsed[Service]] = {}
        self._slices: dict[Name, _Parsed[EndpointSlice]] = {}
        self._behind: dict[Name, dict[Name, EndpointSlice]] = {}  # the slices by the Service that they are of
        self._order: list[Name] = []  # the Services, sorted
        self._joined: list[tuple[Proxied, ...]] = []  # and the rows of each
        self._rows: tuple[Proxied, ...] = ()
        self.taken = 0, 0

    @property
    def refused(self) -> tuple[str, ...]:
        """What is wrong with the objects that could not be used."""
        return tuple(self._refused.values())

    def take(self, services: Iterable[Manifest], slices: Iterable[Manifest]) -> tuple[Proxied, ...]:
        """The rows of these Services and EndpointSlices; the same tuple as before if no row changed."""
        return self.change(_differing(self._services, services), _differing(self._slices, slices))

    def change(self, services: Mapping[Name, Manifest | None],
               slices: Mapping[Name, Manifest | None]) -> tuple[Proxied, ...]:
        """The rows after these objects, by namespace and name, became so; None: is gone. All others are as before."""
        self.taken = self.taken[0] + len(services), self.taken[1] + len(slices)
        touched = set(services)
        for key, manifest in services.items():
            self._put(self._services, key, manifest, parse_service)
        for key, manifest in slices.items():
            before, after = self._put(self._slices, key, manifest, parse_endpoint_slice)
            if before and before.value:
                touched.add(of := (before.value.namespace, before.value.service))
                del self._behind[of][key]
            if after and after.value:
                touched.add(of := (after.value.namespace, after.value.service))
                self._behind.setdefault(of, {})[key] = after.value
        if [key for key in touched if self._join(key)]:
            self._rows = tuple(chain.from_iterable(self._joined))
        return self._rows

    def waiting(self, services: Iterable[Manifest], slices: Iterable[Manifest]) -> tuple[int, int]:
        """How many changes of Services and of EndpointSlices these would be."""
        return len(_differing(self._services, services)), len(_differing(self._slices, slices))

    def _put(self, held: dict[Name, _Parsed[T]], key: Name, manifest: Manifest | None,
             parse: Callable[[Manifest], T]) -> tuple[_Parsed[T] | None, _Parsed[T] | None]:
        """Keeps the manifest's view under its name, or nothing when it is None; gives what was there, and what is."""
        self._refused.pop((parse.__name__, key), None)
        before, after = held.pop(key, None), None
        if manifest is not None:
            try:
                after = _Parsed(manifest, parse(manifest))
            except ApiError as error:
                self._refused[parse.__name__, key] = error.message
                after = _Parsed[T](manifest, None)
            held[key] = after
        return before, after

    def _join(self, key: Name) -> bool:
        """Joins the Service of this name to its slices again; whether any row changed."""
        at = bisect_left(self._order, key)
        there = at < len(self._order) and self._order[at] == key
        parsed, behind = self._services.get(key), self._behind.get(key) or self._behind.pop(key, {})
        before = self._joined[at] if there else ()
        if parsed and parsed.value:
            slices = [one for _, one in sorted(behind.items(), key=itemgetter(0))]
            after = _rows(before, parsed.value, slices, self.family)
            self._order[at:at + there], self._joined[at:at + there] = [key], [after]
        else:
            after = ()
            del self._order[at:at + there], self._joined[at:at + there]
        return len(before) != len(after) or not all(map(is_, before, after))


class _Parsed(NamedTuple, Generic[T]):
    """A manifest and its view, None if it was refused."""

    manifest: Manifest
    value: T | None


def _differing(known: Mapping[Name, _Parsed[T]], manifests: Iterable[Manifest]) -> dict[Name, Manifest | None]:
    """Those of the manifests that are not known yet, and None for those that are known but gone."""
    here = {(meta.namespace(manifest), meta.name(manifest)): manifest for manifest in manifests}
    gone: dict[Name, Manifest | None] = dict.fromkeys(known.keys() - here.keys())
    return gone | {key: manifest for key, manifest in here.items()
                   if key not in known or known[key].manifest is not manifest}


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
