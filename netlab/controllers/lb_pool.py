"""Which address a LoadBalancer Service gets."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address

from netlab.model import addresses
from netlab.model.errors import LabError
from netlab.model.lab_spec import Balancing


class NoAddress(LabError):
    """The pool cannot give what is wanted."""


def in_pool(balancing: Balancing, text: str) -> bool:
    """Whether the pool has that address."""
    if not addresses.is_ip(text):
        return False
    address = addresses.parse(text)
    return isinstance(address, IPv4Address) and any(first <= address <= last for first, last in balancing.ranges)


def give(balancing: Balancing, taken: Collection[str], *, wanted: str = "", present: str = "") -> str:
    """An address that nobody has: the one that the Service asks for, else the one it has, else the first free one.

    `taken` are those of other Services. NoAddress says why there is none.
    """
    if wanted:
        if not in_pool(balancing, wanted):
            raise NoAddress(f"requested address {wanted} is not in the pool {describe(balancing)}")
        text = str(addresses.parse(wanted))
        if text in taken:
            raise NoAddress(f"requested address {text} is in use by another service")
        return text
    if present and present not in taken and in_pool(balancing, present):
        return present
    for first, last in balancing.ranges:
        for number in range(int(first), int(last) + 1):
            text = str(IPv4Address(number))
            if text not in taken:
                return text
    raise NoAddress(f"no address left in the pool {describe(balancing)}")


def describe(balancing: Balancing) -> str:
    """The pool's ranges as text."""
    return ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in balancing.ranges)
