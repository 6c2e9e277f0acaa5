from pathlib import Path

import pytest

from netlab.model.family import IPV6
from netlab.netfilter import render
from netlab.netfilter.nft_render import rule_text
from netlab.proxy import nftables
from netlab.proxy.nft_intervals import disjoint
from netlab.proxy.nftables_port import hashed
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy.families import TABLES, six
from tests.proxy.manifests import endpoint, endpoint_slice, port, service
from tests.proxy.worked import THREE, WORKED

GOLDEN = Path(__file__).with_name("golden") / "nftables"


def table(services, slices, **view):
    view = {"name": "n1", "addresses": ("172.18.0.2",), "cluster_cidr": "10.244.0.0/16",
            "service_cidrs": ("10.96.0.0/12",)} | view
    return nftables.compile(Snapshots().take(services, slices), NodeView(**view)).tables[0]


def chain(found, prefix):
    return next([rule_text(rule) for rule in item.rules] for name, item in found.chains.items()
                if name.startswith(prefix))


@pytest.mark.parametrize("name", WORKED)
def test_rules_are_those_of_the_worked_example(name):
    services, slices = WORKED[name]
    view = NodeView("n3" if name.endswith("-n3") else "n1", ("172.18.0.2",), "", "10.244.0.0/16",
                    service_cidrs=("10.96.0.0/12",))
    assert render(nftables.compile(Snapshots().take(services, slices), view)) == (GOLDEN / f"{name}.txt").read_text()


def test_addresses_of_every_range_that_nobody_has_are_dropped():
    found = chain(table([], [], service_cidrs=("10.96.0.0/16", "10.200.0.0/24", "10.96.4.0/22")), "cluster-ips-check")
    assert found[1] == 'ip daddr { 10.96.0.0/16, 10.200.0.0/24 } drop comment "Drop traffic to unallocated ClusterIPs"'


@pytest.mark.parametrize("name", ["clusterip-3", "nodeport-0", "nodeport-2", "source-ranges", "affinity"])
def test_ipv6_tables_are_those_of_the_worked_example_in_ipv6(name):
    services, slices = six(WORKED[name])
    found = nftables.compile(Snapshots(IPV6).take(services, slices), TABLES[IPV6].view("n1"))
    assert render(found) == (GOLDEN / f"ipv6-{name}.txt").read_text()


@pytest.mark.parametrize(("name", "expected"), [
    ("ns1/svc1/tcp/p80", "ULMVA6XW-ns1/svc1/tcp/p80"),
    ("ns1/svc1/tcp/p80__10.180.0.1/80", "5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"),
    ("ns4/svc4/tcp/p80__10.180.0.5/80", "5RFCDDV7-ns4/svc4/tcp/p80__10.180.0.5/80"),
])
def test_names_are_those_of_every_cluster(name, expected):
    assert hashed(name) == expected


def test_a_name_that_the_kernel_would_refuse_loses_its_end_but_not_its_hash():
    port_name = "/".join(("n" * 63, "s" * 63, "sctp", "p" * 63)) + "__"
    fits, one, two = (hashed(f"{port_name}2001.db8..{end}") for end in ("1/443", "9" * 25 + "/1", "9" * 25 + "/2"))
    assert fits.endswith("2001.db8..1/443")
    assert len(one) == len(two) == 240
    assert one[9:] == two[9:] == f"{port_name}2001.db8..{'9' * 20}..."
    assert one[:9] != two[:9]


def test_an_ipv6_endpoint_has_the_name_of_every_cluster():
    manifest = service("svc1", "fd00:172:30::41", port(80, name="p80"))
    slices = [endpoint_slice("svc1", endpoint("fd00:10:180::1"), endpoint("fd00:10:180::2:1"), kind="IPv6",
                             ports=[{"name": "p80", "port": 80, "protocol": "TCP"}])]
    for item in (manifest, *slices):
        item["metadata"]["namespace"] = "ns1"
    found = nftables.compile(Snapshots(IPV6).take([manifest], slices), TABLES[IPV6].view("n1")).tables[0]
    assert [name for name in found.chains if name.startswith("endpoint-")] == [
        "endpoint-ZVRFLKHO-ns1/svc1/tcp/p80__fd00.10.180..1/80",
        "endpoint-2CRNCTTE-ns1/svc1/tcp/p80__fd00.10.180..2.1/80"]


def test_a_service_like_those_of_other_clusters_has_their_rules():
    manifest = service("svc5", "172.30.0.45", port(80, name="p80", node_port=3002), type="LoadBalancer",
                       sessionAffinity="ClientIP", ingress=[{"ip": "5.6.7.8"}],
                       loadBalancerSourceRanges=["203.0.113.0/25"])
    slices = [endpoint_slice("svc5", endpoint("10.180.0.3"), ports=[{"name": "p80", "port": 80, "protocol": "TCP"}])]
    for item in (manifest, *slices):
        item["metadata"]["namespace"] = "ns5"
    found = table([manifest], slices, cluster_cidr="10.0.0.0/8")
    end = "GTK6MW7G-ns5/svc5/tcp/p80__10.180.0.3/80"
    assert chain(found, "service-HVFWP5L3-ns5/svc5/tcp/p80") == [
        "ip daddr 172.30.0.45 tcp dport 80 ip saddr != 10.0.0.0/8 jump mark-for-masquerade",
        f"ip saddr @affinity-{end} goto endpoint-{end}",
        f"numgen random mod 1 vmap {{ 0 : goto endpoint-{end} }}"]
    assert chain(found, f"endpoint-{end}") == [
        "ip saddr 10.180.0.3 jump mark-for-masquerade", f"update @affinity-{end} {{ ip saddr }}",
        "meta l4proto tcp dnat to 10.180.0.3:80"]
    assert chain(found, "external-HVFWP5L3") == ["jump mark-for-masquerade", "goto service-HVFWP5L3-ns5/svc5/tcp/p80"]
    assert chain(found, "firewall-HVFWP5L3") == ["ip saddr != 203.0.113.0/25 drop"]


def test_two_services_with_one_address_do_not_break_the_table():
    both = [service(name, f"10.96.45.{n}", externalIPs=["198.51.100.7"]) for n, name in ((1, "a"), (2, "b"))]
    found = table(both, [endpoint_slice("a", *THREE), endpoint_slice("b", *THREE)])
    element = found.elements["service-ips"]["198.51.100.7", "tcp", "80"]
    assert "default/a" in element.verdict.chain


@pytest.mark.parametrize(("given", "addresses", "rule"), [
    ((), {"172.18.0.2"}, "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports"),
    (("172.18.0.0/16", "127.0.0.0/8"), {"172.18.0.2"},
     "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports"),
    (("192.0.2.0/24",), set(), "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports"),
    (("0.0.0.0/0",), None, "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport "
                           "vmap @service-nodeports"),
])
def test_node_ports_are_for_the_addresses_that_are_said(given, addresses, rule):
    found = table([], [], node_port_addresses=given)
    assert chain(found, "services")[1] == rule
    if addresses is None:
        assert "nodeport-ips" not in found.sets
    else:
        assert {key[0] for key in found.elements["nodeport-ips"]} == addresses


def test_with_node_ports_everywhere_what_arrives_is_not_asked_if_it_is_local():
    found = table([], [], node_port_addresses=("0.0.0.0/0",))
    assert chain(found, "nodeport-endpoints-check") == [
        "ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @no-endpoint-nodeports"]


def test_a_family_that_no_node_port_address_is_of_has_node_ports_everywhere():
    found = table([], [], node_port_addresses=("2001:db8::/64",))
    assert chain(found, "services")[1].startswith("fib daddr type local ip daddr != 127.0.0.0/8 ")


def test_hooks_are_those_of_every_cluster():
    found = table([], [])
    assert {name: (item.hook.name, item.hook.priority) for name, item in found.chains.items() if item.hook} == {
        "filter-prerouting-pre-dnat": ("prerouting", -110), "filter-output-pre-dnat": ("output", -110),
        "filter-input": ("input", 0), "filter-forward": ("forward", 0), "filter-output": ("output", 0),
        "nat-prerouting": ("prerouting", -100), "nat-output": ("output", -100), "nat-postrouting": ("postrouting", 100)}
    assert [rule_text(rule) for rule in found.chains["filter-output"].rules] == [
        "ct state new jump service-endpoints-check", "ct state new jump cluster-ips-check"]


def test_only_the_nodes_first_address_lets_it_to_a_guarded_load_balancer():
    guarded = WORKED["source-ranges"]
    assert chain(table(*guarded, addresses=("172.18.0.2", "203.0.113.7")), "firewall-M6GJO") \
        == ["ip saddr != 203.0.113.0/24 drop"]
    assert chain(table(*guarded, addresses=("203.0.113.7", "172.18.0.2")), "firewall-M6GJO") \
        == ["ip saddr != { 192.0.2.11, 203.0.113.0/24 } drop"]


@pytest.mark.parametrize(("view", "rules"), [
    ({"masquerade_all": True}, ["ip daddr 10.96.45.10 tcp dport 80 jump mark-for-masquerade"]),
    ({"cluster_cidr": ""}, []),
    ({"pod_interface": "veth+"},
     ['ip daddr 10.96.45.10 tcp dport 80 iifname != "veth*" jump mark-for-masquerade']),
    ({"pod_interface": "br0"}, ['ip daddr 10.96.45.10 tcp dport 80 iifname != "br0" jump mark-for-masquerade']),
])
def test_who_is_masqueraded_follows_the_settings(view, rules):
    assert chain(table(*WORKED["clusterip-1"], **view), "service-PFISG")[:-1] == rules


def test_the_mark_is_the_bit_that_is_said():
    found = table([], [], masquerade_bit=15)
    assert chain(found, "masquerading")[0] == "meta mark & 0x00008000 == 0x00000000 return"


@pytest.mark.parametrize(("cidrs", "expected"), [
    (["203.0.113.0/24", "203.0.113.5/32"], ("203.0.113.0/24",)),
    (["10.0.1.0/24", "10.0.2.0/24"], ("10.0.1.0-10.0.2.255",)),
    (["10.0.0.0/24", "10.0.1.0/24"], ("10.0.0.0/23",)),
    (["203.0.113.5/32", "10.0.0.0/8"], ("10.0.0.0/8", "203.0.113.5")),
    (["0.0.0.0/0"], ("0.0.0.0/0",)),
])
def test_source_ranges_are_joined_as_the_kernel_wants_them(cidrs, expected):
    assert disjoint(cidrs) == expected
