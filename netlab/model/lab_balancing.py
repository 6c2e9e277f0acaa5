"""The `loadBalancer` of a lab file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from netlab.model import addresses
from netlab.model.errors import FieldError, duplicate, invalid, not_supported, unknown_field
from netlab.model.lab_spec import Balancing, Pool
from netlab.model.ranges import Address, Network, family_of

PATH = "spec.loadBalancer"
MODES = ["Proxy", "VIP"]
DEFAULT_COUNT = 50
_KEYS = ("addresses", "ipMode")


def read_balancing(value: Any, networks: Mapping[Network, Sequence[Address]]) \
        -> tuple[Balancing | None, list[FieldError]]:
    """(the settings, None without a load balancer; what is wrong with them).

    `networks` are the nodes', one of each family that the lab has, with the addresses that hosts have there. The pool
    lies in them, as clients find it there by ARP and NDP. Without `addresses` it is the last ones of each network.
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
    ranges: list[Pool] = []
    if given is None:
        ranges = [_last(network, taken) for network, taken in networks.items()]
    elif isinstance(given, list) and given:
        for index, text in enumerate(given):
            found = _range(text)
            if found is None:
                errors.append(invalid(f"{PATH}.addresses[{index}]", text, "must be an address, a range such as "
                                      "172.18.255.200-172.18.255.250, or a CIDR"))
            elif problem := _problem(found, networks):
                errors.append(invalid(f"{PATH}.addresses[{index}]", text, problem))
            elif any(_overlap(found, other) for other in ranges):
                errors.append(duplicate(f"{PATH}.addresses[{index}]", text))
            else:
                ranges.append(found)
    else:
        return None, [*errors, invalid(f"{PATH}.addresses", given, "must be a list of addresses, ranges and CIDRs")]
    return (None, errors) if errors else (Balancing(tuple(ranges), mode), [])


def _last(network: Network, taken: Sequence[Address]) -> Pool:
    last = int(network[-1]) - 1
    first = max(last - DEFAULT_COUNT + 1, int(max(map(int, taken), default=int(network[1]))) + 1)
    return _address(network, min(first, last)), _address(network, last)


def _address(network: Network, number: int) -> Address:
    return network[number - int(network[0])]


def _range(text: Any) -> Pool | None:
    if not isinstance(text, str):
        return None
    try:
        if "/" in text:
            network = ip_network(text)
            return network[0], network[-1]
        first, _, last = text.partition("-")
        found = addresses.parse(first.strip()), addresses.parse((last or first).strip())
    except ValueError:
        return None
    return found if found[0].version == found[1].version and int(found[0]) <= int(found[1]) else None


def _problem(found: Pool, networks: Mapping[Network, Sequence[Address]]) -> str:
    family = family_of(found[0])
    network = next((each for each in networks if family_of(each) == family), None)
    if network is None:
        return f"is {family}, and ipFamilies has {' and '.join(map(family_of, networks))} only"
    if found[0] not in network or found[1] not in network:
        return f"must lie in nodeCIDR {network}, where clients find it"
    broadcast = (network[-1],) if network.version == 4 else ()
    used = [address for address in (network[0], network[1], *networks[network], *broadcast)
            if int(found[0]) <= int(address) <= int(found[1])]
    return f"{used[0]} is taken by the network itself, a node, the client or the load balancer" if used else ""


def _overlap(one: Pool, other: Pool) -> bool:
    return one[0].version == other[0].version and int(one[0]) <= int(other[1]) and int(other[0]) <= int(one[1])
