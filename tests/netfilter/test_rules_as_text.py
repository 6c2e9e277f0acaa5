import pytest

from netlab.netfilter import Chain, NotUnderstood, Rule, diff, parse, render
from netlab.netfilter.render import render_rule
from netlab.netfilter.rule import (
    ACCEPT,
    AddressType,
    Comment,
    Dnat,
    Jump,
    Marked,
    Masquerade,
    Ports,
    Recent,
    Reject,
    SetMark,
    State,
    chance,
    port_match,
)
from netlab.netfilter.ruleset import ruleset, table

# Each line was printed by iptables-legacy-save 1.8.9; the kernel test loads them all.
TEXTS = [
    (Rule((), ACCEPT), "-j ACCEPT"),
    (Rule((), Jump("KUBE-X", goto=True)), "-g KUBE-X"),
    (Rule((Comment("plain-word_1"),)), "-m comment --comment plain-word_1"),
    (Rule((Comment("default/web"),)), '-m comment --comment "default/web"'),
    (Rule((Comment("a'b\"c\\d"),)), r'-m comment --comment "a\'b\"c\\d"'),
    (Rule((Comment("-> x"), Marked(1)), ACCEPT), '-m comment --comment "-> x" -m mark --mark 0x1 -j ACCEPT'),
    (Rule((port_match("tcp", 80),), ACCEPT, "10.0.0.1/32", "10.1.0.0/16", "tcp", "eth0", "veth+",
          frozenset({"source", "in_interface"})),
     "! -s 10.0.0.1/32 -d 10.1.0.0/16 ! -i eth0 -o veth+ -p tcp -m tcp --dport 80 -j ACCEPT"),
    (Rule((Ports("udp", (80, 90), (53, 53)),), ACCEPT, protocol="udp"),
     "-p udp -m udp --sport 53 --dport 80:90 -j ACCEPT"),
    (Rule((Ports("tcp"),), ACCEPT, protocol="tcp"), "-p tcp -m tcp -j ACCEPT"),
    (Rule((port_match("sctp", 80),), ACCEPT, protocol="sctp"), "-p sctp -m sctp --dport 80 -j ACCEPT"),
    (Rule((State(frozenset({"DNAT", "RELATED", "ESTABLISHED"}), True),), ACCEPT),
     "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT"),
    (Rule((State(frozenset({"NEW"}), old_name=True),), ACCEPT), "-m state --state NEW -j ACCEPT"),
    (Rule((State(frozenset({"INVALID", "NEW"}), True, True),), ACCEPT), "-m state ! --state INVALID,NEW -j ACCEPT"),
    (Rule((Marked(0x4000, 0x4000, True),), ACCEPT), "-m mark ! --mark 0x4000/0x4000 -j ACCEPT"),
    (Rule((chance(0.3333333333),), ACCEPT), "-m statistic --mode random --probability 0.33333333349 -j ACCEPT"),
    (Rule((AddressType("LOCAL"),), ACCEPT), "-m addrtype --src-type LOCAL -j ACCEPT"),
    (Rule((AddressType(destination="LOCAL"),), ACCEPT), "-m addrtype --dst-type LOCAL -j ACCEPT"),
    (Rule((Recent("rcheck", "KUBE-SEP-L", 10800, True),), ACCEPT),
     "-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-L --mask 255.255.255.255 --rsource -j ACCEPT"),
    (Rule((Recent("set", "KUBE-SEP-L"),), ACCEPT),
     "-m recent --set --name KUBE-SEP-L --mask 255.255.255.255 --rsource -j ACCEPT"),
]
NAT_TEXTS = [
    (Rule((), SetMark(0x4000, 0)), "-j MARK --set-xmark 0x4000/0x0"),
    (Rule((), Masquerade(True)), "-j MASQUERADE --random-fully"),
    (Rule((), Masquerade()), "-j MASQUERADE"),
    (Rule((Ports("tcp"),), Dnat("10.244.1.10", 8080), protocol="tcp"),
     "-p tcp -m tcp -j DNAT --to-destination 10.244.1.10:8080"),
]
FILTER_TEXTS = [
    (Rule((), Reject()), "-j REJECT --reject-with icmp-port-unreachable"),
    (Rule((Ports("tcp"),), Reject("tcp-reset"), protocol="tcp"), "-p tcp -m tcp -j REJECT --reject-with tcp-reset"),
]
# In a user chain: where a verdict ends things the rest is never reached, but it is kept.
ALL = ruleset([
    table("filter", [Chain("KUBE-X"), Chain("KUBE-Y", tuple(rule for rule, _ in TEXTS + FILTER_TEXTS)),
                     Chain("FORWARD", (), "DROP")]),
    table("nat", [Chain("KUBE-N", tuple(rule for rule, _ in NAT_TEXTS))]),
])


@pytest.mark.parametrize(("rule", "text"), TEXTS + NAT_TEXTS + FILTER_TEXTS, ids=lambda value: str(value)[:40])
def test_a_rule_is_printed_as_iptables_save_does(rule, text):
    assert render_rule(rule) == " " + text


def test_chains_come_in_the_kernels_order_with_their_policies():
    text = render(ruleset([table("filter", [Chain("KUBE-B"), Chain("KUBE-A"), Chain("FORWARD", (), "DROP")])]))
    assert text == ("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
                    ":KUBE-A - [0:0]\n:KUBE-B - [0:0]\nCOMMIT\n")


def test_what_is_printed_can_be_read_again():
    assert parse(render(ALL)) == ALL


def test_counters_and_remarks_do_not_count():
    text = "# by hand\n" + render(ALL).replace("[0:0]", "[12:3456]")
    assert parse(text) == ALL


@pytest.mark.parametrize("line", [
    "-A FORWARD -m hashlimit --hashlimit-name x -j ACCEPT", "-A FORWARD --frobnicate", "-A NOWHERE -j ACCEPT",
    "-A FORWARD -m tcp --tcp-flags SYN SYN -j ACCEPT", "-A FORWARD -p",
])
def test_what_rules_cannot_say_is_refused_with_its_line(line):
    with pytest.raises(NotUnderstood, match="line 4: "):
        parse(f"*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j ACCEPT\n{line}\nCOMMIT\n")


def test_a_diff_names_what_came_and_went():
    old = ruleset([table("nat", {"KUBE-A": [Rule((), ACCEPT)], "KUBE-B": []})])
    new = ruleset([table("nat", {"KUBE-A": [Rule((), Jump("RETURN")), Rule((), ACCEPT)], "KUBE-C": []})])
    assert diff(old, new) == ["+ nat -A KUBE-A -j RETURN", "- nat :KUBE-B -", "+ nat :KUBE-C -"]
    assert diff(new, new) == []
