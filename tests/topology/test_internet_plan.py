"""The outside world's wiring: who has a route to it, and it to whom."""

import pytest

from netlab.model.lab_settings import parse
from netlab.topology.plan import plan_lab
from netlab.topology.wiring import in_order

INTERNET = {"hosts": [{"name": "shop"}], "routes": [{"to": "203.0.113.7", "via": "worker2"}]}


def plan(**spec):
    return {wiring.netns: wiring for wiring in plan_lab(parse({"internet": INTERNET} | spec, name="lab"))}


def outward(wiring):
    return {str(route.destination): route.via for route in wiring.routes
            if str(route.destination).startswith(("198.51.100.", "203.0.113.", "2001:"))}


@pytest.mark.parametrize(("netns", "routes"), [
    ("lab.worker", {"198.51.100.0/24": "172.18.0.7"}),
    ("lab.client", {"198.51.100.0/24": "172.18.0.7", "203.0.113.7/32": "172.18.0.7"}),
    ("lab.internet", {"203.0.113.7/32": "172.18.0.4"}),
    ("lab.fabric", {}),
])
def test_who_knows_a_way_to_the_outside(netns, routes):
    assert outward(plan()[netns]) == routes


def test_nodes_answer_the_outside_by_way_of_a_load_balancer_as_they_answer_the_client():
    made = plan(loadBalancer={})
    assert outward(made["lab.worker"]) == {"198.51.100.0/24": "172.18.0.6"}
    assert outward(made["lab.load-balancer"]) == {"198.51.100.0/24": "172.18.0.7"}


def test_hosts_outside_have_a_default_route_and_nobody_outside_has_one_to_pods_or_services():
    made = plan()
    assert [(str(r.destination), r.via) for r in made["lab.shop"].routes] == [("0.0.0.0/0", "198.51.100.1")]
    assert [str(address.address) for address in made["lab.shop"].addresses] == ["198.51.100.10/24"]
    assert not [r for r in made["lab.internet"].routes if str(r.destination).startswith("10.")]


def test_only_the_router_forwards():
    forwards = {name: {s.key: s.value for s in wiring.sysctls}["ipv4/ip_forward"] for name, wiring in plan().items()}
    assert [name for name, value in forwards.items() if value == "1"] == [
        "lab.control-plane", "lab.worker", "lab.worker2", "lab.internet"]


@pytest.mark.parametrize("families", [["IPv4"], ["IPv6"], ["IPv6", "IPv4"]])
def test_the_links_have_indexes_and_names_that_differ_and_fit_the_kernel(families):
    spec = {} if "IPv4" in families else {"routes": []}
    made = plan(ipFamilies=families, internet=INTERNET | spec)
    assert len(in_order(made.values())) == len(made)
    for wiring in made.values():
        names = [*(veth.name for veth in wiring.veths), *(bridge.name for bridge in wiring.bridges), *dict(wiring.up)]
        assert len(set(names)) == len(names)
        assert max(map(len, names)) <= 15
        for part in (*wiring.addresses, *wiring.routes, *wiring.neighbours):
            assert wiring.index(part.link) > 1
