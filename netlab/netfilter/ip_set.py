"""An ipset as a value, and how `ipset save` prints it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from netlab.model.family import IPV4

BITMAP_PORT, HASH_IP, HASH_IP_PORT = "bitmap:port", "hash:ip", "hash:ip,port"
HASH_IP_PORT_IP, HASH_IP_PORT_NET = "hash:ip,port,ip", "hash:ip,port,net"
HASH_SIZE, MAX_ELEMENTS, PORTS = 1024, 65536, (0, 65535)


class Entry(NamedTuple):
    """One element; which fields it has follows from the set's type. `other` is the second address, or the CIDR."""

    address: str = ""
    protocol: str = ""
    port: int = 0
    other: str = ""

    @property
    def text(self) -> str:
        """`10.96.0.1,tcp:443,10.244.0.2`, as ipset writes it."""
        port = f"{self.protocol}:{self.port}" if self.protocol else str(self.port) if self.port else ""
        return ",".join(part for part in (self.address, port, self.other) if part)


@dataclass(frozen=True)
class IpSet:
    """One set of a netns; the entries' order does not matter."""

    name: str
    type: str
    family: str = IPV4
    entries: frozenset[Entry] = frozenset()

    def has(self, values: tuple[str, ...], protocol: str, port: int) -> bool:
        """Whether an element has these addresses, in the order of the set's type, and that port."""
        if self.type == BITMAP_PORT:
            return Entry(port=port) in self.entries
        if self.type == HASH_IP:
            return Entry(values[0]) in self.entries
        if self.type == HASH_IP_PORT_NET:
            return any(one[:3] == (values[0], protocol, port) and ip_address(values[1]) in ip_network(one.other)
                       for one in self.entries)
        return Entry(values[0], protocol, port, *values[1:]) in self.entries


def save(sets: Iterable[IpSet]) -> str:
    """What `ipset save` prints, sorted, without `bucketsize` and `initval`: the kernel chooses those."""
    return "".join(_save(one) for one in sets)


def _save(one: IpSet) -> str:
    family = "inet" if one.family == IPV4 else "inet6"
    how = "range {}-{}".format(*PORTS) if one.type == BITMAP_PORT \
        else f"family {family} hashsize {HASH_SIZE} maxelem {MAX_ELEMENTS}"
    adds = sorted(one.entries, key=lambda entry: (entry.address and ip_address(entry.address).packed, entry))
    return f"create {one.name} {one.type} {how}\n" + "".join(f"add {one.name} {entry.text}\n" for entry in adds)
