import pytest

from netlab.controllers.slice_filling import fill


def endpoint(name, ready=True):
    return {"addresses": [name], "conditions": {"ready": ready}}


def part(name, *endpoints):
    return {"metadata": {"name": name}, "endpoints": [endpoint(e) for e in endpoints]}


def shown(filled):
    return [(f.slice["metadata"]["name"] if f.slice else None, "".join(e["addresses"][0] for e in f.endpoints))
            for f in filled]


@pytest.mark.parametrize(("slices", "wanted", "result"), [
    ([], "", []),
    ([], "abcdefg", [(None, "abc"), (None, "def"), (None, "g")]),
    ([("x", "abc")], "abc", [("x", "abc")]),
    ([("x", "abc")], "abcd", [("x", "abc"), (None, "d")]),  # full slices stay as they are
    ([("x", "a"), ("y", "bc")], "abcd", [("y", "bcd"), ("x", "a")]),  # the fullest unchanged one with room
    ([("x", "ab"), ("y", "c")], "acde", [("x", "ade"), ("y", "c")]),  # x changes anyway
    ([("x", "abc"), ("y", "def")], "adeg", [("x", "a"), ("y", "deg")]),  # the fullest changed one first
    ([("x", "a"), ("y", "b")], "a", [("x", "a")]),  # an emptied slice goes
    ([("x", "a"), ("y", "b")], "ab", [("x", "a"), ("y", "b")]),  # no rebalancing
    ([("x", "ab")], "abcde", [("x", "ab"), (None, "cde")]),  # a full slice's worth goes into a new one
    ([("x", "a")], "abcdef", [(None, "bcd"), ("x", "aef")]),  # and what is left then into one with room
    ([("x", "")], "ab", [("x", "ab")]),  # one without endpoints is as good as any
    ([("x", "ab"), ("y", "bc")], "abc", [("x", "ab"), ("y", "c")]),  # an endpoint is in one slice only
])
def test_endpoints_are_filled_into_slices_of_three(slices, wanted, result):
    filled = fill([part(*s[:1], *s[1]) for s in slices], [endpoint(e) for e in wanted], limit=3)
    assert sorted(shown(filled), key=str) == sorted(result, key=str)


def test_a_changed_condition_changes_the_endpoint_where_it_is():
    filled = fill([part("x", "a", "b"), part("y", "c")], [endpoint(e, e != "a") for e in "abc"], limit=3)
    assert [(f.slice["metadata"]["name"], [e["conditions"]["ready"] for e in f.endpoints]) for f in filled] == \
        [("x", [False, True]), ("y", [True])]


def test_a_slice_that_changes_anyway_takes_new_endpoints():
    slices = [part("x", "a", "b"), part("y", "c")]
    filled = fill(slices, [endpoint(e) for e in "abcd"], limit=3, outdated=lambda one: one is slices[1])
    assert [(*pair, f.changed) for pair, f in zip(shown(filled), filled, strict=True)] == [
        ("y", "cd", True), ("x", "ab", False)]


def test_hints_change_nothing_and_stay_in_slices_that_do_not_change():
    slices = [{"metadata": {"name": "x"}, "endpoints": [endpoint("a") | {"hints": {"forZones": [{"name": "z"}]}}]}]
    (kept,) = fill(slices, [endpoint("a")], limit=3)
    assert (kept.changed, kept.endpoints[0]["hints"]) == (False, {"forZones": [{"name": "z"}]})
    (filled,) = fill(slices, [endpoint("a"), endpoint("b")], limit=3)
    assert (filled.changed, filled.endpoints) == (True, (endpoint("a"), endpoint("b")))


def test_a_pod_of_the_same_name_and_address_takes_its_predecessors_place():
    def pod(uid):
        return endpoint("a") | {"targetRef": {"kind": "Pod", "namespace": "default", "name": "db-0", "uid": uid}}

    old = {"metadata": {"name": "x"}, "endpoints": [pod("1"), endpoint("b")]}
    (filled,) = fill([old], [endpoint("b"), pod("2")], limit=3)
    assert (filled.changed, filled.endpoints) == (True, (pod("2"), endpoint("b")))


def test_a_hundred_and_one_endpoints_make_two_slices():
    assert [len(f.endpoints) for f in fill([], [endpoint(str(n)) for n in range(101)])] == [100, 1]
