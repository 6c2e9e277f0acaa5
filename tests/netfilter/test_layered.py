"""Mappings that share entries say what a dict would say."""

import random

import pytest

from netlab.netfilter.layered import Layered, layered, may_differ


@pytest.mark.parametrize("seed", range(5))
def test_changed_mappings_are_what_dicts_would_be(seed):
    chosen = random.Random(seed)
    names = [f"k{number}" for number in range(60)]
    plain = dict.fromkeys(names[:40], 0)
    shared = before = Layered(dict(plain))
    for step in range(1, 300):
        entries = {chosen.choice(names): step for _ in range(chosen.randrange(4))}
        without = [chosen.choice(names) for _ in range(chosen.randrange(3))]
        plain = {key: value for key, value in plain.items() if key not in without} | entries
        found = before.changed(entries, without=without)
        assert found == plain
        assert plain == found
        assert dict(found) == found.flat() == plain
        assert len(found) == len(plain)
        assert all(found.get(name) == plain.get(name) for name in names)
        differing = {name for name in names if found.get(name, None) != before.get(name, None)}
        assert differing <= set(may_differ(before, found))
        assert (found == before) == (not differing)
        before = found
    assert dict(shared) == dict.fromkeys(names[:40], 0)


def test_few_changes_are_found_without_a_look_at_the_rest():
    one = layered({f"k{number}": number for number in range(1000)})
    other = one.changed({"k5": -1, "new": 0}, without=["k7"])
    assert may_differ(one, other) == ["k5", "k7", "new"]
    assert set(may_differ(one, other.flat())) == {*one, "new"}
