"""The `loadBalancer` of a lab file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from netlab.model.errors import FieldError, duplicate, invalid, not_supported, unknown_field
from netlab.model.lab_spec import Balancing

PATH = "spec.loadBalancer"
MODES = ["Proxy", "VIP"]
DEFAULT_COUNT = 50
_KEYS = ("addresses", "ipMode")


def read_balancing(value: Any, node_cidr: IPv4Network, taken: Sequence[IPv4Address]) \
        -> tuple[Balancing | None, list[FieldError]]:
    """(the settings, None without a load balancer; what is wrong with them).

    `taken` are addresses of the nodes' network that hosts have; the pool lies in that network, as clients find it
    there by ARP. Without `addresses` it is the network's last ones.
    """
    if value is None:
        return None, []
    if not isinstance(value, Mapping):
        return None, [invalid(PATH, value, "must be an object, such as {addresses: [172.18.255.200-172.18.255.250]}")]
    errors = [unknown_field(PATH, key, _KEYS) for key in value if key not in _KEYS]
    mode = value.get("ipMode", "VIP")
    if mode not in MODES:
        errors.append(not_supported(f"{PATH}.ipMode", mode, MODES))
    given = value.get("addresses")
    if given is None:
        ranges = [_last(node_cidr, taken)]
    elif isinstance(given, list) and given:
        ranges = []
        for index, text in enumerate(given):
            found = _range(text)
            if found is None:
                errors.append(invalid(f"{PATH}.addresses[{index}]", text, "must be an address, a range such as "
                                      "172.18.255.200-172.18.255.250, or a CIDR"))
            elif problem := _problem(found, node_cidr, taken):
                errors.append(invalid(f"{PATH}.addresses[{index}]", text, problem))
            elif any(found[0] <= last and first <= found[1] for first, last in ranges):
                errors.append(duplicate(f"{PATH}.addresses[{index}]", text))
            else:
                ranges.append(found)
    else:
        return None, [*errors, invalid(f"{PATH}.addresses", given, "must be a list of addresses, ranges and CIDRs")]
    return (None, errors) if errors else (Balancing(tuple(ranges), mode), [])


def _last(node_cidr: IPv4Network, taken: Sequence[IPv4Address]) -> tuple[IPv4Address, IPv4Address]:
    last = int(node_cidr.broadcast_address) - 1
    first = max(last - DEFAULT_COUNT + 1, int(max(taken, default=node_cidr[1])) + 1)
    return IPv4Address(min(first, last)), IPv4Address(last)


def _range(text: Any) -> tuple[IPv4Address, IPv4Address] | None:
    if not isinstance(text, str):
        return None
    try:
        if "/" in text:
            network = IPv4Network(text)
            return network[0], network[-1]
        first, _, last = text.partition("-")
        found = IPv4Address(first.strip()), IPv4Address((last or first).strip())
    except ValueError:
        return None
    return found if found[0] <= found[1] else None


def _problem(found: tuple[IPv4Address, IPv4Address], node_cidr: IPv4Network, taken: Sequence[IPv4Address]) -> str:
    first, last = found
    if first not in node_cidr or last not in node_cidr:
        return f"must lie in nodeCIDR {node_cidr}, where clients find it"
    used = [address for address in (node_cidr[0], node_cidr[1], *taken, node_cidr[-1]) if first <= address <= last]
    return f"{used[0]} is taken by the network itself, a node, the client or the load balancer" if used else ""
