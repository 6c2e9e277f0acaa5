"""IPVS's virtual servers as values, and how `ipvsadm --save --numeric` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from netlab.model.family import with_port

_OPTIONS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}


class RealServer(NamedTuple):
    """A backend, reached by translating addresses (`-m`). With weight 0 it gets no new connection."""

    address: str
    port: int
    weight: int = 1


class VirtualServer(NamedTuple):
    """An address and port whose connections the kernel hands out.

    A client keeps its backend for `persistence` seconds after its last connection; 0: it does not. `source_hash` is the
    flag `mh-port` of the scheduler mh.
    """

    address: str
    port: int
    protocol: str
    scheduler: str = "rr"
    persistence: int = 0
    source_hash: bool = False
    reals: tuple[RealServer, ...] = ()

    @property
    def key(self) -> tuple[str, str, int]:
        """What the kernel knows it by."""
        return self.protocol, self.address, self.port


def ipvsadm_save(servers: Iterable[VirtualServer]) -> str:
    """The lines, sorted by address: ipvsadm itself lists them in the kernel's order."""
    lines = []
    for one in sorted(servers, key=lambda server: (ip_address(server.address).packed, server.port, server.protocol)):
        where = f"{_OPTIONS[one.protocol]} {with_port(one.address, one.port)}"
        lines.append(f"-A {where} -s {one.scheduler}" + (" -b mh-port" if one.source_hash else "")
                     + (f" -p {one.persistence}" if one.persistence else ""))
        lines += [f"-a {where} -r {with_port(real.address, real.port)} -m -w {real.weight}" for real in one.reals]
    return "".join(line + "\n" for line in lines)


class Change(NamedTuple):
    """What is to be done with a virtual server, or with a `real` one of it: add, set or delete."""

    verb: str
    server: VirtualServer
    real: RealServer | None = None


Connections = Mapping[tuple[tuple[str, str, int], str, int], int]


def changes(held: Iterable[VirtualServer], wanted: Iterable[VirtualServer], *,
            connections: Connections) -> list[Change]:
    """What makes the held virtual servers the wanted ones.

    A real server that is not wanted any more gets weight 0, and goes when it has no connections left (which
    `connections` tells by the virtual server's key, its address and port); of UDP and SCTP it goes at once.
    """
    there, found = {server.key: server for server in held}, []
    named = {server.key: server for server in wanted}
    found += [Change("delete", server) for key, server in there.items() if key not in named]
    for key, server in named.items():
        old = there.get(key)
        if old is None:
            found.append(Change("add", server))
        elif old._replace(reals=()) != server._replace(reals=()):
            found.append(Change("set", server))
        before = {real[:2]: real for real in old.reals} if old else {}
        for real in server.reals:
            known = before.pop(real[:2], None)
            if known != real:
                found.append(Change("set" if known else "add", server, real))
        for real in before.values():
            if server.protocol != "TCP" or not connections.get((key, real.address, real.port)):
                found.append(Change("delete", server, real))
            elif real.weight:
                found.append(Change("set", server, real._replace(weight=0)))
    return found
