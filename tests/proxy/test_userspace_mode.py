from itertools import islice
from pathlib import Path

import pytest

from netlab.netfilter import render
from netlab.netfilter.render import render_rule
from netlab.proxy import userspace
from netlab.proxy.backends import Backend
from netlab.proxy.round_robin import RoundRobin
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy.worked import WORKED

GOLDEN = Path(__file__).with_name("golden") / "userspace"
A, B, C = (Backend(f"10.244.1.{n}", 80) for n in (1, 2, 3))


def compiled(name):
    view = NodeView("n1", ("172.18.0.2",), "", "10.244.0.0/16")
    return userspace.compile(Snapshots().take(*WORKED[name]), view)


@pytest.mark.parametrize("name", WORKED)
def test_rules_are_those_of_the_worked_example(name):
    found = compiled(name)
    assert render(found.rules(found.assumed_ports)) == (GOLDEN / f"{name}.txt").read_text()


def test_a_node_port_is_let_in_at_the_port_it_was_redirected_to():
    found = compiled("nodeport-2")
    (port,) = found.assumed_ports.values()
    (rule,) = found.rules(found.assumed_ports).table("filter").by_name["KUBE-NODEPORT-NON-LOCAL"].rules
    assert render_rule(rule).endswith(f"-m tcp --dport {port} -m state --state NEW -j ACCEPT")


def first(choice, client="c", now=0.0):
    return next(choice.order(client, now=now), None)


def test_backends_are_taken_in_turn():
    choice = RoundRobin()
    choice.set((A, B, C), affinity_seconds=0)
    assert [first(choice) for _ in range(5)] == [A, B, C, A, B]


def tried(choice, client="c", now=0.0, *, count=4):
    return list(islice(choice.order(client, now=now), count))


def test_a_failed_backend_is_followed_by_the_next_in_turn():
    choice = RoundRobin()
    choice.set((A, B, C), affinity_seconds=0)
    assert [tried(choice), tried(choice)] == [[A, B, C, A], [B, C, A, B]]
    choice.set((A,), affinity_seconds=0)
    assert tried(choice) == [A, A, A, A]
    choice.set((), affinity_seconds=0)
    assert tried(choice) == []


def test_a_client_with_affinity_keeps_the_backend_that_was_tried_last():
    choice = RoundRobin()
    choice.set((A, B, C), affinity_seconds=10)
    assert [first(choice), tried(choice, count=2)] == [A, [A, B]]  # the turn is B's, and B is remembered
    assert [first(choice), tried(choice, count=3), first(choice, "d")] == [B, [B, C, A], B]


def test_whose_turn_it_is_and_who_is_remembered_are_a_matter_of_addresses():
    choice = RoundRobin()
    choice.set((A, B, C), affinity_seconds=10)
    assert [first(choice, "c"), first(choice, "d")] == [A, B]
    moved = tuple(one._replace(zones=frozenset({"z1"}), target="other") for one in (A, B, C))
    choice.set(moved, affinity_seconds=10)
    assert [first(choice, client).text for client in "cde"] == [one.text for one in (A, B, C)]
    choice.set((A, B), affinity_seconds=10)
    assert [first(choice, client).text for client in "cdef"] == [one.text for one in (A, B, A, B)]


def test_a_client_with_affinity_keeps_its_backend_for_the_time_from_its_last_use():
    choice = RoundRobin()
    choice.set((A, B), affinity_seconds=10)
    assert [first(choice, "c", 0), first(choice, "d", 0), first(choice, "c", 9), first(choice, "c", 18)] == [A, B, A, A]
    assert first(choice, "e", 18) == A
    assert first(choice, "c", 28) == B


def test_a_client_whose_backend_is_gone_gets_another():
    choice = RoundRobin()
    choice.set((A, B), affinity_seconds=10)
    assert first(choice) == A
    choice.set((B,), affinity_seconds=10)
    assert first(choice) == B
