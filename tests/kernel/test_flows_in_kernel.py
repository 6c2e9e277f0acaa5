"""Real connections through real rules, row for row what the tracer says."""

import contextlib
import functools
import os
import socket
import subprocess
from pathlib import Path

import pytest

from netlab.kernel import conntrack, netns
from netlab.model.family import IPV4, IPV6
from netlab.netfilter import render
from netlab.proxy import MODES
from netlab.proxy.snapshot import Snapshots
from netlab.proxy.udp import udp_serving
from tests.kernel.service_net import LIMIT, REFUSAL, ServiceNet
from tests.proxy import flows
from tests.proxy.families import CASES, ROWS, TABLES, gateway
from tests.proxy.manifests import endpoint_slice, service

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
HAS_IPVS = Path("/proc/net/ip_vs").exists()  # else test_ipvs.py sees that the mode is refused
CHOOSES_ANEW = ("userspace", "ipvs")  # when a UDP backend is gone, without help
SAME_BACKEND = 12  # connections; with two backends to choose from, chance lets 1 in 2,048 pass


def compiled(services, slices=None, *, mode, family=IPV4):
    table = TABLES[family]
    rows = Snapshots(family).take(services, table.SLICES if slices is None else slices)
    return {node: MODES[mode](rows, table.view(node)) for node in table.NODES}


@pytest.fixture(scope="module")
def nets():
    """The net of each family, made when it is first asked for."""
    with contextlib.ExitStack() as closing:
        yield functools.cache(lambda family: closing.enter_context(ServiceNet(family)))


@pytest.fixture(scope="module", params=[case for case in CASES if case[0] != "ipvs" or HAS_IPVS], ids=" ".join)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def mode(case):
    return case[0]


@pytest.fixture(scope="module")
def net(nets, case):
    return nets(case[1])


@pytest.fixture(scope="module")
def rules(net, mode):
    found = compiled(net.table.SERVICES, mode=mode, family=net.family)
    for node, tables in net.tables_of[mode].items():
        tables.replace(found[node])
    yield found
    for node, tables in net.tables_of[mode].items():
        tables.remove(found[node])


@pytest.fixture
def tables(net, mode):
    """Those of the node n1, emptied afterwards."""
    yield net.tables_of[mode]["n1"]
    net.tables_of[mode]["n1"].remove(compiled([], mode=mode, family=net.family)["n1"])


@pytest.fixture(autouse=True)
def unchanged(request):
    """After a test the nodes hold what we render, byte for byte as the program prints it."""
    yield
    if "rules" in request.fixturenames:
        net, rules = request.getfixturevalue("net"), request.getfixturevalue("rules")
        for node, ruleset in rules.items():
            mode = request.getfixturevalue("mode")
            if mode in ("userspace", "ipvs"):
                assert net.tables_of[mode][node].matches(ruleset)
            else:
                assert saved(net.names[node], mode, net.family) == render(ruleset)


def saved(netns, mode, family):
    if mode == "nftables":
        return subprocess.run(["ip", "netns", "exec", netns, "nft", "--stateless", "list", "ruleset"],
                              capture_output=True, text=True, check=True).stdout
    program = "ip6tables-legacy-save" if family == IPV6 else "iptables-legacy-save"
    text = subprocess.run(["ip", "netns", "exec", netns, program], capture_output=True, text=True,
                          check=True).stdout
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return "".join((line.rpartition(" ")[0] + " [0:0]" if line.startswith(":") else line) + "\n" for line in lines)


def sender(who):
    kind, *words = who.split()
    return words[0] if kind in ("pod", "node") else "client"


@ROWS
def test_the_kernel_does_what_the_table_says(net, mode, rules, number):
    who, address, port, protocol, *_ = net.table.FLOWS[number]
    expected, masqueraded = net.table.expected(mode, number)
    if who.startswith("client") and address not in net.table.NODES.values():
        net.route(address, net.table.first_node(who, address))
    source = net.table.source(who, address)
    bound = source if who.startswith("client") else ""

    def connect(limit=LIMIT):
        return net.connect(sender(who), address, port, protocol, source=bound, limit=limit)

    if flows.FLOWS[number][:4] in flows.LOST.get(mode, ()):
        expected = flows.DROP
    if expected in (flows.REJECT, flows.DROP, flows.CLOSED):
        assert connect(LIMIT if expected == flows.DROP else REFUSAL) == expected
        return
    if expected == flows.ITSELF:
        assert connect() == flows.REJECT
        return
    if expected == flows.UNMATCHED:
        assert connect() == flows.DROP  # it follows the default route, where nobody answers
        return
    found = set()
    for _ in range(40 * len(expected)):  # three backends: all but 1 in 10 million times each one is met
        answer = connect()
        assert isinstance(answer, tuple), answer
        backend, seen = answer
        found.add(backend)
        assert seen in (seen_as(net.table, backend, who, address) if masqueraded else {source})
        if found == set(expected):
            break
    assert found == set(expected)


def seen_as(table, backend, who, address):
    """The address that a node's masquerading gives to a connection to that backend."""
    node = table.first_node(who, address)
    if address in table.NODES.values():
        node = next(name for name, ip in table.NODES.items() if ip == address)
    return {gateway(backend)} if table.PODS[backend] == node else {table.NODES[node]}


def test_a_client_with_affinity_keeps_its_backend(net, mode, tables):
    rulesets = compiled(net.form([service("web", "10.96.45.10", sessionAffinity="ClientIP")]), mode=mode,
                        family=net.family)
    tables.replace(rulesets["n1"])
    found = {net.connect(*net.form(("10.244.1.5", "10.96.45.10")), 80, "TCP") for _ in range(SAME_BACKEND)}
    assert len(found) == 1
    assert found.pop()[0] in net.table.BACKENDS
    assert tables.matches(rulesets["n1"])


def test_rules_change_under_the_same_address_without_a_gap(net, mode, tables):
    """A Service that gets its first endpoint rejects until then, and never drops."""
    nobody, seen = (flows.CLOSED, "10.244.1.1") if mode == "userspace" else (flows.REJECT, "10.244.1.5")
    for slices, expected in (([], nobody), (flows.SLICES, ("10.244.1.10", seen)), ([], nobody)):
        objects = net.form(([service("ext", "10.96.45.30")], slices))
        ruleset = compiled(*objects, mode=mode, family=net.family)["n1"]
        tables.replace(ruleset)
        assert tables.matches(ruleset)
        assert net.connect(*net.form(("10.244.1.5", "10.96.45.30")), 80, "TCP", limit=REFUSAL) == net.form(expected)


def test_udp_flows_leave_a_backend_that_is_gone(net, mode, tables):
    """A client that keeps its port would talk to the old backend for as long as it talks."""
    dns = service("dns", "10.96.0.40", {"port": 53, "protocol": "UDP"})
    ports = [{"name": "", "port": 53, "protocol": "UDP"}]

    def serve(ip):
        objects = net.form(([dns], [endpoint_slice("dns", flows.at(ip), ports=ports)]))
        tables.replace(compiled(*objects, mode=mode, family=net.family)["n1"])
        return udp_serving(Snapshots(net.family).take(*objects))

    serve("10.244.1.10")
    client = netns.visit(net.names[net.form("10.244.1.5")], lambda: socket.socket(net.socket_family, socket.SOCK_DGRAM))
    with client:
        client.settimeout(2)
        client.connect((net.form("10.96.0.40"), 53))

        def ask():
            client.send(b"?")
            return client.recv(100).decode().split()[0]

        assert ask() == net.form("10.244.1.10")
        serving = serve("10.244.1.2")
        if mode not in CHOOSES_ANEW:
            assert ask() == net.form("10.244.1.10")
        tables.forget_udp(serving, net.family)
        assert ask() == net.form("10.244.1.2")
        tables.forget_udp(serving, net.family)
        if mode not in CHOOSES_ANEW:
            assert netns.visit(tables.netns, lambda: conntrack.delete_udp(serving, family=net.family)) == 0
        assert ask() == net.form("10.244.1.2")
