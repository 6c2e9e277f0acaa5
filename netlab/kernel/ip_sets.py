"""ipsets of a netns, by pyroute2: made, filled and emptied entry by entry, so that what does not change stays."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from netlab.model.family import IPV4, IPV6
from netlab.netfilter.ip_set import BITMAP_PORT, HASH_IP, HASH_SIZE, MAX_ELEMENTS, PORTS, Entry, IpSet

FAMILIES = {IPV4: socket.AF_INET, IPV6: socket.AF_INET6}
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": 132}
_NAMES = {number: name for name, number in PROTOCOLS.items()}


def held() -> dict[str, IpSet]:
    """The sets of this thread's netns by name; those of types that an IpSet cannot say have no entries."""
    from pyroute2 import IPSet

    found: dict[str, IpSet] = {}
    with IPSet() as handle:
        for message in handle.list():  # a large set comes in several messages
            name = message.get_attr("IPSET_ATTR_SETNAME")
            family = IPV6 if message.get_attr("IPSET_ATTR_FAMILY") == socket.AF_INET6 else IPV4
            entries = frozenset(_entries(message))
            if name in found:
                entries |= found[name].entries
            found[name] = IpSet(name, message.get_attr("IPSET_ATTR_TYPENAME"), family, entries)
    return found


def matches(sets: Iterable[IpSet]) -> bool:
    """Whether the sets are all there, with just these entries."""
    there = held()
    return all(_same(there.get(one.name), one) for one in sets)


def keep(sets: Iterable[IpSet]) -> None:
    """Makes the sets what they should be; others are left alone. LabError when the kernel refuses."""
    from pyroute2 import IPSet

    there = held()
    with IPSet() as handle:
        for one in sets:
            old = there.get(one.name)
            if old is None:
                _create(handle, one)
            family, kind = FAMILIES[one.family], one.type.partition(":")[2]
            before = old.entries if old else frozenset()
            for entry in before - one.entries:
                handle.delete(one.name, _packed(one, entry), family=family, etype=kind, exclusive=False)
            for entry in one.entries - before:
                handle.add(one.name, _packed(one, entry), family=family, etype=kind, exclusive=False)


def remove(sets: Iterable[IpSet]) -> None:
    """Destroys the sets; they may be gone already. No rule may refer to them any more."""
    from pyroute2 import IPSet

    there = held()
    with IPSet() as handle:
        for one in sets:
            if one.name in there:
                handle.destroy(one.name)


def _same(there: IpSet | None, wanted: IpSet) -> bool:
    # A bitmap of ports has no family.
    return there is not None and there.type == wanted.type and there.entries == wanted.entries \
        and (wanted.type == BITMAP_PORT or there.family == wanted.family)


def _create(handle: Any, one: IpSet) -> None:
    if one.type == BITMAP_PORT:
        handle.create(one.name, stype=one.type, bitmap_ports_range=PORTS)
    else:
        handle.create(one.name, stype=one.type, family=FAMILIES[one.family], hashsize=HASH_SIZE, maxelem=MAX_ELEMENTS)


def _packed(one: IpSet, entry: Entry) -> Any:
    from pyroute2.ipset import PortEntry

    if one.type == BITMAP_PORT:
        return entry.port
    if one.type == HASH_IP:
        return entry.address
    port = PortEntry(entry.port, protocol=PROTOCOLS[entry.protocol])
    return (entry.address, port, entry.other) if entry.other else (entry.address, port)


def _entries(message: Any) -> Iterable[Entry]:
    nested = message.get_attr("IPSET_ATTR_ADT")
    for element in nested.get_attrs("IPSET_ATTR_DATA") if nested else ():
        other, length = _address(element, "IPSET_ATTR_IP2"), element.get_attr("IPSET_ATTR_CIDR2")
        yield Entry(_address(element, "IPSET_ATTR_IP_FROM"), _NAMES.get(element.get_attr("IPSET_ATTR_PROTO"), ""),
                    element.get_attr("IPSET_ATTR_PORT_FROM") or 0, f"{other}/{length}" if length is not None else other)


def _address(element: Any, name: str) -> str:
    nested = element.get_attr(name)
    return (nested.get_attr("IPSET_ATTR_IPADDR_IPV4") or nested.get_attr("IPSET_ATTR_IPADDR_IPV6")) if nested else ""
