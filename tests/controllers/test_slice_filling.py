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
])
def test_endpoints_are_filled_into_slices_of_three(slices, wanted, result):
    filled = fill([part(*s[:1], *s[1]) for s in slices], [endpoint(e) for e in wanted], limit=3)
    assert sorted(shown(filled), key=str) == sorted(result, key=str)


def test_a_changed_condition_changes_the_endpoint_where_it_is():
    filled = fill([part("x", "a", "b"), part("y", "c")], [endpoint(e, e != "a") for e in "abc"], limit=3)
    assert [(f.slice["metadata"]["name"], [e["conditions"]["ready"] for e in f.endpoints]) for f in filled] == \
        [("x", [False, True]), ("y", [True])]


def test_a_hundred_and_one_endpoints_make_two_slices():
    assert [len(f.endpoints) for f in fill([], [endpoint(str(n)) for n in range(101)])] == [100, 1]
