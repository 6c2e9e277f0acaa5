"""Pod addresses from the node's range, in the manner of the host-local plugin (CNI)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from netlab.model import meta
from netlab.model.errors import LabError
from netlab.model.ranges import Address, Network


def of_pod(pod: Mapping[str, Any], network: Network) -> Address | None:
    """The pod's address in that range."""
    status = meta.status(pod)
    texts = [entry.get("ip") for entry in status.get("podIPs") or ()] or [status.get("podIP")]
    found = [ip_address(text) for text in texts if text]
    return next((address for address in found if address in network), None)


def in_use(pods: Iterable[Mapping[str, Any]], network: Network) -> dict[Address, str]:
    """The addresses of the range that live pods have, with the pod's uid."""
    found = {}
    for pod in pods:
        if meta.status(pod).get("phase") in ("Succeeded", "Failed"):
            continue
        address = of_pod(pod, network)
        if address is not None:
            found[address] = meta.uid(pod)
    return found


def last_given(pods: Iterable[Mapping[str, Any]], network: Network) -> Address | None:
    """The address of the pod that started last, from which allocation goes on after a restart."""
    inside = [(str(meta.status(pod).get("startTime") or ""), int(address)) for pod in pods
              if (address := of_pod(pod, network)) is not None]
    return network[max(inside)[1] - int(network.network_address)] if inside else None


def allocate(network: Network, used: Iterable[Address], last: Address | None) -> Address:
    """The next free address after `last`, wrapping; the first host address is the gateway's. LabError when full."""
    taken = set(used)
    first, final = 2, network.num_addresses - 2
    size = final - first + 1
    start = int(last) + 1 - int(network.network_address) - first if last is not None and last in network else 0
    for step in range(max(size, 0)):
        address = network[first + (start + step) % size]
        if address not in taken:
            return address
    raise LabError(f"no IP addresses available in range set: {network[1]}-{network[-2]}",
                   hint="a wider podCIDR, or fewer pods per node")
