"""The load balancer's rules, by the ways that packets take through them."""

import pytest

from netlab.netfilter import Packet, parse, render, trace
from netlab.proxy.load_balancer import Balanced, Target, compile_balancer

NODES = (Target("172.18.0.3", 30080), Target("172.18.0.4", 30080))
VIP, CLIENT = "172.18.255.200", "172.18.0.5"
WEB = Balanced("default/web", VIP, 80, "TCP", NODES)
VIP6, CLIENT6 = "fd00:18::ffc8", "fd00:18::5"
WEB6 = Balanced("default/web", VIP6, 80, "TCP", (Target("fd00:18::3", 30080), Target("fd00:18::4", 30080)))


def walk(*rows, source=CLIENT, address=VIP, port=80, protocol="tcp", masquerade=False):
    packet = Packet(source, address, port, protocol, "eth0")
    return trace(compile_balancer(rows, masquerade=masquerade), packet, addresses=(VIP, "172.18.0.6"))


@pytest.mark.parametrize("masquerade", [False, True])
def test_a_connection_of_ipv6_goes_to_a_node_at_its_address_of_ipv6(masquerade):
    rules = compile_balancer([WEB, WEB6], masquerade=masquerade, family="IPv6")
    found = trace(rules, Packet(CLIENT6, VIP6, 80, "tcp", "eth0"), addresses=(VIP6,))
    assert found.destinations == pytest.approx({"[fd00:18::3]:30080": 0.5, "[fd00:18::4]:30080": 0.5})
    assert found.masqueraded == masquerade
    assert VIP not in render(rules)
    assert VIP6 not in render(compile_balancer([WEB, WEB6], masquerade=masquerade))


@pytest.mark.parametrize("masquerade", [False, True])
def test_a_connection_goes_to_one_of_the_healthy_nodes(masquerade):
    found = walk(WEB, masquerade=masquerade)
    assert found.destinations == pytest.approx({"172.18.0.3:30080": 0.5, "172.18.0.4:30080": 0.5})
    assert found.masqueraded == masquerade


@pytest.mark.parametrize(("address", "port", "protocol"), [
    (VIP, 81, "tcp"), (VIP, 80, "udp"), ("172.18.255.201", 80, "tcp")])
def test_what_no_service_has_is_not_translated(address, port, protocol):
    assert walk(WEB, address=address, port=port, protocol=protocol).destinations == {f"{address}:{port}": 1.0}


@pytest.mark.parametrize(("source", "verdict", "reached"), [
    ("10.9.1.1", "accept", ["172.18.0.3:30080", "172.18.0.4:30080"]), (CLIENT, "drop", [])])
def test_source_ranges_drop_other_clients(source, verdict, reached):
    found = walk(WEB._replace(source_ranges=("10.9.0.0/16",)), source=source)
    assert found.verdicts == {verdict}
    assert sorted(found.destinations) == reached


def test_without_healthy_nodes_nothing_is_translated():
    text = render(compile_balancer([WEB._replace(targets=())], masquerade=False))
    assert "DNAT" not in text
    assert VIP not in text


def test_only_source_ranges_get_through_and_others_are_dropped():
    text = render(compile_balancer([WEB._replace(source_ranges=("10.9.0.0/16",))], masquerade=False))
    to = '-d 172.18.255.200/32 -p tcp -m comment --comment "default/web" -m tcp --dport 80'
    assert [line for line in text.splitlines() if VIP in line] == [
        f"-A LB-SERVICES -s 10.9.0.0/16 {to} -j LB-SVC-LOLE4ISW44XBNF3G",
        f"-A LB-FIREWALL -s 10.9.0.0/16 {to} -j RETURN",
        f"-A LB-FIREWALL {to} -j DROP"]


def test_client_affinity_keeps_a_client_at_its_node():
    text = render(compile_balancer([WEB._replace(affinity_seconds=60)], masquerade=False))
    assert text.count("--rcheck --seconds 60 --reap") == 2
    assert text.count("--set") == 2


def test_affinity_looks_at_whole_addresses_of_its_family():
    text = render(compile_balancer([WEB6._replace(affinity_seconds=60)], masquerade=False, family="IPv6"))
    assert text.count("--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == 4


@pytest.mark.parametrize(("masquerade", "rules"), [
    (False, []),
    (True, ['-A POSTROUTING -m conntrack --ctstate DNAT -m comment --comment "nodes answer to the load balancer" '
            "-j MASQUERADE"])])
def test_only_a_proxy_puts_its_own_address_in_place_of_the_clients(masquerade, rules):
    text = render(compile_balancer([WEB], masquerade=masquerade))
    assert [line for line in text.splitlines() if line.startswith("-A POSTROUTING")] == rules


def test_the_rules_can_be_read_back():
    rows = [WEB._replace(affinity_seconds=60, source_ranges=("10.0.0.0/8", "0.0.0.0/0")),
            Balanced("default/dns:u", VIP, 53, "UDP", NODES[:1])]
    wanted = compile_balancer(rows, masquerade=True)
    assert render(parse(render(wanted))) == render(wanted)
    six = compile_balancer([WEB6._replace(affinity_seconds=60, source_ranges=("fd00::/8", "::/0"))],
                           masquerade=True, family="IPv6")
    assert render(parse(render(six), family="IPv6")) == render(six)
