"""What DNS knows of the cluster: Services, EndpointSlices and Namespaces, indexed for questions.

A view never changes; a change of an object gives the next view, or the same one when no answer can differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from netlab.dns.names import parse_address
from netlab.dns.shards import Draft, Shards
from netlab.model import meta
from netlab.model.meta import Manifest

RESOURCES = ("namespaces", "services", "endpointslices")
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MAX_LABEL = 63  # of a name's label; an object's name may be longer


class Key(NamedTuple):
    """The namespace and name of an object ("" and its name for a namespace)."""

    namespace: str
    name: str


class Port(NamedTuple):
    """A port of a Service (its `port`) or of a slice (the target port)."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class Service:
    """A Service as DNS sees it."""

    key: Key
    cluster_ips: tuple[str, ...] = ()
    headless: bool = False
    external_name: str | None = None  # None unless the type is ExternalName
    ports: tuple[Port, ...] = ()

    @property
    def tags(self) -> Iterator[Tag]:
        """Whose answers it can be seen in."""
        yield self.key
        for ip in self.cluster_ips:
            yield "", ip


@dataclass(frozen=True, slots=True)
class Slice:
    """An EndpointSlice as DNS sees it: (address, hostname or "") of its ready endpoints."""

    key: Key
    service: Key
    endpoints: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    pod_names: tuple[tuple[str, str], ...] = ()  # (address, pod) of endpoints without a hostname

    @property
    def tags(self) -> Iterator[Tag]:
        """Whose answers it can be seen in."""
        yield self.service
        for ip, _ in self.endpoints:
            yield "", ip


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod as DNS sees it: where it is."""

    key: Key
    addresses: tuple[str, ...] = ()

    @property
    def tags(self) -> Iterator[Tag]:
        """Whose answers it can be seen in."""
        for ip in self.addresses:
            yield self.key.namespace, ip


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Namespace: it exists."""

    key: Key

    @property
    def tags(self) -> Iterator[Tag]:
        """Whose answers it can be seen in."""
        yield self.key.name, ""


Seen = Service | Slice | Namespace | Pod


def parse(resource: str, manifest: Manifest) -> Seen:
    """The manifest as DNS sees it."""
    key = Key(meta.namespace(manifest), meta.name(manifest))
    if resource == "namespaces":
        return Namespace(Key("", key.name))
    if resource == "pods":
        return _pod(key, manifest)
    return _service(key, manifest) if resource == "services" else _slice(key, manifest)


def _pod(key: Key, manifest: Manifest) -> Pod:
    status = manifest.get("status") or {}
    gone = meta.metadata(manifest).get("deletionTimestamp") or status.get("phase") in ("Succeeded", "Failed")
    ips = [entry.get("ip") or "" for entry in status.get("podIPs") or ()] or [status.get("podIP") or ""]
    return Pod(key, () if gone else _addresses(ips))


def _service(key: Key, manifest: Manifest) -> Service:
    spec = meta.spec(manifest)
    ips = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    external = str(spec.get("externalName") or "") if spec.get("type") == "ExternalName" else None
    return Service(key, cluster_ips=_addresses(ips), headless=ips[0] == "None", external_name=external,
                   ports=_ports(spec.get("ports")))


def _slice(key: Key, manifest: Manifest) -> Slice:
    service = Key(key.namespace, meta.labels(manifest).get(SERVICE_NAME_LABEL, ""))
    endpoints, pods = [], []
    for endpoint in manifest.get("endpoints") or ():
        # An absent `ready` means ready (EndpointConditions, discovery.k8s.io/v1).
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            hostname = str(endpoint.get("hostname") or "")
            addresses = _addresses(endpoint.get("addresses") or ())
            endpoints += [(address, hostname) for address in addresses]
            target = endpoint.get("targetRef") or {}
            pod = str(target.get("name") or "")
            if not hostname and target.get("kind") == "Pod" and len(pod) <= MAX_LABEL:
                pods += [(address, pod) for address in addresses]
    return Slice(key, service, endpoints=tuple(endpoints), ports=_ports(manifest.get("ports")), pod_names=tuple(pods))


def _addresses(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(address) for text in texts if (address := parse_address(text)))


def _ports(ports: Iterable[Mapping[str, Any]] | None) -> tuple[Port, ...]:
    return tuple(Port(port.get("name") or "", port.get("protocol") or "TCP", int(port.get("port") or 0))
                 for port in ports or ())


Tag = tuple[str, str]
"""What an answer can depend on: a Service (namespace, name), an address ("", text), a Namespace (name, ""),
a pod's address (namespace, text)."""


@dataclass(frozen=True, eq=False)
class DnsView:
    """The objects and their indexes. `serial` is the SOA's: the second of the last change that can be seen."""

    serial: int = 0
    listed: frozenset[str] = frozenset()
    namespaces: Shards[Key, Namespace] = field(default_factory=Shards)
    services: Shards[Key, Service] = field(default_factory=Shards)
    endpointslices: Shards[Key, Slice] = field(default_factory=Shards)
    pods: Shards[Key, Pod] = field(default_factory=Shards)
    slices_of: Shards[Key, tuple[Slice, ...]] = field(default_factory=Shards, repr=False)  # by Service, sorted by name
    by_cluster_ip: Shards[str, Key] = field(default_factory=Shards, repr=False)
    by_endpoint_ip: Shards[str, tuple[Key, ...]] = field(default_factory=Shards, repr=False)  # Services, sorted
    by_pod_ip: Shards[tuple[str, str], frozenset[str]] = field(default_factory=Shards, repr=False)  # by namespace
    touched: frozenset[Tag] | None = None  # by the change that led to this view; None: anything

    @property
    def synced(self) -> bool:
        """Whether every resource was listed, so that what is not here does not exist."""
        return self.listed.issuperset(RESOURCES)

    def has_namespace(self, name: str) -> bool:
        """Whether the namespace exists."""
        return Key("", name) in self.namespaces

    def has_pod(self, namespace: str, address: str) -> bool:
        """Whether a pod of the namespace has the address. Only where pods are followed."""
        return (namespace, address) in self.by_pod_ip

    def without_resource(self, resource: str) -> DnsView:
        """The view before the resource was listed."""
        return replace(self._changed(resource, [(key, None) for key in getattr(self, resource)], now=self.serial),
                       listed=self.listed - {resource}, touched=None)

    def with_object(self, resource: str, seen: Seen, *, now: int) -> DnsView:
        """The view after an object was added or changed at `now` (Unix time)."""
        held: Mapping[Key, Seen] = getattr(self, resource)
        return self if held.get(seen.key) == seen else self._changed(resource, [(seen.key, seen)], now=now)

    def without_object(self, resource: str, key: Key, *, now: int) -> DnsView:
        """The view after an object was deleted."""
        return self._changed(resource, [(key, None)], now=now) if key in getattr(self, resource) else self

    def with_list(self, resource: str, objects: Iterable[Seen], *, now: int) -> DnsView:
        """The view when these are all objects of the resource."""
        held: Mapping[Key, Seen] = getattr(self, resource)
        new = {seen.key: seen for seen in objects}
        changes: list[tuple[Key, Seen | None]] = [(key, None) for key in held if key not in new]
        changes += [(key, seen) for key, seen in new.items() if held.get(key) != seen]
        view = self._changed(resource, changes, now=now) if changes else self
        if resource in view.listed:
            return view
        return replace(view, listed=view.listed | {resource}, serial=now, touched=None)

    def _changed(self, resource: str, changes: list[tuple[Key, Seen | None]], *, now: int) -> DnsView:
        held: Draft[Key, Any] = Draft(getattr(self, resource))
        pairs: list[tuple[Any, Any]] = []
        for key, new in changes:
            pairs.append((held.get(key), new))
            held.put(key, new)
        changed: dict[str, Any] = {resource: held.done()}
        if resource == "services":
            changed["by_cluster_ip"] = _index_services(self.by_cluster_ip, pairs)
        elif resource == "endpointslices":
            changed["slices_of"], changed["by_endpoint_ip"] = _index_slices(
                self.slices_of, self.by_endpoint_ip, pairs)
        elif resource == "pods":
            changed["by_pod_ip"] = _index_pods(self.by_pod_ip, pairs)
        touched = frozenset(tag for pair in pairs for seen in pair if seen for tag in seen.tags)
        return replace(self, serial=now, touched=touched, **changed)


def _index_pods(by_ip: Shards[tuple[str, str], frozenset[str]], pairs: list[tuple[Pod | None, Pod | None]],
                ) -> Shards[tuple[str, str], frozenset[str]]:
    draft = Draft(by_ip)
    for old, new in pairs:
        for ip in old.addresses if old else ():
            if old:
                place = (old.key.namespace, ip)
                draft.put(place, (draft.get(place) or frozenset()) - {old.key.name} or None)
        for ip in new.addresses if new else ():
            if new:
                place = (new.key.namespace, ip)
                draft.put(place, (draft.get(place) or frozenset()) | {new.key.name})
    return draft.done()


def _index_services(by_ip: Shards[str, Key], pairs: list[tuple[Service | None, Service | None]]) -> Shards[str, Key]:
    draft = Draft(by_ip)
    for old, _ in pairs:
        for ip in old.cluster_ips if old else ():
            if old and draft.get(ip) == old.key:
                draft.put(ip, None)
    for _, new in pairs:
        for ip in new.cluster_ips if new else ():
            draft.put(ip, new.key if new else None)
    return draft.done()


def _index_slices(slices_of: Shards[Key, tuple[Slice, ...]], by_ip: Shards[str, tuple[Key, ...]],
                  pairs: list[tuple[Slice | None, Slice | None]],
                  ) -> tuple[Shards[Key, tuple[Slice, ...]], Shards[str, tuple[Key, ...]]]:
    of, by = Draft(slices_of), Draft(by_ip)
    touched: set[tuple[str, Key]] = set()
    for old, new in pairs:
        for part in filter(None, (old, new)):
            others = tuple(s for s in of.get(part.service) or () if s.key != part.key)
            rest = tuple(sorted((*others, part), key=lambda s: s.key)) if part is new else others
            of.put(part.service, rest or None)
            touched |= {(ip, part.service) for ip, _ in part.endpoints}
    addresses = {key: {ip for s in of.get(key) or () for ip, _ in s.endpoints} for key in {k for _, k in touched}}
    for ip, key in touched:
        keys = {k for k in by.get(ip) or () if k != key} | ({key} if ip in addresses[key] else set())
        by.put(ip, tuple(sorted(keys)) or None)
    return of.done(), by.done()
