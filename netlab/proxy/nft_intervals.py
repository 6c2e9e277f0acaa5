"""Ranges of addresses as nft lists them."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, collapse_addresses, ip_address, ip_network
from typing import Any


def disjoint(cidrs: Sequence[str]) -> tuple[str, ...]:
    """The same addresses as nft lists them: sorted, none twice, neighbours joined (the kernel refuses overlaps)."""
    networks: Any = [ip_network(cidr, strict=False) for cidr in cidrs]
    joined: list[tuple[int, int]] = []
    for network in collapse_addresses(networks):
        first, last = int(network[0]), int(network[-1])
        if joined and joined[-1][1] + 1 == first:
            first = joined.pop()[0]
        joined.append((first, last))
    version: Any = IPv4Address if networks[0].version == 4 else ip_address("::").__class__
    return tuple(_range(version(first), version(last)) for first, last in joined)


def _range(first: Any, last: Any) -> str:
    size = int(last) - int(first) + 1
    if size == 1:
        return str(first)
    if size & size - 1 == 0 and int(first) % size == 0:
        return f"{first}/{first.max_prefixlen - size.bit_length() + 1}"
    return f"{first}-{last}"
