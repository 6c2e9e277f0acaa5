import pytest

from netlab.netfilter import Chain, Rule
from netlab.netfilter.part import Part, Shape, Words, part
from netlab.netfilter.rule import ACCEPT, DROP, RETURN
from netlab.netfilter.ruleset import Table, table

ONE, TWO, THREE = Rule((), ACCEPT), Rule((), DROP), Rule((), RETURN)
COMMON = part([Chain("KUBE-A", (ONE,)), Chain("INPUT", (), "DROP")])


def unseen():
    raise AssertionError("these chains need not be made")


def test_a_chain_of_several_parts_has_the_rules_of_all_in_their_order():
    found = Table("nat", [COMMON, part([Chain("KUBE-B"), Chain("KUBE-A", (TWO,))]), part([Chain("KUBE-A", (THREE,))])])
    assert [chain.name for chain in found.chains] == ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING", "KUBE-A",
                                                      "KUBE-B"]
    assert found.by_name["KUBE-A"].rules == (ONE, TWO, THREE)
    assert found.by_name["INPUT"].policy == "DROP"
    assert found.by_name["OUTPUT"].policy == "ACCEPT"


@pytest.mark.parametrize(("mine", "theirs", "expected"), [
    ([], [], True),
    ([part([Chain("KUBE-B", (TWO,))])], [part([Chain("KUBE-B", (TWO,))])], True),
    ([part([Chain("KUBE-B", (TWO,))])], [part([Chain("KUBE-B", (THREE,))])], False),
    ([part([Chain("KUBE-B", (TWO,))])], [], False),
    ([part([Chain("KUBE-B")])], [], False),
    ([part([Chain("KUBE-A")])], [], True),
    ([part([Chain("INPUT")])], [part([Chain("OUTPUT", (), "ACCEPT")])], True),
    ([part([Chain("KUBE-A", (TWO, THREE))])], [part([Chain("KUBE-A", (TWO,))]), part([Chain("KUBE-A", (THREE,))])],
     True),
    ([part([Chain("KUBE-A", (TWO, THREE))])], [part([Chain("KUBE-A", (THREE,))]), part([Chain("KUBE-A", (TWO,))])],
     False),
])
def test_tables_are_equal_if_their_chains_are_however_they_are_cut(mine, theirs, expected):
    assert (Table("nat", [COMMON, *mine, COMMON]) == Table("nat", [COMMON, *theirs, COMMON])) is expected
    assert (Table("nat", [COMMON, *mine]) == Table("nat", [COMMON, *theirs])) is expected


def test_tables_of_other_names_are_not_equal():
    assert table("nat", {}) != table("filter", {})


def test_what_tables_have_in_common_is_not_made_to_compare_them():
    hidden = Part(unseen)
    assert Table("nat", [hidden, COMMON]) == Table("nat", [hidden, COMMON])
    assert Table("nat", [hidden, COMMON, hidden]) != Table("nat", [hidden, part([Chain("KUBE-A", (TWO,))]), hidden])


def test_parts_of_one_shape_with_the_same_words_are_equal():
    words = Words(("default/web",))
    assert Part(unseen, shape=Shape(COMMON, words)) == Part(unseen, shape=Shape(COMMON, Words(("default/web",))))
