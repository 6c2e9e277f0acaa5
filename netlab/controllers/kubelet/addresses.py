"""Pod addresses from the node's range, in the manner of the host-local plugin (CNI)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from netlab.model import meta
from netlab.model.errors import LabError


def in_use(pods: Iterable[Mapping[str, Any]], network: IPv4Network) -> dict[IPv4Address, str]:
    """The addresses of the range that live pods have, with the pod's uid."""
    found = {}
    for pod in pods:
        text = meta.status(pod).get("podIP")
        if not text or meta.status(pod).get("phase") in ("Succeeded", "Failed"):
            continue
        address = IPv4Address(text)
        if address in network:
            found[address] = meta.uid(pod)
    return found


def last_given(pods: Iterable[Mapping[str, Any]], network: IPv4Network) -> IPv4Address | None:
    """The address of the pod that started last, from which allocation goes on after a restart."""
    started = [(str(meta.status(pod).get("startTime") or ""), IPv4Address(meta.status(pod)["podIP"]))
               for pod in pods if meta.status(pod).get("podIP")]
    inside = [entry for entry in started if entry[1] in network]
    return max(inside)[1] if inside else None


def allocate(network: IPv4Network, used: Iterable[IPv4Address], last: IPv4Address | None) -> IPv4Address:
    """The next free address after `last`, wrapping; the first host address is the gateway's. LabError when full."""
    taken = set(used)
    first, final = int(network.network_address) + 2, int(network.broadcast_address) - 1
    size = final - first + 1
    start = int(last) + 1 - first if last is not None and last in network else 0
    for step in range(max(size, 0)):
        address = IPv4Address(first + (start + step) % size)
        if address not in taken:
            return address
    raise LabError(f"no IP addresses available in range set: {network[1]}-{network[-2]}",
                   hint="a wider podCIDR, or fewer pods per node")
