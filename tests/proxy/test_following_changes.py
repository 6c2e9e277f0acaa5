"""What is computed from a change equals what is computed from everything."""

import random
from dataclasses import replace

import pytest

from netlab.proxy import CACHES, MODES, nftables
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy.manifests import endpoint, endpoint_slice, port, service

VIEW = NodeView("n1", ("172.18.0.2",), "", "10.244.0.0/16")
NAMES = [f"s{number}" for number in range(12)]


def some_service(chosen, name):
    ports = [port(80, name="a")] + ([port(81, name="b")] if chosen.random() < 0.5 else [])
    if chosen.random() < 0.1:
        return service(name, f"10.96.0.{int(name[1:]) + 1}", {"port": 70000})
    more = chosen.choice([{}, {"sessionAffinity": "ClientIP"}, {"externalIPs": ["192.0.2.1"]},  # which several want
                          {"internalTrafficPolicy": "Local"},
                          {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]}])
    return service(name, f"10.96.0.{int(name[1:]) + 1}", *ports, **more)


def some_slice(chosen, name):
    ends = [endpoint(f"10.244.{chosen.randrange(2)}.{number}", node=f"n{chosen.randrange(1, 3)}")
            for number in range(chosen.randrange(3))]
    ports = [{"name": part, "port": 8080, "protocol": "TCP"} for part in "ab"]
    of = name if chosen.random() < 0.8 else chosen.choice(NAMES)  # a slice may go over to another Service
    return endpoint_slice(of, *ends, ports=ports) | {"metadata": endpoint_slice(name)["metadata"] | {
        "labels": {"kubernetes.io/service-name": of}}}


@pytest.mark.parametrize("seed", range(8))
def test_rows_and_tables_that_follow_changes_are_those_of_all_objects(seed):
    chosen = random.Random(seed)
    objects = {"services": {}, "slices": {}}
    following, cache = Snapshots(), nftables.Cache()
    for _ in range(60):
        changed = {"services": {}, "slices": {}}
        for _ in range(chosen.choice([1, 1, 1, 5])):
            kind, name = chosen.choice(list(objects)), chosen.choice(NAMES)
            make = some_service if kind == "services" else some_slice
            changed[kind]["default", name] = None if chosen.random() < 0.2 else make(chosen, name)
        for kind, found in changed.items():
            objects[kind] = {key: value for key, value in {**objects[kind], **found}.items() if value}
        rows = following.change(changed["services"], changed["slices"])
        fresh = Snapshots()
        assert rows == fresh.take(objects["services"].values(), objects["slices"].values())
        assert sorted(following.refused) == sorted(fresh.refused)
        table, = nftables.compile(rows, VIEW, cache=cache).tables
        assert table == nftables.compile(rows, VIEW).tables[0]
        assert {(key, id(row)) for key, row in enumerate(rows)} \
            == {(key, id(row)) for key, row in enumerate(following.change({}, {}))}


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("change", [{"zone": "b"}, {"name": "n2"}])
def test_rules_follow_a_node_that_changes_its_zone_and_differ_by_its_name(mode, change):
    ends = [endpoint("10.244.0.1", zone="a", hints="a"), endpoint("10.244.1.1", zone="b", hints="b")]
    for end, node in zip(ends, ("n1", "n2"), strict=True):
        end["hints"] |= {"forNodes": [{"name": node}]} if "name" in change else {}
    rows = Snapshots().take([service("web", "10.96.0.1")], [endpoint_slice("web", *ends)])
    cache, before = CACHES[mode](), replace(VIEW, zone="a")
    after = replace(before, **change)
    found = [MODES[mode](rows, view, cache=cache) for view in (before, after, before)]
    assert found == [MODES[mode](rows, view, cache=CACHES[mode]()) for view in (before, after, before)]
    assert (found[0] != found[1]) == (mode != "userspace")  # which knows no zones


def test_a_change_leaves_what_it_does_not_touch_the_same_object():
    objects = [service(name, f"10.96.0.{int(name[1:]) + 1}") for name in NAMES]
    slices = [endpoint_slice(name, endpoint("10.244.0.1")) for name in NAMES]
    following, cache = Snapshots(), nftables.Cache()
    before = nftables.compile(following.take(objects, slices), VIEW, cache=cache).tables[0]
    moved = endpoint_slice("s3", endpoint("10.244.0.2"))
    after = nftables.compile(following.change({}, {("default", "s3-x1"): moved}), VIEW, cache=cache).tables[0]
    assert all(after.elements[name] is before.elements[name] for name in before.elements if name != "nodeport-ips")
    differing = {name for name in after.chains if after.chains[name] is not before.chains.get(name)}
    assert len(differing) == 2
    assert all("default/s3/" in name for name in differing)


def test_nodes_whose_rules_are_alike_have_the_same_chains():
    objects = [service(name, f"10.96.0.{int(name[1:]) + 1}") for name in NAMES]
    rows, cache = Snapshots().take(objects, [endpoint_slice("s1", endpoint("10.244.0.1"))]), nftables.Cache()
    first, second = (nftables.compile(rows, NodeView(f"n{n}", (f"172.18.0.{n}",), f"zone{n}", "10.244.0.0/16",
                                                     gateways=(f"10.244.{n}.1",)), cache=cache).tables[0]
                     for n in (2, 3))
    assert first.chains is second.chains
    assert [dict(one.elements["nodeport-ips"]).keys() for one in (first, second)] \
        == [{("172.18.0.2",)}, {("172.18.0.3",)}]
