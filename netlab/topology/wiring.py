"""The links and tables of one netns, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network


@dataclass(frozen=True)
class Veth:
    """A pair: `name` in this netns, `peer` in `peer_netns` (which has its own Wiring that sets it up).

    Indexes and MACs are chosen beforehand, so that nothing is ever looked up. `master` names a bridge of this netns.
    """

    name: str
    index: int
    peer: str
    peer_netns: str
    peer_index: int
    mac: str = ""
    peer_mac: str = ""
    master: str = ""


@dataclass(frozen=True)
class Bridge:
    """A bridge; its ports are the veths that name it as their master."""

    name: str
    index: int
    mac: str = ""


@dataclass(frozen=True)
class Address:
    """An address on a link of this netns."""

    link: str
    address: IPv4Interface


@dataclass(frozen=True)
class Route:
    """A route; without `via` the destination is on the link. `source` is the preferred source address."""

    destination: IPv4Network
    link: str
    via: str = ""
    source: str = ""


@dataclass(frozen=True)
class Neighbour:
    """A permanent neighbour entry: it needs no ARP and does not count in the kernel's shared neighbour table."""

    link: str
    address: str
    mac: str


@dataclass(frozen=True)
class Sysctl:
    """A sysctl below /proc/sys/net that is private to the netns, such as `ipv4/ip_forward`."""

    key: str
    value: str


@dataclass(frozen=True)
class Wiring:
    """Everything of one netns; `up` lists links that are made elsewhere (the peers of veths) and must be set up."""

    netns: str
    bridges: tuple[Bridge, ...] = ()
    veths: tuple[Veth, ...] = ()
    up: tuple[tuple[str, int], ...] = ()  # (name, index)
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()
