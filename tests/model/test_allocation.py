from ipaddress import IPv4Address, IPv4Network

import pytest

from netlab.model.allocation import RangeFull, address_band, free_address, free_port, in_range, port_band

NODE_PORTS = range(30000, 32768)


@pytest.mark.parametrize(("network", "band", "first", "last"), [
    ("10.96.0.0/12", 256, "10.96.1.1", "10.111.255.254"),
    ("10.96.0.0/16", 256, "10.96.1.1", "10.96.255.254"),
    ("10.96.0.0/24", 16, "10.96.0.17", "10.96.0.254"),
    ("10.96.0.0/28", 0, "10.96.0.1", "10.96.0.14"),
])
def test_automatic_addresses_come_from_the_upper_band(network, band, first, last):
    network = IPv4Network(network)
    assert address_band(network) == band
    assert free_address(network, set(), lambda size: 0) == IPv4Address(first)
    assert free_address(network, set(), lambda size: size - 1) == IPv4Address(last)


def test_scanning_wraps_in_its_band_and_takes_the_lower_band_only_when_the_upper_is_full():
    network = IPv4Network("10.0.0.0/24")
    base = int(network.network_address)
    assert free_address(network, {base + 254}, lambda size: size - 1) == network[17]
    upper = {base + n for n in range(17, 255)}
    assert free_address(network, upper, lambda size: 0) == network[1]
    with pytest.raises(RangeFull, match="range is full"):
        free_address(network, {base + n for n in range(1, 255)}, lambda size: 0)


def test_node_ports_leave_the_first_86_to_explicit_requests():
    assert port_band(NODE_PORTS) == 86
    assert free_port(NODE_PORTS, set(), lambda size: 0) == 30086
    assert free_port(NODE_PORTS, set(range(30086, 32768)), lambda size: 0) == 30000


@pytest.mark.parametrize(("address", "usable"), [
    ("10.96.0.0", False), ("10.96.0.1", True), ("10.111.255.254", True), ("10.111.255.255", False),
    ("10.95.0.1", False),
])
def test_network_and_broadcast_addresses_are_not_usable(address, usable):
    assert in_range(IPv4Network("10.96.0.0/12"), IPv4Address(address)) is usable
