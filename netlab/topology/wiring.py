"""The links and tables of one netns, as a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from itertools import chain
from typing import Any


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
    """A bridge, set up when all else is; its ports are the veths that name it as their master."""

    name: str
    index: int
    mac: str = ""


@dataclass(frozen=True)
class Address:
    """An address on a link of this netns, usable at once. `prefix_route` is the kernel's route to its network.

    Without `source` connections that begin here leave from another address if there is one: an IPv6 one is made
    deprecated (RFC 6724, rule 3).
    """

    link: str
    address: IPv4Interface | IPv6Interface
    prefix_route: bool = True
    source: bool = True


@dataclass(frozen=True)
class Route:
    """A route; without `via` the destination is on the link. `source` is the preferred source address.

    `on_host` gives it the scope `host` instead of `link`, as the CNI plugin ptp does it for pods.
    """

    destination: IPv4Network | IPv6Network
    link: str
    via: str = ""
    source: str = ""
    on_host: bool = False


@dataclass(frozen=True)
class Neighbour:
    """A permanent neighbour entry: it needs no ARP or NDP and does not count in the kernel's shared neighbour table."""

    link: str
    address: str
    mac: str


@dataclass(frozen=True)
class Sysctl:
    """A sysctl below /proc/sys/net that is private to the netns, such as `ipv4/ip_forward`.

    `optional` ones belong to a module that the machine's kernel may not have loaded, or not have at all.
    """

    key: str
    value: str
    optional: bool = False


@dataclass(frozen=True)
class Wiring:
    """Everything of one netns; `up` lists links that are made elsewhere (the peers of veths) and must be set up.

    With `existing` it only adds to a netns that must be there. Several wirings of one netns are built as one; an
    interface is known by its name and by its index, so a wiring names the index of each link that it mentions.
    """

    netns: str
    bridges: tuple[Bridge, ...] = ()
    veths: tuple[Veth, ...] = ()
    up: tuple[tuple[str, int], ...] = ()  # (name, index)
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()
    existing: bool = False

    def index(self, link: str) -> int:
        """The index of a link of this netns. KeyError when the wiring does not say it."""
        made = {veth.name: veth.index for veth in self.veths} | {bridge.name: bridge.index for bridge in self.bridges}
        return (made | dict(self.up))[link]


def in_order(wirings: Iterable[Wiring]) -> tuple[Wiring, ...]:
    """One wiring per netns, each after those whose veths end in it: a peer exists before it is set up.

    ValueError when two netns wait for each other.
    """
    merged: dict[str, Wiring] = {}
    parts: dict[str, list[Wiring]] = {}
    for wiring in wirings:
        parts.setdefault(wiring.netns, []).append(wiring)
    for netns, group in parts.items():
        merged[netns] = group[0] if len(group) == 1 else _merge(group)
    waits: dict[str, set[str]] = {netns: set() for netns in merged}
    for netns, wiring in merged.items():
        for veth in wiring.veths:
            if veth.peer_netns in waits:
                waits[veth.peer_netns].add(netns)
    try:
        return tuple(merged[netns] for netns in TopologicalSorter(waits).static_order())
    except CycleError as error:
        raise ValueError(f"veths in a circle: {' -> '.join(error.args[1])}") from None


def _merge(group: list[Wiring]) -> Wiring:
    def joined(name: str) -> Any:
        return tuple(dict.fromkeys(chain.from_iterable(getattr(wiring, name) for wiring in group)))

    return Wiring(group[0].netns, bridges=joined("bridges"), veths=joined("veths"), up=joined("up"),
                  addresses=joined("addresses"), routes=joined("routes"), neighbours=joined("neighbours"),
                  sysctls=joined("sysctls"), existing=all(wiring.existing for wiring in group))
