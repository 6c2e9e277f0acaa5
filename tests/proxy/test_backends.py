import pytest

from netlab.model.endpoints import parse_endpoint_slice
from netlab.proxy.backends import Backend, backends, choose
from tests.proxy.manifests import endpoint, endpoint_slice

READY, ENDING = {"ready": True}, {"ready": False, "serving": True, "terminating": True}
UNREADY = {"ready": False, "serving": False}
GONE = {"ready": False, "serving": False, "terminating": True}


def behind(*slices, name="", protocol="TCP"):
    return [backend.text for backend in backends(map(parse_endpoint_slice, slices), port_name=name, protocol=protocol)]


def test_order_is_that_of_the_text_and_each_address_and_port_comes_once():
    one = endpoint_slice("web", endpoint("10.244.1.2"), endpoint("10.244.1.10"))
    two = endpoint_slice("web", endpoint("10.244.1.2"), endpoint("10.244.1.1"), suffix="x2")
    assert behind(one, two) == ["10.244.1.10:8080", "10.244.1.1:8080", "10.244.1.2:8080"]


@pytest.mark.parametrize(("first", "second", "expected"), [
    (ENDING, READY, (True, False)), (READY, ENDING, (True, False)), (UNREADY, ENDING, (False, True)),
    (READY, UNREADY, (True, False)), (UNREADY, GONE, (False, False)),
])
def test_of_two_endpoints_at_one_address_the_usable_one_counts(first, second, expected):
    part = parse_endpoint_slice(endpoint_slice("web", endpoint("10.0.0.1", **first), endpoint("10.0.0.1", **second)))
    (found,) = backends([part], port_name="", protocol="TCP")
    assert (found.ready, found.ending) == expected


@pytest.mark.parametrize(("port", "expected"), [
    ({"name": "http", "port": 8080}, ["10.244.1.2:8080"]),
    ({"name": "other", "port": 8080}, []),
    ({"port": 8080}, []),  # no name
    ({"name": "http"}, []),  # no number
    ({"name": "http", "port": 8080, "protocol": "UDP"}, []),
])
def test_ports_are_found_by_name_and_protocol(port, expected):
    assert behind(endpoint_slice("web", endpoint("10.244.1.2"), ports=[port]), name="http") == expected


def test_other_families_do_not_count_and_of_several_addresses_the_first_does():
    assert behind(endpoint_slice("web", endpoint("fd00::1"), kind="IPv6")) == []
    pair = {"addresses": ["10.244.1.2", "10.244.1.3"], "conditions": {}}
    assert behind(endpoint_slice("web", pair)) == ["10.244.1.2:8080"]


@pytest.mark.parametrize(("states", "cluster", "local", "any_at_all"), [
    # a is on this node, b on another
    ({"a": READY, "b": READY}, "ab", "a", True),
    ({"a": READY, "b": ENDING}, "a", "a", True),
    ({"a": ENDING, "b": READY}, "b", "a", True),  # the fall-back is per node
    ({"a": ENDING, "b": ENDING}, "ab", "a", True),
    ({"a": UNREADY, "b": READY}, "b", "", True),
    ({"a": UNREADY, "b": UNREADY}, "", "", False),
    ({"a": GONE, "b": ENDING}, "b", "", True),
    ({"a": {}, "b": GONE}, "a", "a", True),  # absent conditions: ready
    ({}, "", "", False),
])
def test_readiness_decides(states, cluster, local, any_at_all):
    nodes, ips = {"a": "n1", "b": "n2"}, {"a": "10.0.0.1", "b": "10.0.0.2"}
    part = endpoint_slice("web", *(endpoint(ips[key], node=nodes[key], **state) for key, state in states.items()))
    found = backends([parse_endpoint_slice(part)], port_name="", protocol="TCP")
    choice = choose(found, node="n1", uses_local=True)
    assert [b.address for b in choice.cluster] == [ips[key] for key in cluster]
    assert [b.address for b in choice.local] == [ips[key] for key in local]
    assert choice.any == any_at_all
    assert {b.address for b in choice.reachable} == {ips[key] for key in set(cluster + local)}


@pytest.mark.parametrize(("zone", "hints", "expected"), [
    ("a", ("a", "b"), "1"),  # the own zone
    ("c", ("a", "b"), "12"),  # nothing there
    ("a", ("a", ""), "12"),  # one without a hint: hints do not count
    ("", ("a", "b"), "12"),  # a node without a zone
])
def test_zone_hints_keep_traffic_near_if_all_have_them(zone, hints, expected):
    found = [Backend(f"10.0.0.{n}", 80, zones=frozenset(filter(None, [hint]))) for n, hint in enumerate(hints, 1)]
    choice = choose(found, node="n1", zone=zone)
    assert "".join(backend.address[-1] for backend in choice.cluster) == expected


@pytest.mark.parametrize(("node", "hints", "expected"), [
    ("n1", ("n1", "n2", "n2"), "1"),  # the node's own
    ("n2", ("n1", "n2", "n2"), "23"),
    ("n3", ("n1", "n2", "n2"), "12"),  # none there, so its zone's
    ("n1", ("n1", "n2", ""), "12"),  # one without a node hint
])
def test_node_hints_come_before_zone_hints(node, hints, expected):
    found = [Backend(f"10.0.0.{n}", 80, zones=frozenset(zone), nodes=frozenset(filter(None, [hint])))
             for n, (hint, zone) in enumerate(zip(hints, "aab", strict=True), 1)]
    choice = choose(found, node=node, zone="a")
    assert "".join(backend.address[-1] for backend in choice.cluster) == expected


def test_hints_of_endpoints_that_are_not_ready_do_not_count():
    found = [Backend("10.0.0.1", 80, zones=frozenset("a")), Backend("10.0.0.2", 80, zones=frozenset("b")),
             Backend("10.0.0.3", 80, ready=False, ending=True)]
    assert [backend.address for backend in choose(found, node="n1", zone="b").cluster] == ["10.0.0.2"]


def test_the_nodes_own_backends_are_not_chosen_by_hints():
    found = [Backend("10.0.0.1", 80, node="n1", zones=frozenset("b")), Backend("10.0.0.2", 80, zones=frozenset("a"))]
    choice = choose(found, node="n1", zone="a", uses_local=True)
    assert [[b.address for b in part] for part in (choice.cluster, choice.local, choice.reachable)] == [
        ["10.0.0.2"], ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"]]


def test_an_endpoint_without_a_node_is_never_local():
    assert choose([Backend("10.0.0.1", 80)], node="n1", uses_local=True).local == ()
