import pytest

from netlab.model.family import IPV6, with_port
from netlab.netfilter import Packet, parse, render
from netlab.netfilter import trace as trace_rules
from netlab.netfilter.nft import NftRuleset
from netlab.netfilter.nft_parse import parse_nft
from netlab.proxy import MODES
from netlab.proxy.ipvs import Ipvs
from netlab.proxy.ipvs_trace import trace_ipvs
from netlab.proxy.snapshot import Snapshots
from netlab.proxy.userspace import Userspace, trace_userspace
from tests.proxy import flows
from tests.proxy.families import CASES, ROWS, TABLES, gateway

FOLLOW = {Userspace: trace_userspace, Ipvs: trace_ipvs}


def trace(ruleset, packet, **known):
    return FOLLOW.get(type(ruleset), trace_rules)(ruleset, packet, **known)


@pytest.fixture(scope="module", params=CASES, ids=" ".join)
def case(request):
    """(the flow table of a family, the mode, the nodes' rulesets in it)"""
    mode, family = request.param
    found = TABLES[family]
    rows = Snapshots(family).take(found.SERVICES, found.SLICES)
    return found, mode, {node: MODES[mode](rows, found.view(node)) for node in found.NODES}


@ROWS
def test_the_tracer_follows_the_packet_as_the_table_says(case, number):
    table, mode, rulesets = case
    who, address, port, protocol, *_ = table.FLOWS[number]
    expected, masqueraded = table.expected(mode, number)

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
    if expected in (flows.REJECT, flows.DROP, flows.CLOSED):
        assert found.verdicts == {"closed" if expected == flows.CLOSED else expected}
        assert not found.destinations
        return
    if expected in (flows.UNMATCHED, flows.ITSELF):
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
    table, _, rulesets = case
    for ruleset in rulesets.values():
        if isinstance(ruleset, Userspace):
            rules = ruleset.rules(ruleset.assumed_ports)
            assert parse(render(rules), family=table.family) == rules
        elif isinstance(ruleset, Ipvs):
            assert parse(render(ruleset.rules), family=table.family) == ruleset.rules
        elif isinstance(ruleset, NftRuleset):
            assert parse_nft(render(ruleset)) == ruleset
        else:
            assert parse(render(ruleset), family=table.family) == ruleset


def test_a_client_with_affinity_goes_where_it_went_before():
    from tests.proxy.manifests import service
    rows = Snapshots().take([service("web", "10.96.45.10", sessionAffinity="ClientIP")], flows.SLICES)
    ruleset = MODES["iptables"](rows, flows.view("n1"))
    packet = Packet("10.244.1.5", "10.96.45.10", 80, "tcp", "veth0")
    assert len(trace(ruleset, packet).destinations) == 3
    chains = {chain.rules[0].source: chain.name for chain in ruleset.table("nat").chains
              if chain.name.startswith("KUBE-SEP-")}
    remembered = {chains["10.244.1.2/32"]: {"10.244.1.5"}}
    assert trace(ruleset, packet, remembered=remembered).destinations == {"10.244.1.2:8080": 1.0}
    other = packet._replace(source="10.244.1.6")
    assert len(trace(ruleset, other, remembered=remembered).destinations) == 3


def test_a_client_with_affinity_goes_where_it_went_before_in_nftables():
    from tests.proxy.manifests import service
    rows = Snapshots().take([service("web", "10.96.45.10", sessionAffinity="ClientIP")], flows.SLICES)
    ruleset = MODES["nftables"](rows, flows.view("n1"))
    packet = Packet("10.244.1.5", "10.96.45.10", 80, "tcp", "veth0")
    assert len(trace(ruleset, packet).destinations) == 3
    kept = next(name for name in ruleset.tables[0].sets if name.endswith("__10.244.1.2/8080"))
    assert trace(ruleset, packet, remembered={kept: {"10.244.1.5"}}).destinations == {"10.244.1.2:8080": 1.0}
    assert len(trace(ruleset, packet, remembered={kept: {"10.244.1.6"}}).destinations) == 3
