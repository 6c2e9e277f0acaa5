import pytest

from netlab.controllers.rolling import Limits, Size, grow_new, limits, scale_in_proportion, shrink_old


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "result"), [
    (4, "25%", "25%", (4, 1, 1)),
    (3, "25%", "25%", (3, 1, 0)),  # surge up, unavailable down
    (1, "25%", "25%", (1, 1, 0)),
    (10, "25%", "25%", (10, 3, 2)),
    (0, "25%", "25%", (0, 0, 0)),
    (3, 0, 0, (3, 0, 1)),  # else it could not move at all
    (3, 0, "10%", (3, 0, 1)),
    (2, 1, 5, (2, 1, 2)),
    (3, "100%", 0, (3, 3, 0)),
])
def test_surge_and_unavailable_are_resolved(replicas, surge, unavailable, result):
    assert limits(replicas, surge, unavailable) == Limits(*result)


@pytest.mark.parametrize(("allowed", "new", "total", "result"), [
    (Limits(3, 1, 0), 0, 3, 1),
    (Limits(3, 1, 0), 1, 4, 1),  # full
    (Limits(3, 1, 0), 1, 3, 2),
    (Limits(3, 1, 0), 3, 3, 3),
    (Limits(3, 1, 0), 5, 5, 3),  # scaled down
    (Limits(10, 3, 2), 0, 10, 3),
    (Limits(10, 3, 2), 0, 15, 0),
    (Limits(2, 5, 0), 0, 0, 2),
])
def test_the_new_set_grows_as_far_as_the_surge_allows(allowed, new, total, result):
    assert grow_new(allowed, new, total) == result


@pytest.mark.parametrize(("allowed", "new", "old", "result"), [
    (Limits(3, 1, 0), (1, 0), [("a", 3, 3)], {}),  # the new pod is not available yet
    (Limits(3, 1, 0), (1, 1), [("a", 3, 3)], {"a": 2}),
    (Limits(10, 3, 2), (3, 0), [("a", 10, 10)], {"a": 8}),
    (Limits(3, 1, 0), (1, 0), [("a", 3, 1)], {}),
    (Limits(3, 1, 1), (1, 0), [("a", 3, 2)], {"a": 2}),  # the broken old pod goes first
    (Limits(4, 1, 1), (2, 2), [("a", 2, 2), ("b", 1, 1)], {"a": 0}),  # the oldest first
    (Limits(3, 0, 3), (0, 0), [("a", 3, 3)], {"a": 0}),
])
def test_old_sets_shrink_as_far_as_availability_allows(allowed, new, old, result):
    assert shrink_old(allowed, Size("new", *new), [Size(*size) for size in old]) == result


@pytest.mark.parametrize(("replicas", "surge", "sets", "result"), [
    # 10 of 10+3 during a rollout 8 old + 5 new, scaled to 15 (surge 25% -> 4): 19 in all
    (15, 4, [("new", 5, 0, 13), ("old", 8, 0, 13)], {"old": 12, "new": 7}),
    (5, 2, [("new", 5, 0, 13), ("old", 8, 0, 13)], {"old": 4, "new": 3}),
    (0, 0, [("new", 1, 0, 4), ("old", 3, 0, 4)], {"old": 0, "new": 0}),
    (10, 3, [("new", 5, 0, 13), ("old", 8, 0, 13)], {"old": 8, "new": 5}),
])
def test_scaling_in_the_middle_of_a_rollout_keeps_the_shares(replicas, surge, sets, result):
    assert scale_in_proportion(Limits(replicas, surge, 0), [Size(*size) for size in sets], 13) == result


def test_a_rollout_never_breaks_its_limits():
    for replicas in range(1, 12):
        for surge, unavailable in ((1, 0), (0, 1), ("25%", "25%"), ("50%", "50%"), ("100%", 0)):
            allowed = limits(replicas, surge, unavailable)
            new, old = Size("new", 0), Size("old", replicas, replicas)
            for _ in range(100):
                grown = grow_new(allowed, new.replicas, new.replicas + old.replicas)
                if grown != new.replicas:
                    new = Size("new", grown, new.available)
                elif (shrunk := shrink_old(allowed, new, [old])):
                    old = Size("old", shrunk["old"], shrunk["old"])
                else:
                    new = Size("new", new.replicas, new.replicas)
                assert new.replicas + old.replicas <= allowed.most
                assert new.available + old.available >= allowed.fewest
            assert (new.replicas, old.replicas) == (replicas, 0)
