from pathlib import Path

import pytest

from netlab.model.family import IPV4, IPV6
from netlab.netfilter import render
from netlab.proxy.iptables import Cache
from netlab.proxy.iptables import compile as compile_rules
from netlab.proxy.names import chain_hash
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy.families import six
from tests.proxy.manifests import endpoint, endpoint_slice, port, service
from tests.proxy.worked import THREE, WORKED

GOLDEN = Path(__file__).with_name("golden") / "iptables"
CIDR = "10.244.0.0/16"


def rows(services, slices):
    return Snapshots().take(services, slices)


def ruleset(services, slices, **view):
    view = {"name": "n1", "addresses": ("172.18.0.2",), "cluster_cidr": CIDR} | view
    return compile_rules(rows(services, slices), NodeView(**view))


def chain(rules, name, table="nat"):
    lines = render(rules).partition(f"*{table}\n")[2].partition("COMMIT")[0].splitlines()
    return [line.removeprefix(f"-A {name} ") for line in lines if line.startswith(f"-A {name} ")]


@pytest.mark.parametrize("name", WORKED)
def test_rules_are_those_of_the_worked_example(name):
    text = render(ruleset(*WORKED[name], name="n3" if name.endswith("-n3") else "n1"))
    assert text == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", ["clusterip-3", "nodeport-0", "nodeport-2", "source-ranges", "affinity"])
def test_ipv6_rules_are_those_of_the_worked_example_in_ipv6(name):
    services, slices = six(WORKED[name])
    view = NodeView("n1", ("fd00:172:18::2",), "", "fd00:10:244::/48", family=IPV6)
    text = render(compile_rules(Snapshots(IPV6).take(services, slices), view))
    assert text == (GOLDEN / f"ipv6-{name}.txt").read_text()
    assert render(ruleset(services, slices)) == (GOLDEN / "nothing.txt").read_text()  # no rule of IPv4


def test_a_dual_stack_service_has_the_same_chain_in_both_families_and_endpoints_of_each():
    manifest = service("web", "10.96.45.10", clusterIPs=["10.96.45.10", "fd00::a"])
    slices = [endpoint_slice("web", THREE[0]),
              endpoint_slice("web", endpoint("fd00::2", node="n1"), suffix="x2", kind=IPV6)]
    found = {family: compile_rules(Snapshots(family).take([manifest], slices), NodeView("n1", family=family))
             for family in (IPV4, IPV6)}
    for family, address, target in ((IPV4, "10.96.45.10/32", "10.244.1.10:8080"),
                                    (IPV6, "fd00::a/128", "[fd00::2]:8080")):
        assert chain(found[family], "KUBE-SERVICES")[0].startswith(f"-d {address} -p tcp")
        (jump,) = chain(found[family], "KUBE-SVC-LOLE4ISW44XBNF3G")
        sep = chain_hash("default/webtcp" + target)
        assert jump == f'-m comment --comment "default/web -> {target}" -j KUBE-SEP-{sep}'


@pytest.mark.parametrize(("text", "expected"), [
    ("default/kubernetes:https" "tcp", "NPX46M4PTMTKRN6Y"),
    ("kube-system/kube-dns:dns" "udp", "TCOU7JCQXEZGVUNU"),
    ("kube-system/kube-dns:dns-tcp" "tcp", "ERIFXISQEP7F7OF4"),
    ("kube-system/kube-dns:metrics" "tcp", "JD5MR3NA4I4DYORP"),
    ("ns1/svc1:p80" "tcp", "XPGD46QRK7WJZT7O"),
    ("ns1/svc1:p80" "tcp" "10.180.0.1:80", "SXIVWICOYRO3J4NJ"),
    ("default/web" "tcp", "LOLE4ISW44XBNF3G"),
])
def test_hashes_are_those_of_every_cluster(text, expected):
    assert chain_hash(text) == expected


@pytest.mark.parametrize("manifest", [
    service("headless", "None"),
    service("elsewhere", "", type="ExternalName", externalName="example.com"),
    service("foreign", "10.96.45.20", labels={"service.kubernetes.io/service-proxy-name": "x"}),
    service("labelled", "10.96.45.20", labels={"service.kubernetes.io/headless": ""}),
    service("six", "fd00::1"),
], ids=lambda manifest: manifest["metadata"]["name"])
def test_some_services_get_no_rules(manifest):
    slices = [endpoint_slice(manifest["metadata"]["name"], *THREE)]
    assert ruleset([manifest], slices) == ruleset([], [])


def test_the_node_port_rule_is_the_last_one():
    rules = ruleset([service("a", "10.96.0.2"), service("zz", "10.96.0.3")],
                    [endpoint_slice("a", *THREE), endpoint_slice("zz", *THREE)])
    assert "this must be the last rule in this chain" in chain(rules, "KUBE-SERVICES")[-1]


def test_ports_and_protocols_are_services_of_their_own():
    manifest = service("dns", "10.96.0.10", port(53, 53, name="dns", protocol="UDP"),
                       port(53, 53, name="dns-tcp"), port(80, 99, name="s", protocol="SCTP"))
    ports = [{"name": n, "port": 53, "protocol": p} for n, p in (("dns", "UDP"), ("dns-tcp", "TCP"), ("s", "SCTP"))]
    rules = ruleset([manifest], [endpoint_slice("dns", THREE[0], ports=ports)])
    assert [line.split(" -m ")[0] for line in chain(rules, "KUBE-SERVICES")[:3]] == [
        "-d 10.96.0.10/32 -p udp", "-d 10.96.0.10/32 -p tcp", "-d 10.96.0.10/32 -p sctp"]


def test_everything_is_masqueraded_if_asked_for_and_nothing_when_pods_cannot_be_told():
    services, slices = WORKED["clusterip-1"]
    everything = chain(ruleset(services, slices, masquerade_all=True), "KUBE-SVC-LOLE4ISW44XBNF3G")
    assert everything[0].startswith("-d 10.96.45.10/32 -p tcp")
    unknown = chain(ruleset(services, slices, cluster_cidr=""), "KUBE-SVC-LOLE4ISW44XBNF3G")
    assert len(unknown) == len(everything) - 1


def test_a_node_in_a_source_range_may_reach_the_address_through_itself():
    services, slices = WORKED["source-ranges"]
    inside = ruleset(services, slices, addresses=("203.0.113.5",))
    assert "-s 192.0.2.11/32" in "\n".join(chain(inside, "KUBE-FW-RYKFV2DGV6FTRYVM"))
    assert "-s 192.0.2.11/32" not in "\n".join(chain(ruleset(services, slices), "KUBE-FW-RYKFV2DGV6FTRYVM"))


def test_a_proxied_load_balancer_address_is_not_answered_by_nodes():
    manifest = service("lb", "10.96.45.14", port(node_port=30084), type="LoadBalancer",
                       ingress=[{"ip": "192.0.2.11", "ipMode": "Proxy"}])
    assert "192.0.2.11" not in render(ruleset([manifest], [endpoint_slice("lb", *THREE)]))


def test_without_localhost_node_ports_127_is_left_out():
    rules = ruleset(*WORKED["nodeport-2"], localhost_node_ports=False)
    assert chain(rules, "KUBE-SERVICES")[-1].startswith("! -d 127.0.0.0/8 -m comment")
    assert chain(rules, "KUBE-FIREWALL", "filter") == []


NODE_PORTS = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
LOCAL = f'-m comment --comment "{NODE_PORTS}" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'


def only(*addresses):
    return [f'-d {address} -m comment --comment "{NODE_PORTS}" -j KUBE-NODEPORTS' for address in addresses]


@pytest.mark.parametrize(("given", "four", "six", "localhost"), [
    ((), [LOCAL], [f"! -d ::1/128 {LOCAL}"], True),
    (("0.0.0.0/0", "fd00:172::/32"), [LOCAL], only("fd00:172:18::2/128"), True),
    (("172.18.0.0/16",), only("172.18.0.2/32"), [f"! -d ::1/128 {LOCAL}"], False),
    (("127.0.0.0/8", "172.18.0.0/16"), only("172.18.0.2/32", "127.0.0.1/32"), [f"! -d ::1/128 {LOCAL}"], True),
    (("fd00::/16", "::1/128"), [LOCAL], only("fd00:172:18::2/128", "fd00:10:244:1::1/128"), True),
    (("10.0.0.0/8",), only("10.244.1.1/32"), [f"! -d ::1/128 {LOCAL}"], False),
    (("primary",), only("172.18.0.2/32"), only("fd00:172:18::2/128"), False),
    (("198.51.100.0/24",), [], [f"! -d ::1/128 {LOCAL}"], False),
    (("64.0.0.0/2",), only("127.0.0.1/32"), [f"! -d ::1/128 {LOCAL}"], True),
])
def test_node_ports_are_at_the_addresses_that_are_said_for_each_family_apart(given, four, six, localhost):
    rules = ruleset([], [], node_port_addresses=given, gateways=("10.244.1.1",))
    assert chain(rules, "KUBE-SERVICES") == four
    assert bool(chain(rules, "KUBE-FIREWALL", "filter")) == localhost
    rules = ruleset([], [], node_port_addresses=given, addresses=("fd00:172:18::2",), gateways=("fd00:10:244:1::1",),
                    family=IPV6)
    assert chain(rules, "KUBE-SERVICES") == six
    assert chain(rules, "KUBE-FIREWALL", "filter") == []


def test_without_localhost_node_ports_127_is_no_address_with_node_ports():
    given = ("127.0.0.0/8", "172.18.0.0/16")
    rules = ruleset([], [], node_port_addresses=given, localhost_node_ports=False)
    assert chain(rules, "KUBE-SERVICES") == only("172.18.0.2/32")


def test_invalid_packets_are_dropped_unless_tracking_is_liberal():
    strict, liberal = (chain(ruleset([], [], drop_invalid=drop), "KUBE-FORWARD", "filter") for drop in (True, False))
    assert strict == ["-m conntrack --ctstate INVALID -j DROP", *liberal]
    assert len(liberal) == 2


def test_above_a_thousand_endpoints_their_rules_have_no_comments():
    many = [endpoint(f"10.244.{n >> 8}.{n & 255}") for n in range(1001)]
    rules = ruleset([service("web", "10.96.45.10")], [endpoint_slice("web", *many)])
    lines = chain(rules, "KUBE-SVC-LOLE4ISW44XBNF3G")
    assert len(lines) == 1002
    assert not any("--comment" in line for line in lines[1:])


def test_unchanged_ports_are_taken_from_the_cache_and_changed_ones_are_not():
    snapshots, cache = Snapshots(), Cache()
    services = [service("a", "10.96.0.2"), service("b", "10.96.0.3", internalTrafficPolicy="Local")]
    slices = [endpoint_slice("a", *THREE), endpoint_slice("b", *THREE)]
    views = [NodeView(name, (), "", CIDR) for name in ("n1", "n2")]
    for change in (slices, [endpoint_slice("a", THREE[0]), slices[1]], [], slices):
        for view in views:
            cached = compile_rules(snapshots.take(services, change), view, cache=cache)
            assert cached == compile_rules(rows(services, change), view)
    first = snapshots.take(services, slices)
    assert all(a is b for a, b in zip(first, snapshots.take(services, slices), strict=True))


def test_rows_follow_each_change_and_stay_the_same_without_one():
    services = [service("a", "10.96.0.2"), service("b", "10.96.0.3")]
    steps = [
        (services, []),
        (services, [endpoint_slice("a", *THREE)]),
        (services, [endpoint_slice("b", *THREE)]),  # the slice goes from one Service to the other
        (services[1:], [endpoint_slice("b", *THREE)]),
        ([*services, service("c", "10.96.0.4")], [endpoint_slice("b", THREE[0]), endpoint_slice("c", THREE[1])]),
        ([services[0], service("b", "10.96.0.3", port(81))], [endpoint_slice("b", THREE[0])]),
        ([], []),
    ]
    for first in steps:
        for second in steps:
            snapshots = Snapshots()
            snapshots.take(*first)
            found = snapshots.take(*second)
            assert found == rows(*second)
            assert snapshots.take(*second) is found
            annotated = [manifest | {"metadata": manifest["metadata"] | {"annotations": {"a": "b"}}}
                         for manifest in second[0]]
            assert snapshots.take(annotated, second[1]) is found


def test_nodes_that_need_the_same_rules_get_the_same_table():
    cache, found = Cache(), rows([service("a", "10.96.0.2")], [endpoint_slice("a", *THREE)])
    first, second = (compile_rules(found, NodeView(name, (), "", CIDR), cache=cache) for name in ("n1", "n2"))
    assert first.table("nat") is second.table("nat")
    assert compile_rules(found, NodeView("n3", (), "", "10.0.0.0/8"), cache=cache) != first


def test_a_bad_manifest_leaves_the_others_alone():
    snapshots = Snapshots()
    bad = service("bad", "10.96.0.2", {"port": 70000})
    found = snapshots.take([bad, service("good", "10.96.0.3")], [])
    assert [row.portal.name for row in found] == ["default/good"]
    assert snapshots.refused == ('Service "bad" is invalid: spec.ports[0].port: Invalid value: 70000: '
                                 "must be between 1 and 65535, inclusive",)
