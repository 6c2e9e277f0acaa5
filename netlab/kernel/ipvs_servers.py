"""IPVS's virtual servers of a netns, by pyroute2's generic netlink family IPVS (linux/ip_vs.h).

None of this was run on a kernel with ip_vs so far: what it sends is checked by decoding it again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import Any

from netlab.netfilter.virtual_server import Change, Connections, RealServer, VirtualServer

PROTOCOLS = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP, "SCTP": 132}
PERSISTENT, MH_PORT = 0x1, 0x10
OURS = PERSISTENT | MH_PORT  # of the flags; others are the kernel's own
MASQUERADE = 0
WHOLE4 = "255.255.255.255"
WHOLE6 = socket.inet_ntoa(struct.pack("=I", 128))  # IPv6 has its prefix's length in the place of the netmask
_NAMES = {number: name for name, number in PROTOCOLS.items()}


def held() -> tuple[list[VirtualServer], Connections]:
    """The virtual servers of this thread's netns, and how many connections their real servers have."""
    from pyroute2 import IPVS

    servers, connections = [], {}
    with IPVS() as handle:
        for message in list(handle.service("dump")):
            server = read_service(message)
            if server is None:
                continue
            reals = []
            for answer in list(handle.dest("dump", service=service(server))):
                real, count = read_real(answer)
                reals.append(real)
                connections[server.key, real.address, real.port] = count
            servers.append(server._replace(reals=tuple(reals)))
    return servers, connections


def apply(changes: Iterable[Change]) -> None:
    """Does the changes, one after the other."""
    from pyroute2 import IPVS

    verbs = {"add": "add", "set": "set", "delete": "del"}
    with IPVS() as handle:
        for change in changes:
            server = service(change.server)
            if change.real is None:
                handle.service(verbs[change.verb], service=server)
            else:
                handle.dest(verbs[change.verb], service=server, dest=dest(change.real))


def service(server: VirtualServer) -> Any:
    """The virtual server as pyroute2 takes it."""
    from pyroute2 import IPVSService

    six = ":" in server.address
    flags = (PERSISTENT if server.persistence else 0) | (MH_PORT if server.source_hash else 0)
    return IPVSService(addr=server.address, af=socket.AF_INET6 if six else socket.AF_INET, port=server.port,
                       protocol=PROTOCOLS[server.protocol], sched_name=server.scheduler, timeout=server.persistence,
                       flags={"flags": flags, "mask": 0xFFFFFFFF}, netmask=WHOLE6 if six else WHOLE4)


def dest(real: RealServer) -> Any:
    """The real server as pyroute2 takes it."""
    from pyroute2 import IPVSDest

    return IPVSDest(addr=real.address, addr_family=socket.AF_INET6 if ":" in real.address else socket.AF_INET,
                    port=real.port, weight=real.weight, fwd_method=MASQUERADE)


def read_service(message: Any) -> VirtualServer | None:
    """The virtual server of a message, without real ones; None for one by firewall mark, which is not ours."""
    found = message.get_attr("IPVS_CMD_ATTR_SERVICE")
    address = found.get_attr("IPVS_SVC_ATTR_ADDR")
    if address is None:
        return None
    flags = found.get_attr("IPVS_SVC_ATTR_FLAGS")["flags"] & OURS
    return VirtualServer(address, found.get_attr("IPVS_SVC_ATTR_PORT"),
                         _NAMES[found.get_attr("IPVS_SVC_ATTR_PROTOCOL")], found.get_attr("IPVS_SVC_ATTR_SCHED_NAME"),
                         found.get_attr("IPVS_SVC_ATTR_TIMEOUT") if flags & PERSISTENT else 0, bool(flags & MH_PORT))


def read_real(message: Any) -> tuple[RealServer, int]:
    """(the real server of a message, its connections)."""
    found = message.get_attr("IPVS_CMD_ATTR_DEST")
    count = found.get_attr("IPVS_DEST_ATTR_ACTIVE_CONNS") + found.get_attr("IPVS_DEST_ATTR_INACT_CONNS")
    return RealServer(found.get_attr("IPVS_DEST_ATTR_ADDR"), found.get_attr("IPVS_DEST_ATTR_PORT"),
                      found.get_attr("IPVS_DEST_ATTR_WEIGHT")), count
