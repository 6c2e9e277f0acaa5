import pytest

from netlab.netfilter import Packet, parse, render
from netlab.netfilter import trace as trace_rules
from netlab.netfilter.nft import NftRuleset
from netlab.netfilter.nft_parse import parse_nft
from netlab.proxy import MODES
from netlab.proxy.snapshot import Snapshots
from netlab.proxy.userspace import Userspace, trace_userspace
from tests.proxy import flows


@pytest.fixture(scope="module", params=sorted(MODES))
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def rulesets(mode):
    rows = Snapshots().take(flows.SERVICES, flows.SLICES)
    return {node: MODES[mode](rows, flows.view(node)) for node in flows.NODES}


def trace(ruleset, packet, **known):
    follow = trace_userspace if isinstance(ruleset, Userspace) else trace_rules
    return follow(ruleset, packet, **known)


def addresses(node):
    return {flows.NODES[node], f"10.244.{node[1]}.1"}


@pytest.mark.parametrize("row", flows.FLOWS, ids=flows.name)
def test_the_tracer_follows_the_packet_as_the_table_says(rulesets, mode, row):
    who, address, port, protocol, *_ = row
    expected, masqueraded = flows.expected_in(mode, row)
    node = flows.first_node(who, address)
    kind = {"pod": "veth0", "node": "", "client": "eth0"}[who.split()[0]]
    packet = Packet(flows.source(who, address), address, port, protocol.lower(), kind)
    found = trace(rulesets[node], packet, addresses=addresses(node))
    assert sum(outcome.weight for outcome in found.outcomes) == pytest.approx(1)
    if kind == "veth0" and address in flows.NODES.values() and address != flows.NODES[node]:
        assert found.destinations == {f"{address}:{port}": 1.0}  # another node's port: that node decides
        packet = packet._replace(in_interface="eth0")
        node = next(name for name, ip in flows.NODES.items() if ip == address)
        found = trace(rulesets[node], packet, addresses=addresses(node))
    if expected in (flows.REJECT, flows.DROP, flows.CLOSED):
        assert found.verdicts == {"closed" if expected == flows.CLOSED else expected}
        assert not found.destinations
        return
    if expected in (flows.UNMATCHED, flows.ITSELF):
        assert found.destinations == {f"{address}:{port}": 1.0}
        return
    target = flows.UDP_PORT if protocol == "UDP" else flows.TCP_PORT
    assert found.destinations == pytest.approx({f"{ip}:{target}": 1 / len(expected) for ip in expected}, rel=1e-6)
    assert found.masqueraded == masqueraded
    for outcome in found.outcomes:  # the node of the backend lets it through as it comes
        there = flows.PODS[outcome.address]
        if there != node:
            arriving = Packet("172.18.0.9", outcome.address, outcome.port, protocol.lower(), "eth0")
            onward = trace(rulesets[there], arriving, addresses=addresses(there))
            assert onward.destinations == {f"{outcome.address}:{outcome.port}": 1.0}
            assert not onward.masqueraded


def test_what_is_printed_can_be_read_again(rulesets):
    for ruleset in rulesets.values():
        if isinstance(ruleset, Userspace):
            rules = ruleset.rules(ruleset.assumed_ports)
            assert parse(render(rules)) == rules
            continue
        read = parse_nft if isinstance(ruleset, NftRuleset) else parse
        assert read(render(ruleset)) == ruleset


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
