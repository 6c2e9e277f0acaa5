import pytest

from netlab.controllers.ordinals import Action, Member, Wanted, steps

OLD, NEW = "web-old", "web-new"
UP, GOING, DOWN, ENDED = Member(NEW), Member(NEW, deleting=True), Member(NEW, available=False), \
    Member(NEW, available=False, finished=True)
WAS = Member(OLD)


def short(actions):
    return [f"{action.verb} {action.ordinal}" + (f" {action.revision[4:]}" if action.revision else "")
            for action in actions]


@pytest.mark.parametrize(("wanted", "members", "expected"), [
    ({}, {}, ["create 0 new"]),
    ({}, {0: UP}, ["create 1 new"]),
    ({}, {0: DOWN}, []),  # in order: the next one waits
    ({}, {0: UP, 1: UP, 2: UP}, []),
    ({}, {0: UP, 2: UP}, ["create 1 new"]),
    ({}, {0: GOING, 1: UP, 2: UP}, []),
    ({}, {0: UP, 1: ENDED, 2: UP}, ["replace 1"]),
    ({"parallel": True}, {1: DOWN}, ["create 0 new", "create 2 new"]),
    ({"start": 5}, {5: UP}, ["create 6 new"]),
    ({"replicas": 1}, {0: UP, 1: UP, 2: UP}, ["delete 2"]),
    ({"replicas": 1}, {0: UP, 1: UP, 2: GOING}, []),
    ({"replicas": 1}, {0: DOWN, 1: UP}, []),  # no scaling down while one is broken
    ({"replicas": 1, "parallel": True}, {0: UP, 1: UP, 2: DOWN}, ["delete 2", "delete 1"]),
    ({"replicas": 0}, {0: UP}, ["delete 0"]),
    ({}, {0: WAS, 1: WAS, 2: WAS}, ["delete 2"]),  # updates begin at the top
    ({}, {0: WAS, 1: WAS, 2: UP}, ["delete 1"]),
    ({}, {0: WAS, 1: WAS, 2: DOWN}, []),
    ({}, {0: WAS, 1: WAS}, ["create 2 new"]),
    ({"partition": 2}, {0: WAS, 1: WAS, 2: WAS}, ["delete 2"]),
    ({"partition": 2}, {0: WAS, 1: WAS, 2: UP}, []),
    ({"partition": 2}, {0: WAS, 2: UP}, ["create 1 old"]),  # below the partition the old revision comes back
    ({"rolling": False}, {0: WAS, 1: WAS, 2: WAS}, []),
    ({"rolling": False}, {0: WAS, 1: WAS}, ["create 2 new"]),
    ({"parallel": True}, {0: WAS, 1: WAS, 2: WAS}, ["delete 2"]),  # one at a time even then
])
def test_the_next_step_of_a_stateful_set_of_three(wanted, members, expected):
    asked = Wanted(**{"replicas": 3, "current": OLD, "updated": NEW} | wanted)
    assert short(steps(asked, members)) == expected


def test_an_action_says_what_to_do_with_which_number():
    assert steps(Wanted(1, OLD, NEW), {}) == [Action("create", 0, NEW)]
