from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest

from netlab.model.lab_settings import parse
from netlab.topology.names import is_of_lab, pod_netns
from netlab.topology.plan import node_mac, plan_lab, plan_pod, pod_link, pod_mac
from netlab.topology.wiring import Veth, Wiring, in_order

SPEC = parse({}, name="lab")
LAB = {wiring.netns: wiring for wiring in plan_lab(SPEC)}


def routes(wiring):
    """As `ip route` prints them, without the kernel's own."""
    lines = []
    for route in wiring.routes:
        text = "default" if route.destination.prefixlen == 0 else str(route.destination).removesuffix("/32")
        text += (f" via {route.via}" if route.via else "") + f" dev {route.link}"
        text += " scope host" if route.on_host else "" if route.via else " scope link"
        lines.append(text + (f" src {route.source}" if route.source else ""))
    return lines


def addresses(wiring):
    return [(address.link, str(address.address)) for address in wiring.addresses]


def neighbours(wiring):
    return {neighbour.address: neighbour.mac for neighbour in wiring.neighbours}


def sysctl(wiring, key):
    return {sysctl.key: sysctl.value for sysctl in wiring.sysctls}.get(key)


def test_a_lab_is_a_fabric_its_nodes_and_a_client():
    assert list(LAB) == ["lab.fabric", "lab.control-plane", "lab.worker", "lab.worker2", "lab.client"]


@pytest.mark.parametrize(("netns", "address", "expected"), [
    ("lab.fabric", ("br0", "172.18.0.1/16"), []),
    ("lab.control-plane", ("eth0", "172.18.0.2/16"), [
        "default via 172.18.0.1 dev eth0",
        "10.244.1.0/24 via 172.18.0.3 dev eth0",
        "10.244.2.0/24 via 172.18.0.4 dev eth0"]),
    ("lab.worker", ("eth0", "172.18.0.3/16"), [
        "default via 172.18.0.1 dev eth0",
        "10.244.0.0/24 via 172.18.0.2 dev eth0",
        "10.244.2.0/24 via 172.18.0.4 dev eth0"]),
    ("lab.client", ("eth0", "172.18.0.5/16"), []),
])
def test_addresses_and_routes_are_those_of_a_kind_cluster(netns, address, expected):
    assert addresses(LAB[netns]) == [address]
    assert routes(LAB[netns]) == expected


def test_only_nodes_forward():
    assert [sysctl(wiring, "ipv4/ip_forward") for wiring in LAB.values()] == ["0", "1", "1", "1", "0"]
    assert sysctl(LAB["lab.worker"], "ipv4/conf/all/route_localnet") == "1"
    assert sysctl(LAB["lab.client"], "ipv4/conf/all/route_localnet") is None


@pytest.mark.parametrize(("settings", "expected"), [
    ({"nodePortAddresses": ["172.18.0.0/16"]}, "0"),
    ({"nodePortAddresses": ["172.18.0.0/16", "127.0.0.0/8"]}, "1"),
    ({"nodePortAddresses": ["fd00::/8"]}, "1"),
    ({"iptables": {"localhostNodePorts": False}}, "0"),
])
def test_loopback_addresses_are_routed_only_where_they_have_node_ports(settings, expected):
    wirings = plan_lab(parse({"kubeProxy": settings}, name="lab"))
    assert {sysctl(wiring, "ipv4/conf/all/route_localnet") for wiring in wirings
            if wiring.netns.startswith("lab.worker")} == {expected}


def test_everybody_on_the_fabric_knows_all_others_without_arp():
    everyone = {f"172.18.0.{n}": f"02:42:ac:12:00:0{n}" for n in range(1, 6)}
    own = {"lab.fabric": 1, "lab.control-plane": 2, "lab.worker": 3, "lab.worker2": 4, "lab.client": 5}
    for netns, number in own.items():
        expected = {address: mac for address, mac in everyone.items() if address != f"172.18.0.{number}"}
        if netns == "lab.client":
            expected.pop("172.18.0.5", None)
        assert neighbours(LAB[netns]) == expected


def test_the_neighbour_entries_name_the_macs_that_the_veths_get():
    macs = {veth.peer_netns: veth.peer_mac for veth in LAB["lab.fabric"].veths}
    assert macs["lab.worker"] == node_mac(IPv4Address("172.18.0.3"))
    assert len({veth.mac for veth in LAB["lab.fabric"].veths} | set(macs.values())) == 8


def test_a_pod_has_the_routes_of_the_cni_plugin_ptp():
    pod, node = plan_pod(SPEC, node="worker", netns="lab.default.web", addresses=[IPv4Address("10.244.1.5")])
    assert addresses(pod) == [("eth0", "10.244.1.5/24")]
    assert routes(pod) == [
        "10.244.1.1 dev eth0 scope link src 10.244.1.5",
        "10.244.1.0/24 via 10.244.1.1 dev eth0 src 10.244.1.5",
        "default via 10.244.1.1 dev eth0"]
    assert (node.netns, node.existing) == ("lab.worker", True)
    assert addresses(node) == [("veth0af40105", "10.244.1.1/32")]
    assert routes(node) == ["10.244.1.5 dev veth0af40105 scope host"]
    veth = node.veths[0]
    assert neighbours(pod) == {"10.244.1.1": veth.mac} == {"10.244.1.1": "0a:58:0a:f4:01:01"}
    assert neighbours(node) == {"10.244.1.5": veth.peer_mac} == {"10.244.1.5": "0a:58:0a:f4:01:05"}


def test_links_of_all_pods_of_a_node_differ_and_fit_the_kernel():
    links = [pod_link(SPEC, node="worker2", address=address) for address in IPv4Network("10.244.2.0/24")]
    assert len({name for name, _ in links}) == len({index for _, index in links}) == 256
    assert all(len(name) <= 15 and index > 2 for name, index in links)


def test_a_lab_of_other_ranges_is_planned_in_them():
    spec = parse({"nodes": 2, "nodeCIDR": "192.168.50.0/28", "podCIDR": "10.0.0.0/26", "serviceCIDR": "10.1.0.0/24"},
                 name="lab")
    node = plan_lab(spec)[1]
    assert addresses(node) == [("eth0", "192.168.50.2/28")]
    assert routes(node) == ["default via 192.168.50.1 dev eth0", "10.0.0.32/27 via 192.168.50.3 dev eth0"]


def test_every_link_that_a_wiring_mentions_has_an_index():
    pod, node = plan_pod(SPEC, node="worker", netns="lab.default.web", addresses=[IPv4Address("10.244.1.5")])
    for wiring in (*LAB.values(), pod, node):
        for part in (*wiring.addresses, *wiring.routes, *wiring.neighbours):
            assert wiring.index(part.link) > 1


def test_wirings_are_ordered_by_who_makes_the_veths_and_merged_by_netns():
    pod, node = plan_pod(SPEC, node="worker", netns="lab.default.web", addresses=[IPv4Address("10.244.1.5")])
    ordered = in_order([pod, node, *reversed(LAB.values())])
    names = [wiring.netns for wiring in ordered]
    assert names.index("lab.fabric") < names.index("lab.worker") < names.index("lab.default.web")
    assert len(names) == len(set(names)) == 6
    worker = ordered[names.index("lab.worker")]
    assert not worker.existing
    assert addresses(worker) == [("eth0", "172.18.0.3/16"), ("veth0af40105", "10.244.1.1/32")] or \
        addresses(worker) == [("veth0af40105", "10.244.1.1/32"), ("eth0", "172.18.0.3/16")]


def test_veths_in_a_circle_cannot_be_built():
    with pytest.raises(ValueError, match="veths in a circle"):
        in_order([Wiring("a", veths=(Veth("x", 5, "y", "b", 6),)), Wiring("b", veths=(Veth("z", 7, "w", "a", 8),))])


def test_netns_names_fit_a_file_name_and_stay_different():
    long = "p" * 250
    one, other = pod_netns("lab", "default", long + "-1"), pod_netns("lab", "default", long + "-2")
    assert len(one) == len(other) == 255
    assert one != other
    assert is_of_lab(one, "lab")


def test_a_lab_does_not_own_the_netns_of_one_whose_name_starts_alike():
    assert is_of_lab("a.worker", "a")
    assert not is_of_lab("a-b.worker", "a")


def test_macs_are_those_of_docker_and_of_cni():
    assert node_mac(IPv4Address("172.18.0.2")) == "02:42:ac:12:00:02"
    assert pod_mac(IPv4Address("10.244.1.5")) == "0a:58:0a:f4:01:05"


def test_a_load_balancer_stands_beside_the_client_and_nodes_answer_by_way_of_it():
    spec = parse({"nodes": 2, "loadBalancer": {}}, name="lab")
    lab = {wiring.netns: wiring for wiring in plan_lab(spec)}
    assert list(lab) == ["lab.fabric", "lab.control-plane", "lab.worker", "lab.load-balancer", "lab.client"]
    balancer = lab["lab.load-balancer"]
    assert addresses(balancer) == [("eth0", "172.18.0.5/16")]
    assert routes(balancer) == ["10.244.0.0/24 via 172.18.0.2 dev eth0", "10.244.1.0/24 via 172.18.0.3 dev eth0"]
    assert sysctl(balancer, "ipv4/ip_forward") == "1"
    assert "172.18.0.4 via 172.18.0.5 dev eth0" in routes(lab["lab.worker"])
    assert neighbours(lab["lab.client"])["172.18.0.5"] == node_mac(IPv4Address("172.18.0.5"))
    assert not any("172.18.0.5" in line for line in routes(lab["lab.client"]))


DUAL = parse({"ipFamilies": ["IPv4", "IPv6"], "nodes": 2}, name="lab")


def test_a_dual_stack_pod_has_an_address_and_routes_of_each_family_on_one_link():
    addresses = [ip_address("10.244.1.5"), ip_address("fd00:10:244:1::7")]
    pod, node = plan_pod(DUAL, node="worker", netns="lab.default.web", addresses=addresses)
    assert [str(one.address) for one in pod.addresses] == ["10.244.1.5/24", "fd00:10:244:1::7/64"]
    assert [f"{route.destination} {route.via}".strip() for route in pod.routes] == [
        "10.244.1.1/32", "10.244.1.0/24 10.244.1.1", "0.0.0.0/0 10.244.1.1",
        "fd00:10:244:1::1/128", "fd00:10:244:1::/64 fd00:10:244:1::1", "::/0 fd00:10:244:1::1"]
    assert [veth.name for veth in node.veths] == ["veth0af40105"]
    assert [str(route.destination) for route in node.routes] == ["10.244.1.5/32", "fd00:10:244:1::7/128"]
    assert {neighbour.mac for neighbour in node.neighbours} == {pod_mac(addresses[0])}


def test_a_load_balancer_is_wired_for_each_family():
    spec = parse({"ipFamilies": ["IPv4", "IPv6"], "nodes": 2, "loadBalancer": {}}, name="lab")
    lab = {wiring.netns: wiring for wiring in plan_lab(spec)}
    balancer = lab["lab.load-balancer"]
    assert addresses(balancer) == [("eth0", "172.18.0.5/16"), ("eth0", "fc00:f853:ccd:e793::5/64")]
    assert "fd00:10:244:1::/64 via fc00:f853:ccd:e793::3 dev eth0" in routes(balancer)
    assert sysctl(balancer, "ipv6/conf/all/forwarding") == "1"
    assert "fc00:f853:ccd:e793::4/128 via fc00:f853:ccd:e793::5 dev eth0" in routes(lab["lab.worker"])
    assert neighbours(lab["lab.client"])["fc00:f853:ccd:e793::5"] == node_mac(IPv4Address("172.18.0.5"))


def test_dual_stack_nodes_know_each_others_pods_by_both_families():
    _, _, worker, _ = plan_lab(DUAL)
    assert [f"{route.destination} {route.via}" for route in worker.routes] == [
        "0.0.0.0/0 172.18.0.1", "::/0 fc00:f853:ccd:e793::1", "10.244.0.0/24 172.18.0.2",
        "fd00:10:244::/64 fc00:f853:ccd:e793::2"]


def test_only_labs_with_ipv6_have_it():
    for spec, off in ((SPEC, "1"), (DUAL, "0")):
        for wiring in plan_lab(spec):
            settings = {sysctl.key: sysctl.value for sysctl in wiring.sysctls}
            assert settings["ipv6/conf/all/disable_ipv6"] == settings["ipv6/conf/default/disable_ipv6"] == off


def test_an_ipv6_lab_has_names_that_fit_a_link():
    spec = parse({"ipFamilies": ["IPv6"], "nodes": 2}, name="lab")
    pod, node = plan_pod(spec, node="worker", netns="n", addresses=[ip_address("fd00:10:244:1::5")])
    assert (node.veths[0].name, node.veths[0].index) == ("veth00000005", 105)
    assert pod.neighbours[0].mac == "0a:58:00:00:00:01"
    assert len({veth.name for veth in plan_lab(spec)[0].veths}) == 3
