import pytest

from netlab.model.family import IPV6, with_port
from netlab.netfilter import Packet, parse, render, trace
from netlab.proxy import MODES
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy import flows
from tests.proxy.families import CASES, ROWS, TABLES, gateway


@pytest.fixture(scope="module", params=CASES, ids=" ".join)
def case(request):
    """(the flow table of a family, the nodes' rulesets in a mode)"""
    mode, family = request.param
    found = TABLES[family]
    rows = Snapshots(family).take(found.SERVICES, found.SLICES)
    return found, {node: MODES[mode](rows, NodeView(node, (ip,), "", found.CLUSTER_CIDR, family=family))
                   for node, ip in found.NODES.items()}


@ROWS
def test_the_tracer_follows_the_packet_as_the_table_says(case, number):
    table, rulesets = case
    who, address, port, protocol, expected, masqueraded = table.FLOWS[number]

    def addresses(node):
        return {table.NODES[node], *(gateway(pod) for pod, home in table.PODS.items() if home == node)}

    node = table.first_node(who, address)
    kind = {"pod": "veth0", "node": "", "client": "eth0"}[who.split()[0]]
    packet = Packet(table.source(who, address), address, port, protocol.lower(), kind)
    found = trace(rulesets[node], packet, addresses=addresses(node))
    assert sum(outcome.weight for outcome in found.outcomes) == pytest.approx(1)
    if kind == "veth0" and address in table.NODES.values() and address != table.NODES[node]:
        assert found.destinations == {with_port(address, port): 1.0}  # another node's port: that node decides
        packet = packet._replace(in_interface="eth0")
        node = next(name for name, ip in table.NODES.items() if ip == address)
        found = trace(rulesets[node], packet, addresses=addresses(node))
    if expected in (flows.REJECT, flows.DROP):
        assert (found.verdicts, found.destinations) == ({expected}, {})
        return
    if expected == flows.UNMATCHED:
        assert found.destinations == {with_port(address, port): 1.0}
        return
    target = flows.UDP_PORT if protocol == "UDP" else flows.TCP_PORT
    assert found.destinations == pytest.approx({with_port(ip, target): 1 / len(expected) for ip in expected},
                                               rel=1e-6)
    assert found.masqueraded == masqueraded
    for outcome in found.outcomes:  # the node of the backend lets it through as it comes
        there = table.PODS[outcome.address]
        if there != node:
            outside = "fd00::9" if table.family == IPV6 else "172.18.0.9"
            arriving = Packet(outside, outcome.address, outcome.port, protocol.lower(), "eth0")
            onward = trace(rulesets[there], arriving, addresses=addresses(there))
            assert onward.destinations == {with_port(outcome.address, outcome.port): 1.0}
            assert not onward.masqueraded


def test_what_is_printed_can_be_read_again(case):
    table, rulesets = case
    for ruleset in rulesets.values():
        assert parse(render(ruleset), family=table.family) == ruleset


def test_a_client_with_affinity_goes_where_it_went_before():
    from tests.proxy.manifests import service
    rows = Snapshots().take([service("web", "10.96.45.10", sessionAffinity="ClientIP")], flows.SLICES)
    ruleset = MODES["iptables"](rows, NodeView("n1", (), "", flows.CLUSTER_CIDR))
    packet = Packet("10.244.1.5", "10.96.45.10", 80, "tcp", "veth0")
    assert len(trace(ruleset, packet).destinations) == 3
    chains = {chain.rules[0].source: chain.name for chain in ruleset.table("nat").chains
              if chain.name.startswith("KUBE-SEP-")}
    remembered = {chains["10.244.1.2/32"]: {"10.244.1.5"}}
    assert trace(ruleset, packet, remembered=remembered).destinations == {"10.244.1.2:8080": 1.0}
    other = packet._replace(source="10.244.1.6")
    assert len(trace(ruleset, other, remembered=remembered).destinations) == 3
