"""What is cast from a sample is what the general packer makes of the rules, byte for byte."""

import struct

import pytest

from netlab.kernel.iptables_mould import pack_parts
from netlab.kernel.iptables_table import ROOM, PackedTable
from netlab.netfilter import render
from netlab.netfilter.part import part
from netlab.netfilter.ruleset import Ruleset, Table
from netlab.proxy import iptables_shape
from netlab.proxy.iptables import compile as compile_rules
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy.manifests import endpoint, endpoint_slice, port, service
from tests.proxy.worked import WORKED

NODE = NodeView("n1", ("172.18.0.2",), "", "10.244.0.0/16")


def service_of(kind, n, endpoints, **more):
    name = "a" * (n % 7) + f"s{n}"
    ports = [{"name": "", "port": 8000 + n, "protocol": more.get("protocol", "TCP")}]
    node_port = 30000 + n if kind != "ClusterIP" else 0
    exposed = port(80 + n, 8000 + n, protocol=more.pop("protocol", "TCP"), node_port=node_port)
    if kind == "LoadBalancer":
        more |= {"ingress": [{"ip": f"192.0.2.{n}"}], "externalIPs": [f"198.51.100.{n}"]}
    ends = [endpoint(f"10.244.{n}.{end}") for end in range(1, endpoints + 1)]
    return (service(name, f"10.96.{n}.{n}", exposed, type=kind, **more), endpoint_slice(name, *ends, ports=ports))


def compiled(pairs, node=NODE):
    services, slices = zip(*pairs, strict=True)
    return compile_rules(Snapshots().take(services, slices), node)


def general(ruleset):
    """The same rules, without shapes."""
    return Ruleset(tuple(Table(table.name, [part(one.chains) for one in table.parts]) for table in ruleset.tables))


def count(table):
    """How many entries there are, from each to the next."""
    offset, found = ROOM, 0
    while offset < len(table.message):
        offset += struct.unpack_from("<H", table.message, offset + 90)[0]
        found += 1
    return found


def cast(ruleset):
    return [one for table in ruleset.tables for one in table.parts if one.shape]


def same_as_rule_by_rule(rules):
    assert cast(rules)
    slow = general(rules)
    for table, other in zip(rules.tables, slow.tables, strict=True):
        fast, right = PackedTable(table), PackedTable(other)
        assert [(name, list(blobs)) for name, blobs in fast.chains] == [(n, list(blobs)) for n, blobs in right.chains]
        assert (fast.message, fast.entries, fast.hooks) == (right.message, right.entries, right.hooks)
        assert (fast.entries, fast.size) == (count(fast), len(fast.message) - ROOM)
    assert slow == rules


@pytest.fixture(autouse=True)
def no_shapes_yet():
    iptables_shape._samples.clear()


@pytest.mark.parametrize("more", [{}, {"sessionAffinity": "ClientIP"}, {"protocol": "UDP"}, {"protocol": "SCTP"}],
                         ids=str)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
@pytest.mark.parametrize("endpoints", [1, 2, 5, 40])
def test_services_of_one_shape_are_packed_as_their_rules_say(kind, endpoints, more):
    rules = compiled([service_of(kind, n, endpoints, **more) for n in range(6)])
    assert len(cast(rules)) == 5  # the first one of a shape shows only that there is such a shape
    same_as_rule_by_rule(rules)


def test_without_comments_too():
    rules = compiled([service_of("ClusterIP", n, 250) for n in range(6)])
    assert "-> 10.244.1.1" not in render(rules)
    assert cast(rules)
    assert PackedTable(rules.table("nat")).message == PackedTable(general(rules).table("nat")).message


def test_all_worked_examples_together():
    for name, (services, slices) in WORKED.items():
        rules = compile_rules(Snapshots().take(services, slices), NODE)
        again = compile_rules(Snapshots().take(services, slices), NODE)
        for table, other in zip(again.tables, rules.tables, strict=True):
            assert PackedTable(table).message == PackedTable(other).message, name
        assert render(again) == render(rules)


@pytest.mark.parametrize("name", ["203.100.100.100", "{0}", "61000", "a/{}", "203.103.128.100:61000 ->"])
def test_a_service_may_be_called_like_the_samples_words(name):
    pairs = [service_of("NodePort", n, 2) for n in range(3)]
    pairs[2][0]["metadata"]["name"] = name
    pairs[2][1]["metadata"]["labels"]["kubernetes.io/service-name"] = name
    rules = compiled(pairs)
    assert len(cast(rules)) == 2
    assert any(name in line for line in render(rules).splitlines())
    assert PackedTable(rules.table("nat")).message == PackedTable(general(rules).table("nat")).message


@pytest.mark.parametrize("more", [
    {"externalTrafficPolicy": "Local", "healthCheckNodePort": 30999},
    {"internalTrafficPolicy": "Local"},
    {"externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local", "sessionAffinity": "ClientIP"},
    {"loadBalancerSourceRanges": ["203.0.113.0/24", "198.51.100.7/32"]},
    {"loadBalancerSourceRanges": ["172.18.0.0/16"]},
    {"loadBalancerSourceRanges": ["0.0.0.0/0"], "externalTrafficPolicy": "Local"},
], ids=str)
@pytest.mark.parametrize("nodes", ["", "n1", "n2", "n1 n2", "n1 n2 n1 n2 n1", "n2 n1 n1"])
def test_policies_and_source_ranges_are_cast_for_endpoints_on_these_nodes(nodes, more):
    def pair(n):
        one, ends = service_of("LoadBalancer", n, 0, **more)
        ends["endpoints"] = [endpoint(f"10.244.{n}.{number}", node=node) for number, node in enumerate(nodes.split())]
        if "healthCheckNodePort" in more:
            one["spec"]["healthCheckNodePort"] += n
        return one, ends

    same_as_rule_by_rule(compiled([pair(n) for n in range(4)]))


def test_whether_a_source_range_has_the_node_in_it_is_another_shape():
    pairs = [service_of("LoadBalancer", n, 2, loadBalancerSourceRanges=["172.18.0.0/16"]) for n in range(3)]
    inside = compiled(pairs)
    outside = compiled(pairs, NodeView("n2", ("192.168.0.2",), "", "10.244.0.0/16"))
    for rules in (inside, outside):
        same_as_rule_by_rule(rules)
    assert inside != outside


@pytest.mark.parametrize("numbers", [[80, 80, 81], [80, 81, 80], [80, 81, 82], list(range(1, 99))], ids=len)
def test_endpoints_with_different_ports_are_cast(numbers):
    def pair(n):
        one, _ = service_of("NodePort", n, 0)
        return one, [endpoint_slice(one["metadata"]["name"], endpoint(f"10.244.{n}.{end + 1}"), suffix=str(end),
                                    ports=[{"name": "", "port": 256 * n + number, "protocol": "TCP"}])
                     for end, number in enumerate(numbers)]

    services, slices = zip(*[pair(n) for n in range(1, 5)], strict=True)
    same_as_rule_by_rule(compile_rules(Snapshots().take(services, [one for some in slices for one in some]), NODE))


def test_services_without_endpoints_are_cast():
    for kind in ("ClusterIP", "NodePort", "LoadBalancer"):
        same_as_rule_by_rule(compiled([service_of(kind, n, 0) for n in range(6)]))


def test_a_shape_whose_words_are_not_found_in_their_places_is_packed_rule_by_rule(monkeypatch):
    monkeypatch.setattr(iptables_shape, "BACKEND", 0xfa00)  # with a zero in it: it is found a byte too early
    same_as_rule_by_rule(compiled([service_of("NodePort", n, 2) for n in range(6)]))


def test_so_many_frontends_are_packed_rule_by_rule():
    pairs = [service_of("LoadBalancer", n, 1) for n in range(3)]
    for one, _ in pairs:
        one["spec"]["externalIPs"] = [f"198.51.100.{n}" for n in range(120)]
    assert not cast(compiled(pairs))


def test_a_comment_that_is_too_long_is_an_error_in_a_cast_as_well():
    pairs = [service_of("ClusterIP", n, 2) for n in range(3)]
    pairs[2][0]["metadata"]["name"] = pairs[2][1]["metadata"]["labels"]["kubernetes.io/service-name"] = "x" * 250
    (one,) = [one for one in cast(compiled(pairs)) if "x" * 250 in one.words.names[0]]
    with pytest.raises(ValueError, match="at most 255 bytes"):
        pack_parts([one])
    with pytest.raises(ValueError, match="at most 255 bytes"):
        pack_parts([part(one.chains)])
