"""Names and the shapes that the DNS specification gives them.

Kubernetes DNS-Based Service Discovery, schema 1.1.0; the reading of a name follows CoreDNS's kubernetes plugin.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

# Under these, a label is so many bits of an address (RFC 1035 3.5, RFC 3596 2.5).
_REVERSE: dict[tuple[str, ...], tuple[int, int]] = {("in-addr", "arpa"): (4, 8), ("ip6", "arpa"): (6, 4)}
_LABELS = {8: {str(number): number for number in range(256)}, 4: {f"{number:x}": number for number in range(16)}}


class Name(tuple[str, ...]):
    """A fully qualified name as its labels; prints with the final dot. Case is kept, and matters in ==."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Name:
        """The name that a dotted text says, with or without the final dot."""
        return cls(label for label in text.rstrip(".").split(".") if label)

    def __str__(self) -> str:
        return ".".join(self) + "."

    def lower(self) -> Name:
        """The name as it is compared (RFC 4343)."""
        return Name(map(str.lower, self))

    def within(self, other: Name) -> bool:
        """Whether the name is `other` or below it; the case does not matter."""
        if not other:
            return True
        end = self[-len(other):]  # the whole name when it is the shorter one
        return end == other or tuple(map(str.lower, end)) == tuple(map(str.lower, other))

    def __add__(self, other: object) -> Name:
        if not isinstance(other, tuple):
            return NotImplemented
        return Name((*self, *other))


@dataclass(frozen=True)
class Zones:
    """What Kubernetes names are answered for: a cluster domain, reverse zones, and how.

    `local` are the server's own addresses, by which it finds its Service for NS records. `pods`: which names like
    `10-244-1-5.default.pod` there are, of any address (insecure), of the namespace's pods (verified), or none.
    """

    domain: Name = Name(("cluster", "local"))
    reverse: tuple[Name, ...] = ()
    local: tuple[str, ...] = ()
    ttl: int = 30  # seconds
    pods: str = "insecure"
    namespaces: frozenset[str] = frozenset()  # none: all
    endpoint_pod_names: bool = False
    endpoints: bool = True
    empty_services: bool = True  # whether a Service without ready endpoints has its address

    def of(self, name: Name) -> Name | None:
        """The zone that the name is in, in the name's own case; None outside of all."""
        zone = longest(name, self.all)
        return None if zone is None else Name(name[len(name) - len(zone):])

    @cached_property
    def all(self) -> tuple[Name, ...]:
        """The zones."""
        return self.domain, *self.reverse


def longest(name: Name, zones: Iterable[Name]) -> Name | None:
    """The zone that the name is most closely in; None outside of all."""
    found, size = None, -1
    for zone in zones:
        if len(zone) > size and name.within(zone):
            found, size = zone, len(zone)
    return found


def is_reverse(zone: Name) -> bool:
    """Whether the names of the zone are addresses."""
    return tuple(zone.lower()[-2:]) in _REVERSE


def zones_of(text: str) -> tuple[Name, ...]:
    """The zones that a Corefile's word means: a name, or a CIDR, which is as many reverse zones as it takes."""
    try:
        network = ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        network = None
    if network is None:
        return (Name.of(text).lower(),)
    bits, top = (8, "in-addr") if network.version == 4 else (4, "ip6")
    whole = -(-network.prefixlen // bits) * bits
    return tuple(_reverse_zone(part, whole // bits, top) for part in network.subnets(new_prefix=whole))


def _reverse_zone(network: IPNetwork, count: int, top: str) -> Name:
    address = network.network_address
    digits = str(address).split(".") if address.version == 4 else list(address.exploded.replace(":", ""))
    return Name((*reversed(digits[:count]), top, "arpa"))


@dataclass(frozen=True)
class Apex:
    """The domain itself, `svc` or `pod` under it: it is there and has no addresses."""


@dataclass(frozen=True)
class NamespaceName:
    """`N.svc` or `N.pod`; `kind` says which."""

    namespace: str
    kind: str


@dataclass(frozen=True)
class PodName:
    """`1-2-3-4.N.pod`; `address` is None when the label does not say one."""

    namespace: str
    label: str
    address: IPAddress | None


class ServiceName(NamedTuple):
    """`S.N.svc`, `E.S.N.svc` or `_port._protocol.S.N.svc`; an empty port or protocol matches all."""

    namespace: str
    service: str
    endpoint: str = ""
    port: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class NameServer:
    """`ns.dns`: what the SOA names as the primary server."""


@dataclass(frozen=True)
class SchemaVersion:
    """`dns-version`: a TXT record says which specification is followed."""


Shape = Apex | NamespaceName | PodName | ServiceName | NameServer | SchemaVersion


@lru_cache(maxsize=1024)  # a question looks at its name more than once
def shape(name: Name, domain: Name) -> Shape | None:
    """What a name in the cluster domain speaks of, in lower case; None when no such name can exist."""
    labels = [label.lower() for label in name[:len(name) - len(domain)]]
    if len(labels) in (3, 4) and labels[-1] == "svc":
        return ServiceName(labels[-2], labels[-3], endpoint=labels[0] if len(labels) == 4 else "")
    if labels in ([], ["svc"], ["pod"]):
        return Apex()
    if labels == ["ns", "dns"]:
        return NameServer()
    if labels == ["dns-version"]:
        return SchemaVersion()
    kind = labels.pop()
    if kind not in ("svc", "pod"):
        return None
    namespace = labels.pop()
    if not labels:
        return NamespaceName(namespace, kind)
    first = labels.pop()
    if len(labels) > 2:
        return None
    if kind == "pod":
        return PodName(namespace, first, _pod_address(first))
    port, protocol = (label.removeprefix("_") for label in labels)
    return ServiceName(namespace, first, port=port, protocol=protocol)


def _pod_address(label: str) -> IPAddress | None:
    v4 = label.count("-") == 3 and "--" not in label
    return parse_address(label.replace("-", "." if v4 else ":"))


@lru_cache(4096)
def parse_address(text: str) -> IPAddress | None:
    """The address that a text says, None when it says none."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def reverse_address(name: Name) -> IPAddress | None:
    """The address of a whole name under in-addr.arpa or ip6.arpa."""
    family, bits, numbers = _reverse_labels(name)
    if not bits or len(numbers) != len(name) - 2 or len(numbers) * bits != (32 if family == 4 else 128):
        return None
    value = _join(numbers, bits)
    return IPv4Address(value) if family == 4 else IPv6Address(value)


def _reverse_labels(name: Name) -> tuple[int, int, list[int]]:
    """(4 or 6, bits per label, labels as numbers from the top down until one is none); 0 bits: no reverse name."""
    family, bits = _REVERSE.get(tuple(name.lower()[-2:]), (0, 0))
    numbers: list[int] = []
    if bits:
        for label in reversed(name[:-2]):
            number = _LABELS[bits].get(label.lower())
            if number is None:
                break
            numbers.append(number)
    return family, bits, numbers


def _join(numbers: list[int], bits: int) -> int:
    value = 0
    for number in numbers:
        value = value << bits | number
    return value
