"""Which cluster IP or node port is given next. Pure: what is taken and the random source come in.

Both pools have a lower band that automatic choice leaves to explicit requests (KEP-3070, KEP-3668).
"""

from __future__ import annotations

from collections.abc import Callable, Container

from netlab.model.ranges import Address, Network

Choose = Callable[[int], int]
"""A random integer below its argument, as `random.randrange` and `secrets.randbelow` give."""


class RangeFull(Exception):
    """Nothing is left."""

    def __init__(self) -> None:
        super().__init__("range is full")


def static_band(size: int, *, step: int, least: int, most: int) -> int:
    """How many of a range's first members are kept for explicit requests; 0 when the range is that small."""
    return 0 if size <= least else min(max(least, size // step), most)


def address_band(network: Network) -> int:
    """The static band of a service range: min(max(16, size/16), 256)."""
    return static_band(network.num_addresses, step=16, least=16, most=256)


def port_band(ports: range) -> int:
    """The static band of a node port range: min(max(16, size/32), 128)."""
    return static_band(len(ports), step=32, least=16, most=128)


def first_free(low: int, high: int, band: int, taken: Container[int], choose: Choose) -> int:
    """A member of low..high (both included) that is not taken: at a random place of the upper band, scanning
    forward and around; from the lower band only when the upper one is full. RangeFull when nothing is left.
    """
    for start, end in ((low + band, high), (low, low + band - 1)):
        size = end - start + 1
        if size <= 0:
            continue
        offset = choose(size)
        for step in range(size):
            candidate = start + (offset + step) % size
            if candidate not in taken:
                return candidate
    raise RangeFull


def free_address(network: Network, taken: Container[int], choose: Choose) -> Address:
    """A free address of a service range, never its network or broadcast address. `taken` are integers."""
    last = int(network.broadcast_address) - (network.version == 4)  # IPv6 has no broadcast
    chosen = first_free(int(network.network_address) + 1, last, address_band(network), taken, choose)
    return network[chosen - int(network.network_address)]


def in_range(network: Network, address: Address) -> bool:
    """Whether the range can give this address."""
    return address in network and address != network.network_address \
        and (network.version == 6 or address != network.broadcast_address)


def free_port(ports: range, taken: Container[int], choose: Choose) -> int:
    """A free node port."""
    return first_free(ports[0], ports[-1], port_band(ports), taken, choose)
