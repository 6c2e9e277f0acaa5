"""Which load balancers a lab file may ask for, and labels of nodes."""

import json

import pytest

from netlab.model.lab_settings import SpecError, parse


def pool(**settings):
    value = parse({"loadBalancer": settings}, name="lab").load_balancer
    return [f"{first}-{last}" for first, last in value.ranges], value.ip_mode


def mistakes(spec):
    with pytest.raises(SpecError) as caught:
        parse(spec, name="lab")
    return [str(error) for error in caught.value.errors]


def test_a_lab_has_none_unless_its_file_says_so():
    assert parse({}, name="lab").load_balancer is None
    assert parse({}, name="lab").outside == ("client",)
    assert parse({"loadBalancer": {}}, name="lab").outside == ("client", "load-balancer")


def test_without_addresses_it_has_the_last_ones_of_the_nodes_network():
    assert pool() == (["172.18.255.205-172.18.255.254"], "VIP")


def test_in_a_small_network_the_hosts_addresses_are_left_out():
    value = parse({"nodeCIDR": "192.168.7.0/28", "loadBalancer": {}}, name="lab")
    assert str(value.load_balancer_ips[0]) == "192.168.7.6"
    assert [tuple(map(str, pair)) for pair in value.load_balancer.ranges] == [("192.168.7.7", "192.168.7.14")]


@pytest.mark.parametrize(("written", "read"), [
    ("172.18.255.200-172.18.255.250", "172.18.255.200-172.18.255.250"),
    ("172.18.9.9", "172.18.9.9-172.18.9.9"),
    ("172.18.9.0/30", "172.18.9.0-172.18.9.3"),
])
def test_addresses_are_ranges_single_ones_and_cidrs(written, read):
    assert pool(addresses=[written], ipMode="Proxy") == ([read], "Proxy")


@pytest.mark.parametrize(("families", "pools"), [
    (["IPv6"], ["fc00:f853:ccd:e793:ffff:ffff:ffff:ffcd-fc00:f853:ccd:e793:ffff:ffff:ffff:fffe"]),
    (["IPv4", "IPv6"], ["172.18.255.205-172.18.255.254",
                        "fc00:f853:ccd:e793:ffff:ffff:ffff:ffcd-fc00:f853:ccd:e793:ffff:ffff:ffff:fffe"]),
])
def test_without_addresses_it_has_the_last_ones_of_each_family(families, pools):
    value = parse({"ipFamilies": families, "loadBalancer": {}}, name="lab").load_balancer
    assert [f"{first}-{last}" for first, last in value.ranges] == pools
    assert value.families == tuple(families)


def test_addresses_of_both_families_may_be_mixed():
    given = {"ipFamilies": ["IPv6", "IPv4"], "nodeCIDR": "fd00:18::/64,172.18.0.0/16", "loadBalancer": {
        "addresses": ["fd00:18::a0-fd00:18::af", "172.18.9.0/30", "fd00:18::b:0/112", "fd00:18::c"]}}
    value = parse(given, name="lab")
    assert value.load_balancer.to_manifest()["addresses"] == [
        "fd00:18::a0-fd00:18::af", "172.18.9.0-172.18.9.3", "fd00:18::b:0-fd00:18::b:ffff", "fd00:18::c-fd00:18::c"]
    assert parse(json.loads(json.dumps(value.to_manifest())), name="lab") == value


@pytest.mark.parametrize(("families", "addresses", "message"), [
    (["IPv4"], ["fd00:18::a0"], '"fd00:18::a0": is IPv6, and ipFamilies has IPv4 only'),
    (["IPv6"], ["172.18.9.9"], '"172.18.9.9": is IPv4, and ipFamilies has IPv6 only'),
    (["IPv6"], ["fd00:99::1"], '"fd00:99::1": must lie in nodeCIDR fd00:18::/64, where clients find it'),
    (["IPv6"], ["fd00:18::2"], '"fd00:18::2": fd00:18::2 is taken by the network itself, a node, the client or the '
                               "load balancer"),
    (["IPv6"], ["fd00:18::-172.18.9.9"], '"fd00:18::-172.18.9.9": must be an address, a range such as '
                                         "172.18.255.200-172.18.255.250, or a CIDR"),
])
def test_a_pool_has_the_labs_families_only(families, addresses, message):
    spec = {"ipFamilies": families, "loadBalancer": {"addresses": addresses}}
    if "IPv6" in families:
        spec["nodeCIDR"] = "fd00:18::/64"
    assert mistakes(spec) == [f"spec.loadBalancer.addresses[0]: Invalid value: {message}"]


@pytest.mark.parametrize(("settings", "message"), [
    (True, "spec.loadBalancer: Invalid value: true: must be an object, such as "
           "{addresses: [172.18.255.200-172.18.255.250]}"),
    ({"pool": []}, 'spec.loadBalancer.pool: unknown field "pool"; there are addresses, ipMode'),
    ({"ipMode": "vip"}, 'spec.loadBalancer.ipMode: Unsupported value: "vip": supported values: "Proxy", "VIP"'),
    ({"addresses": ["10.0.0.1"]}, 'spec.loadBalancer.addresses[0]: Invalid value: "10.0.0.1": must lie in nodeCIDR '
                                  "172.18.0.0/16, where clients find it"),
    ({"addresses": ["172.18.0.4-172.18.0.9"]}, 'spec.loadBalancer.addresses[0]: Invalid value: '
     '"172.18.0.4-172.18.0.9": 172.18.0.4 is taken by the network itself, a node, the client or the load balancer'),
    ({"addresses": ["172.18.9.9", "172.18.9.0/24"]}, "spec.loadBalancer.addresses[1]: Duplicate value: "
                                                     '"172.18.9.0/24"'),
    ({"addresses": ["172.18.9.9-172.18.9.1"]}, 'spec.loadBalancer.addresses[0]: Invalid value: '
     '"172.18.9.9-172.18.9.1": must be an address, a range such as 172.18.255.200-172.18.255.250, or a CIDR'),
    ({"addresses": []}, "spec.loadBalancer.addresses: Invalid value: []: must be a list of addresses, ranges and "
                        "CIDRs"),
])
def test_mistakes_are_told_with_their_place(settings, message):
    assert mistakes({"loadBalancer": settings}) == [message]


def test_a_node_is_not_called_as_the_load_balancer():
    assert mistakes({"nodes": ["load-balancer"]})[0].startswith('spec.nodes[0]: Invalid value: "load-balancer"')


def test_nodes_may_have_labels():
    value = parse({"nodes": ["one", {"name": "two", "labels": {"topology.kubernetes.io/zone": "b"}}]}, name="lab")
    assert value.nodes == ("one", "two")
    assert value.node_labels == {"two": {"topology.kubernetes.io/zone": "b"}}


def test_wrong_labels_of_nodes_are_told():
    found = mistakes({"nodes": [{"name": "one", "labels": {"a b": "x", "zone": "a/b"}, "role": "worker"}]})
    assert [line.partition(":")[0] for line in found] == ["spec.nodes[0].role", "spec.nodes[0].labels",
                                                          "spec.nodes[0].labels"]


def test_the_settings_survive_being_written_down():
    given = {"nodes": ["a", {"name": "b", "labels": {"zone": "z"}}], "loadBalancer": {"ipMode": "Proxy"}}
    value = parse(given, name="lab")
    again = parse(json.loads(json.dumps(value.to_manifest())), name="lab")
    assert (again, again.node_labels) == (value, value.node_labels)
