import pytest

from netlab.controllers.slice_filling import Filled
from netlab.controllers.topology_cache import TopologyCache, cpu_shares, is_auto, is_overloaded

WEB = ("default", "web")
CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": ""}


def node(zone, cpu, *, ready="True", labels=None):
    labels = (labels or {}) | ({"topology.kubernetes.io/zone": zone} if zone else {})
    return {"metadata": {"labels": labels},
            "status": {"allocatable": {"cpu": cpu}, "conditions": [{"type": "Ready", "status": ready}]}}


@pytest.mark.parametrize(("nodes", "result"), [
    ([node("a", "4")], {}),  # one zone: nothing to distribute
    ([node("a", "4"), node("b", "4")], {"a": 0.5, "b": 0.5}),
    ([node("a", "1500m"), node("a", "1500m"), node("b", "1")], {"a": 0.75, "b": 0.25}),
    ([node("a", "4"), node("b", "4"), node("c", "4", ready="False")], {"a": 0.5, "b": 0.5}),
    ([node("a", "4"), node("b", "4"), node("", "4", labels=CONTROL_PLANE)], {"a": 0.5, "b": 0.5}),
    ([node("a", "4"), node("b", "4"), node("", "4")], {}),  # a worker without a zone
    ([node("a", "4"), node("b", "0")], {}),
])
def test_zones_share_the_cpu_of_ready_workers(nodes, result):
    assert cpu_shares(nodes) == result


@pytest.mark.parametrize(("annotations", "result"), [
    ({}, False),
    ({"service.kubernetes.io/topology-mode": "Auto"}, True),
    ({"service.kubernetes.io/topology-mode": "auto"}, True),
    ({"service.kubernetes.io/topology-mode": "AUTO"}, False),
    ({"service.kubernetes.io/topology-mode": "Auto", "service.kubernetes.io/topology-aware-hints": "Disabled"}, False),
])
def test_the_older_annotation_goes_before_the_newer(annotations, result):
    assert is_auto({"metadata": {"annotations": annotations}}) == result


def part(zones, *, hints="", changed=True):
    """A slice with an endpoint per letter: its zone; upper case is not ready, `-` has none."""
    endpoints = [{"addresses": [f"10.0.0.{number}"], "conditions": {"ready": letter.islower() or letter == "-"}}
                 | ({"zone": letter.lower()} if letter != "-" else {})
                 | ({"hints": {"forZones": [{"name": hints[number]}]}} if hints else {})
                 for number, letter in enumerate(zones)]
    return Filled({}, tuple(endpoints), changed=changed)


def hints(parts):
    return ["".join(e["hints"]["forZones"][0]["name"] if "hints" in e else "." for e in each.endpoints)
            for each in parts]


def cache(**zones):
    made = TopologyCache()
    made.zones = zones
    return made


@pytest.mark.parametrize(("zones", "slices", "result"), [
    ({"a": .5, "b": .5}, ["ab"], ["ab"]),
    ({"a": .5, "b": .5}, ["aabb", "ab"], ["aabb", "ab"]),
    ({"a": .5, "b": .5}, ["aaab"], ["baab"]),  # the richer zone gives one
    ({"a": .5, "b": .5}, ["aaaa"], ["bbaa"]),
    ({"a": .45, "b": .55}, ["aabb"], ["aabb"]),  # a fifth of an endpoint is not moved
    ({"a": .75, "b": .25}, ["aabb"], ["aaab"]),
    ({"a": .5, "b": .5}, ["aAbB"], ["a.b."]),  # who is not ready is not counted
    ({"a": .35, "b": .35, "c": .3}, ["abc", "aaa"], ["bbc", "caa"]),
])
def test_ready_endpoints_are_given_to_zones_by_their_share(zones, slices, result):
    found, events = cache(**zones).hint(WEB, "IPv4", [part(each) for each in slices])
    assert hints(found) == result
    assert [event.reason for event in events] == ["TopologyAwareHintsEnabled"]


@pytest.mark.parametrize(("zones", "slices", "message"), [
    ({}, "ab", "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"),
    ({"a": .5, "b": .5}, "a", "Insufficient number of endpoints (1 endpoints, 2 zones)"),
    ({"a": .4, "b": .3, "c": .3}, "abc", "Unable to allocate minimum required endpoints to each zone without exceeding "
                                         "overload threshold (3 endpoints, 3 zones)"),
    ({"a": .5, "b": .5}, "aab", "Unable to allocate minimum required endpoints to each zone without exceeding "
                                "overload threshold (3 endpoints, 2 zones)"),
    ({"a": .5, "b": .5}, "aabb--", "One or more endpoints do not have a zone specified"),
])
def test_there_are_no_hints_where_no_distribution_is_good(zones, slices, message):
    made = cache(**zones)
    found, events = made.hint(WEB, "IPv4", [part(slices, hints="x" * len(slices), changed=False)])
    assert (hints(found), found[0].changed) == (["." * len(slices)], True)
    assert events == [("Warning", "TopologyAwareHintsDisabled", f"{message}, addressType: IPv4")]
    assert not made.has_hints(WEB)


@pytest.mark.parametrize(("zones", "old", "result", "changed"), [
    ({"a": .5, "b": .5}, "ab", "ab", False),
    ({"a": .5, "b": .5}, "ba", "ba", False),  # odd, but both zones have what they need
    ({"a": .5, "b": .5}, "aa", "ab", True),  # b has nothing
    ({"a": .5, "b": .5}, "ac", "ab", True),  # a zone that is not there any more
])
def test_slices_that_are_right_stay_as_they_are(zones, old, result, changed):
    found, _ = cache(**zones).hint(WEB, "IPv4", [part("ab", hints=old, changed=False)])
    assert (hints(found), found[0].changed) == ([result], changed)


def test_news_is_told_once_and_services_are_overloaded_when_zones_shift():
    made = cache(a=.5, b=.5)
    assert made.hint(WEB, "IPv4", [part("ab")])[1] == [
        ("Normal", "TopologyAwareHintsEnabled", "Topology Aware Hints has been enabled, addressType: IPv4")]
    assert made.hint(WEB, "IPv4", [part("ab")])[1] == []
    assert made.overloaded() == []
    made.zones = {"a": .5, "c": .5}
    assert made.overloaded() == [WEB]
    made.remove(WEB, "IPv4")
    assert made.overloaded() == []


@pytest.mark.parametrize(("given", "zones", "result"), [
    ({}, {"a": 1.0}, False),
    ({"a": 1}, {}, True),
    ({"a": 5, "b": 5}, {"a": .5, "b": .5}, False),
    ({"a": 5, "b": 5}, {"a": .6, "b": .4}, False),  # 5 of 10 for 60 %: just 20 % more than its share for each
    ({"a": 5, "b": 5}, {"a": .7, "b": .3}, True),
    ({"a": 5}, {"a": .9, "b": .1}, True),
])
def test_a_zone_may_have_a_fifth_more_load_than_its_share(given, zones, result):
    assert is_overloaded(given, zones) == result
