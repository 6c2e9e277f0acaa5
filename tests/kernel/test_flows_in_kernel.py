"""Real connections through real rules, row for row what the tracer says."""

import os
import socket
import subprocess

import pytest

from netlab.kernel import conntrack, netns
from netlab.netfilter import render
from netlab.proxy import MODES
from netlab.proxy.snapshot import Snapshots
from netlab.proxy.udp import udp_serving
from tests.kernel.service_net import ServiceNet
from tests.proxy import flows
from tests.proxy.manifests import endpoint_slice, service

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
SAME_BACKEND = 12  # connections; with two backends to choose from, chance lets 1 in 2,048 pass


def compiled(services, slices=flows.SLICES, mode="iptables"):
    rows = Snapshots().take(services, slices)
    return {node: MODES[mode](rows, flows.view(node)) for node in flows.NODES}


@pytest.fixture(scope="module")
def net():
    with ServiceNet() as built:
        yield built


@pytest.fixture(scope="module", params=sorted(MODES))
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def rules(net, mode):
    found = compiled(flows.SERVICES, mode=mode)
    for node, tables in net.tables_of[mode].items():
        tables.replace(found[node])
    yield found
    for node, tables in net.tables_of[mode].items():
        tables.remove(found[node])


@pytest.fixture
def tables(net, mode):
    """Those of the node n1, emptied afterwards."""
    yield net.tables_of[mode]["n1"]
    net.tables_of[mode]["n1"].remove(compiled([], mode=mode)["n1"])


@pytest.fixture(autouse=True)
def unchanged(request):
    """After a test the nodes hold what we render, byte for byte as the program prints it."""
    yield
    if "rules" in request.fixturenames:
        net, rules = request.getfixturevalue("net"), request.getfixturevalue("rules")
        for node, ruleset in rules.items():
            mode = request.getfixturevalue("mode")
            if mode == "userspace":
                assert net.tables_of[mode][node].matches(ruleset)
            else:
                assert saved(net.names[node], mode) == render(ruleset)


def saved(netns, mode):
    if mode == "nftables":
        return subprocess.run(["ip", "netns", "exec", netns, "nft", "--stateless", "list", "ruleset"],
                              capture_output=True, text=True, check=True).stdout
    text = subprocess.run(["ip", "netns", "exec", netns, "iptables-legacy-save"], capture_output=True, text=True,
                          check=True).stdout
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return "".join((line.rpartition(" ")[0] + " [0:0]" if line.startswith(":") else line) + "\n" for line in lines)


def sender(who):
    kind, *words = who.split()
    return words[0] if kind in ("pod", "node") else "client"


@pytest.mark.parametrize("row", flows.FLOWS, ids=flows.name)
def test_the_kernel_does_what_the_table_says(net, mode, rules, row):
    who, address, port, protocol, *_ = row
    expected, masqueraded = flows.expected_in(mode, row)
    if who.startswith("client") and address not in flows.NODES.values():
        net.route(address, flows.first_node(who, address))
    source = flows.source(who, address)
    bound = source if who.startswith("client") else ""

    def connect():
        return net.connect(sender(who), address, port, protocol, source=bound)

    if expected in (flows.REJECT, flows.DROP, flows.CLOSED):
        assert connect() == expected
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
        assert seen in (seen_as(backend, who, address) if masqueraded else {source})
        if found == set(expected):
            break
    assert found == set(expected)


def seen_as(backend, who, address):
    """The address that a node's masquerading gives to a connection to that backend."""
    node = flows.first_node(who, address)
    if address in flows.NODES.values():
        node = next(name for name, ip in flows.NODES.items() if ip == address)
    gateway = backend.rpartition(".")[0] + ".1"
    return {gateway} if flows.PODS[backend] == node else {flows.NODES[node]}


def test_a_client_with_affinity_keeps_its_backend(net, mode, tables):
    rulesets = compiled([service("web", "10.96.45.10", sessionAffinity="ClientIP")], mode=mode)
    tables.replace(rulesets["n1"])
    found = {net.connect("10.244.1.5", "10.96.45.10", 80, "TCP") for _ in range(SAME_BACKEND)}
    assert len(found) == 1
    assert found.pop()[0] in flows.BACKENDS
    assert tables.matches(rulesets["n1"])


def test_rules_change_under_the_same_address_without_a_gap(net, mode, tables):
    """A Service that gets its first endpoint rejects until then, and never drops."""
    nobody, seen = (flows.CLOSED, "10.244.1.1") if mode == "userspace" else (flows.REJECT, "10.244.1.5")
    for slices, expected in (([], nobody), (flows.SLICES, ("10.244.1.10", seen)), ([], nobody)):
        ruleset = compiled([service("ext", "10.96.45.30")], slices, mode)["n1"]
        tables.replace(ruleset)
        assert net.connect("10.244.1.5", "10.96.45.30", 80, "TCP") == expected
        assert tables.matches(ruleset)


def test_udp_flows_leave_a_backend_that_is_gone(net, mode, tables):
    """A client that keeps its port would talk to the old backend for as long as it talks."""
    dns = service("dns", "10.96.0.40", {"port": 53, "protocol": "UDP"})
    ports = [{"name": "", "port": 53, "protocol": "UDP"}]

    def serve(ip):
        slices = [endpoint_slice("dns", flows.at(ip), ports=ports)]
        tables.replace(compiled([dns], slices, mode)["n1"])
        return udp_serving(Snapshots().take([dns], slices))

    serve("10.244.1.10")
    client = netns.visit(net.names["10.244.1.5"], lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:
        client.settimeout(2)
        client.connect(("10.96.0.40", 53))

        def ask():
            client.send(b"?")
            return client.recv(100).decode().split()[0]

        assert ask() == "10.244.1.10"
        serving = serve("10.244.1.2")
        if mode != "userspace":  # whose proxy chooses anew by itself
            assert ask() == "10.244.1.10"
        tables.forget_udp(serving)
        assert ask() == "10.244.1.2"
        tables.forget_udp(serving)
        if mode != "userspace":
            assert netns.visit(tables.netns, lambda: conntrack.delete_udp(serving)) == 0
        assert ask() == "10.244.1.2"
