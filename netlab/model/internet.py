"""A lab's outside world as a value: hosts that are no part of the cluster, and the names that they have in DNS."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from netlab.model.family import IPV4, IPV6
from netlab.model.ranges import Address, Network

ROUTER = "internet"
RESOLVER = "internet-dns"
DEFAULT_IMAGE = "netlab/echo"
# Ranges for documentation (RFC 5737, RFC 3849): they are nobody's.
DEFAULT_NETWORKS: dict[str, Network] = {
    IPV4: IPv4Network("198.51.100.0/24"), IPV6: IPv6Network("2001:db8:51:100::/64")}


@dataclass(frozen=True)
class OutsideHost:
    """A host: one address of each family that the lab has, the names that lead to it, and what runs on it.

    `image`, `command`, `args`, `env` and `ports` are what a container of a pod says with them.
    """

    name: str
    addresses: tuple[Address, ...]
    names: tuple[str, ...] = ()
    image: str = DEFAULT_IMAGE
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()

    def to_manifest(self) -> dict[str, Any]:
        """As a lab file has it."""
        return {"name": self.name, "address": ",".join(map(str, self.addresses)), "names": list(self.names),
                "image": self.image, "command": list(self.command), "args": list(self.args), "env": dict(self.env),
                "ports": list(self.ports)}


@dataclass(frozen=True)
class ZoneRecord:
    """A record that no host stands for; `data` has the fields of its type, addresses and names as text."""

    name: str
    type: str
    data: tuple[str | int, ...]
    ttl: int

    def __str__(self) -> str:
        data = " ".join(f'"{field}"' if self.type == "TXT" else str(field) for field in self.data)
        return f"{self.name} {self.ttl} {self.type} {data}"


@dataclass(frozen=True)
class Internet:
    """One network of each family; the router has its first address, the DNS server the second one.

    `routes` are ranges that the router sends to a node, as an upstream router does it for externalIPs.
    """

    networks: tuple[Network, ...]
    hosts: tuple[OutsideHost, ...] = ()
    records: tuple[ZoneRecord, ...] = ()
    routes: tuple[tuple[Network, str], ...] = ()

    @property
    def router_ips(self) -> tuple[Address, ...]:
        """The router's address of each family, on the side of the hosts."""
        return tuple(network[1] for network in self.networks)

    @property
    def resolver_ips(self) -> tuple[Address, ...]:
        """The DNS server's address of each family."""
        return tuple(network[2] for network in self.networks)

    @property
    def host_names(self) -> tuple[str, ...]:
        """The places that programs can be run in, the router and the DNS server first."""
        return (ROUTER, RESOLVER, *(host.name for host in self.hosts))

    def to_manifest(self) -> dict[str, Any]:
        """As a lab file has it."""
        return {"cidr": ",".join(map(str, self.networks)), "hosts": [host.to_manifest() for host in self.hosts],
                "records": [str(record) for record in self.records],
                "routes": [{"to": str(to), "via": via} for to, via in self.routes]}
