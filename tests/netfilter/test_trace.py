import pytest

from netlab.netfilter import Packet, Rule, trace
from netlab.netfilter.rule import ACCEPT, DROP, RETURN, Comment, Dnat, Jump, Marked, Reject, SetMark, chance, port_match
from netlab.netfilter.ruleset import Chain, ruleset, table

FORWARDED = Packet("10.244.1.5", "10.244.2.5", 80, "tcp", "veth0")


def through(*rules, chains=(), policy="ACCEPT"):
    """The trace of a forwarded packet when filter's FORWARD has these rules."""
    return trace(ruleset([table("filter", [Chain("FORWARD", rules, policy), *chains])]), FORWARDED)


def test_without_rules_the_policy_decides():
    assert through().verdicts == {"accept"}
    assert through(policy="DROP").verdicts == {"drop"}


@pytest.mark.parametrize(("rules", "verdict"), [
    ((Rule((), DROP), Rule((), ACCEPT)), "drop"),  # the first one that decides
    ((Rule((Comment("x"),)), Rule((), Reject())), "reject"),  # without a target a rule only counts
    ((Rule((), DROP, "10.244.1.0/24", inverted=frozenset({"source"})),), "accept"),
    ((Rule((), DROP, in_interface="veth+"),), "drop"),
    ((Rule((port_match("tcp", 81),), DROP, protocol="tcp"),), "accept"),
    ((Rule((port_match("udp", 80),), DROP, protocol="udp"),), "accept"),
    ((Rule((), SetMark(0x4000, 0x4000)), Rule((Marked(0x4000, 0x4000),), DROP)), "drop"),
    ((Rule((), SetMark(0x4001)), Rule((), SetMark(0x4000, 0)), Rule((Marked(1),), DROP)), "drop"),  # xor
    ((Rule((), Jump("SUB")), Rule((), DROP)), "drop"),  # SUB returns
    ((Rule((), Jump("SUB", goto=True)), Rule((), DROP)), "accept"),  # and from a goto it returns to the policy
])
def test_rules_act_in_order(rules, verdict):
    assert through(*rules, chains=[Chain("SUB", (Rule((), RETURN), Rule((), DROP)))]).verdicts == {verdict}


def test_both_sides_of_a_chance_are_followed_with_their_weights():
    found = through(Rule((chance(0.25),), DROP), Rule((chance(0.5),), Reject()))
    assert {o.verdict: round(o.weight, 6) for o in found.outcomes} == {"drop": 0.25, "reject": 0.375, "accept": 0.375}


def test_the_rules_that_matched_are_told():
    nat = table("nat", {"PREROUTING": [Rule((Comment("in"),), Jump("K"))], "K": [Rule((), Dnat("10.244.3.3", 8080))]})
    (outcome,) = trace(ruleset([nat]), FORWARDED).outcomes
    assert [str(step) for step in outcome.steps] == [
        "nat -A PREROUTING -m comment --comment in -j K", "nat -A K -j DNAT --to-destination 10.244.3.3:8080"]
    assert (outcome.address, outcome.port) == ("10.244.3.3", 8080)


def test_routing_decides_between_input_and_forward_after_dnat():
    tables = [table("nat", {"PREROUTING": [Rule((), Dnat("172.18.0.2", 80))]}),
              table("filter", [Chain("INPUT", (Rule((), DROP),)), Chain("FORWARD", (Rule((), Reject()),))])]
    assert trace(ruleset(tables), FORWARDED, addresses=["172.18.0.2"]).verdicts == {"drop"}
    assert trace(ruleset(tables), FORWARDED).verdicts == {"reject"}
