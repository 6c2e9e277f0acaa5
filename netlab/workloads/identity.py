"""Who a workload is: the pod that it runs in."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from dataclasses import dataclass

from netlab.model.images import tag

_SIOCGIFADDR = 0x8915  # linux/sockios.h


@dataclass(frozen=True)
class Identity:
    """The pod's name, namespace, node and address, and the tag of its image; "" where unknown."""

    pod: str
    namespace: str = ""
    node: str = ""
    pod_ip: str = ""
    tag: str = "latest"


def identity() -> Identity:
    """What the kubelet says of the pod by the environment; the hostname where it says nothing."""
    get = os.environ.get
    return Identity(get("NETLAB_POD") or socket.gethostname(), get("NETLAB_NAMESPACE", ""), get("NETLAB_NODE", ""),
                    get("NETLAB_POD_IP", ""), tag(get("NETLAB_IMAGE", "")))


def environment() -> dict[str, str]:
    """The environment that the image would have: without what only a built-in workload gets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NETLAB_")}


def addresses() -> list[str]:
    """The addresses of all interfaces, as Go's net.Interfaces gives them: the loopback's first."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        for _, name in socket.if_nameindex():
            try:
                row = fcntl.ioctl(made, _SIOCGIFADDR, struct.pack("256s", name.encode()))
                found.append((name, socket.inet_ntoa(row[20:24])))
            except OSError:
                pass  # it has no IPv4 address
            found += [(name, address) for owner, address in _ipv6() if owner == name]
    return [address for _, address in found]


def _ipv6() -> list[tuple[str, str]]:
    try:
        with open("/proc/net/if_inet6") as file:
            rows = [line.split() for line in file]
    except OSError:
        return []
    return [(row[-1], socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0]))) for row in rows]

