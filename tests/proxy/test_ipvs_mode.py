from pathlib import Path

import pytest

from netlab.model.family import IPV4, IPV6
from netlab.netfilter import Packet
from netlab.netfilter.ip_set import Entry
from netlab.netfilter.render import render_chain
from netlab.netfilter.virtual_server import RealServer, VirtualServer, changes
from netlab.proxy import ipvs
from netlab.proxy.ipvs_sets import KINDS, name_of, storable
from netlab.proxy.ipvs_trace import trace_ipvs
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy import flows
from tests.proxy.families import TABLES, six
from tests.proxy.manifests import endpoint_slice, port, service
from tests.proxy.worked import THREE, WORKED

GOLDEN = Path(__file__).with_name("golden") / "ipvs"


def dataplane(services, slices=(), **view):
    view = {"name": "n1", "addresses": ("172.18.0.2",), "cluster_cidr": "10.244.0.0/16"} | view
    return ipvs.compile(Snapshots().take(services, slices), NodeView(**view))


def entries(found, name):
    return {entry.text for one in found.sets if one.name == name for entry in one.entries}


def chain(found, table, name):
    return [line.removeprefix(f"-A {name} ") for line in render_chain(found.rules.table(table).by_name[name])]


@pytest.mark.parametrize("name", WORKED)
def test_everything_is_that_of_the_worked_example(name):
    found = dataplane(*WORKED[name], name="n3" if name.endswith("-n3") else "n1")
    assert ipvs.printed(found) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", ["clusterip-3", "nodeport-0", "nodeport-2", "source-ranges", "affinity"])
def test_ipv6_is_that_of_the_worked_example_in_ipv6(name):
    services, slices = six(WORKED[name])
    found = ipvs.compile(Snapshots(IPV6).take(services, slices), TABLES[IPV6].view("n1"))
    assert ipvs.printed(found) == (GOLDEN / f"ipv6-{name}.txt").read_text()


def test_names_of_sets_are_those_of_every_cluster():
    assert [name_of(kind, IPV4) for kind in KINDS] == list(KINDS)
    assert name_of("KUBE-CLUSTER-IP", IPV6) == "KUBE-6-CLUSTER-IP"
    assert name_of("KUBE-LOAD-BALANCER-SOURCE-CIDR", IPV6) == "KUBE-6-LOAD-BALANCER-SOURCE-CID"
    assert len({name_of(kind, IPV6) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(("given", "addresses"), [
    ((), {"172.18.0.2", "192.0.2.1", "10.244.1.1"}),
    (("10.244.0.0/16",), {"10.244.1.1"}),
    (("172.18.0.0/16", "127.0.0.0/8"), {"172.18.0.2"}),
    (("primary",), {"172.18.0.2"}),
    (("198.51.100.0/24",), set()),
])
def test_node_ports_are_at_the_addresses_that_are_said_and_never_at_localhost(given, addresses):
    found = dataplane(*WORKED["nodeport-2"], addresses=("172.18.0.2", "192.0.2.1"), gateways=("10.244.1.1",),
                      node_port_addresses=given)
    assert {server.address for server in found.servers if server.port == 30082} == addresses
    assert entries(found, "KUBE-NODE-PORT-TCP") == ({"30082"} if addresses else set())


def test_an_sctp_node_port_has_its_addresses_in_the_set():
    manifest = service("s", "10.96.45.30", port(protocol="SCTP", node_port=30090), type="NodePort")
    assert entries(dataplane([manifest]), "KUBE-NODE-PORT-SCTP-HASH") == {"172.18.0.2,sctp:30090"}


def test_an_external_address_that_the_node_has_itself_is_not_bound():
    manifest = service("ext", "10.96.45.15", externalIPs=["172.18.0.2", "198.51.100.7"])
    found = dataplane([manifest])
    assert found.addresses == ("10.96.45.15", "198.51.100.7")
    assert {server.address for server in found.servers} == {"10.96.45.15", "172.18.0.2", "198.51.100.7"}


@pytest.mark.parametrize(("view", "rule"), [
    ({}, "! -s 10.244.0.0/16 {note} -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"),
    ({"masquerade_all": True}, "{note} -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"),
    ({"cluster_cidr": ""}, "{note} -m set --match-set KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ"),
    ({"pod_interface": "veth+"}, "! -i veth+ {note} -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ"),
])
def test_who_is_masqueraded_follows_the_settings(view, rule):
    note = '-m comment --comment "Kubernetes service cluster ip + port for masquerade purpose"'
    assert chain(dataplane(*WORKED["clusterip-1"], **view), "nat", "KUBE-SERVICES")[1] == rule.format(note=note)


def test_a_node_outside_of_the_source_ranges_is_kept_from_the_load_balancer():
    balanced = WORKED["source-ranges"]
    found = dataplane(*balanced)
    assert chain(found, "filter", "KUBE-IPVS-OUT-FILTER") == [
        "-s 192.0.2.11/32 -m ipvs --vproto 6 --vaddr 192.0.2.11 --vport 80 -j DROP"]
    packet = Packet("192.0.2.11", "192.0.2.11", 80, "tcp")
    assert trace_ipvs(found, packet, addresses={"172.18.0.2"}).verdicts == {"drop"}
    inside = dataplane(*balanced, addresses=("203.0.113.2",))
    assert chain(inside, "filter", "KUBE-IPVS-OUT-FILTER") == []
    assert entries(inside, "KUBE-LOAD-BALANCER-SOURCE-IP") == {"192.0.2.11,tcp:80,192.0.2.11"}
    assert trace_ipvs(inside, packet, addresses={"203.0.113.2"}).destinations == {"10.244.1.10:8080": 1.0}
    second = dataplane(*balanced, addresses=("172.18.0.2", "203.0.113.2"))  # its first address is what counts
    assert chain(second, "filter", "KUBE-IPVS-OUT-FILTER") == chain(found, "filter", "KUBE-IPVS-OUT-FILTER")


@pytest.mark.parametrize(("cidrs", "expected"), [
    (["203.0.113.0/24"], ["203.0.113.0/24"]),
    (["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"]),
    (["::/0"], ["::/1", "8000::/1"]),
])
def test_a_range_of_everything_is_stored_as_two(cidrs, expected):
    assert storable(cidrs) == expected


def test_the_hosts_own_ports_are_not_reached_through_a_cluster_ip():
    found = dataplane(*WORKED["clusterip-3"])
    ssh = Packet("10.244.1.5", "10.96.45.10", 22, "tcp", "veth0")
    assert trace_ipvs(found, ssh, addresses={"172.18.0.2"}).verdicts == {"reject"}


def test_the_scheduler_and_persistence_are_those_that_are_said():
    services, slices = WORKED["affinity"]
    assert {(s.scheduler, s.persistence, s.source_hash) for s in dataplane(services, slices).servers} == {
        ("rr", 10800, False)}
    assert {(s.scheduler, s.source_hash) for s in dataplane(services, slices, scheduler="mh").servers} == {("mh", True)}


def test_two_services_with_one_address_do_not_make_two_servers():
    both = [service(name, f"10.96.45.{n}", externalIPs=["198.51.100.7"]) for n, name in ((1, "a"), (2, "b"))]
    found = dataplane(both, [endpoint_slice("a", *THREE)])
    assert len(found.by_key) == len(found.servers)
    assert len(found.by_key["TCP", "198.51.100.7", 80].reals) == 3


def test_a_real_server_without_weight_gets_nothing():
    found = dataplane(*WORKED["clusterip-3"])
    (server,) = found.servers
    drained = server._replace(reals=(server.reals[0]._replace(weight=0), *server.reals[1:]))
    packet = Packet("10.244.1.5", "10.96.45.10", 80, "tcp", "veth0")
    ends = trace_ipvs(ipvs.Ipvs((drained,), found.addresses, found.sets, found.rules), packet).destinations
    assert ends == {"10.244.1.2:8080": 0.5, "10.244.2.11:8080": 0.5}


A, B = RealServer("10.244.1.10", 8080), RealServer("10.244.2.11", 8080)
SERVER = VirtualServer("10.96.45.10", 80, "TCP", reals=(A, B))
DNS, CALLS = SERVER._replace(protocol="UDP"), SERVER._replace(protocol="SCTP")
IDLE, BUSY = {}, {(one.key, B.address, B.port): 3 for one in (SERVER, DNS, CALLS)}


@pytest.mark.parametrize(("held", "wanted", "connections", "expected"), [
    ([], [SERVER], IDLE, ["add", "add 10.244.1.10", "add 10.244.2.11"]),
    ([SERVER], [SERVER], BUSY, []),
    ([SERVER], [], BUSY, ["delete"]),
    ([SERVER], [SERVER._replace(persistence=60)], IDLE, ["set"]),
    ([SERVER], [SERVER._replace(reals=(A,))], IDLE, ["delete 10.244.2.11"]),
    ([SERVER], [SERVER._replace(reals=(A,))], BUSY, ["set 10.244.2.11 to 0"]),  # drained
    ([SERVER._replace(reals=(A, B._replace(weight=0)))], [SERVER._replace(reals=(A,))], BUSY, []),
    ([SERVER._replace(reals=(A, B._replace(weight=0)))], [SERVER._replace(reals=(A,))], IDLE, ["delete 10.244.2.11"]),
    ([SERVER._replace(reals=(A, B._replace(weight=0)))], [SERVER], BUSY, ["set 10.244.2.11"]),  # it came back
    ([DNS], [DNS._replace(reals=(A,))], BUSY, ["delete 10.244.2.11"]),  # UDP is not drained
    ([CALLS], [CALLS._replace(reals=(A,))], BUSY, ["delete 10.244.2.11"]),  # neither is SCTP
])
def test_virtual_servers_change_without_cutting_connections(held, wanted, connections, expected):
    found = changes(held, wanted, connections=connections)
    assert [f"{one.verb} {one.real.address}{' to 0' if one.verb == 'set' and not one.real.weight else ''}"
            if one.real else one.verb for one in found] == expected


def test_hairpin_entries_are_the_nodes_own_backends():
    found = dataplane(*WORKED["clusterip-3"])
    assert entries(found, "KUBE-LOOP-BACK") == {"10.244.1.10,tcp:8080,10.244.1.10", "10.244.1.2,tcp:8080,10.244.1.2"}
    assert Entry(port=30080).text == "30080"


def test_lost_answers_are_rows_of_the_table():
    rows = {row[:4] for row in flows.FLOWS}
    assert all(lost <= rows for lost in flows.LOST.values())
