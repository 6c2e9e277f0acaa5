import pytest

from netlab.netfilter.nft import (
    Chain,
    Collection,
    Compare,
    Dnat,
    Element,
    Hook,
    Lookup,
    NftRuleset,
    NftTable,
    Reject,
    Rule,
    Spread,
    Update,
    Verdict,
    by_name,
)
from netlab.netfilter.nft_changes import changes, difference
from netlab.netfilter.nft_parse import parse_nft, parse_nft_rule
from netlab.netfilter.nft_render import duration, hook_text, render_nft, rule_text
from netlab.netfilter.parse import NotUnderstood


@pytest.mark.parametrize("line", [
    "ct state new jump firewall-check",
    "meta mark & 0x00004000 == 0x00000000 return",
    "meta mark set meta mark ^ 0x00004000",
    "masquerade fully-random",
    "ip daddr . meta l4proto . th dport vmap @service-ips",
    "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports",
    'ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"',
    "ip daddr 10.96.45.10 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade",
    'iifname != "veth*" jump mark-for-masquerade',
    "ip saddr != { 192.0.2.11, 203.0.113.0/24 } drop",
    "numgen random mod 2 vmap { 0 : goto a__10.0.0.1/80, 1 : goto b__10.0.0.2/80 }",
    "update @affinity-X { ip saddr }",
    "ip saddr @affinity-X goto endpoint-X",
    "meta l4proto udp dnat to 10.244.1.10:53",
    "meta l4proto tcp dnat to [fd00::1]:80",
    'fib saddr type local goto service-X comment "short-circuit local traffic"',
])
def test_a_rule_is_printed_as_it_was_read(line):
    assert rule_text(parse_nft_rule(line)) == line


@pytest.mark.parametrize("line", ["counter packets 1 bytes 2 accept", "ip ttl 1 drop", "log prefix \"x\" drop",
                                  "numgen random mod 2 vmap { 1 : goto a, 0 : goto b }"])
def test_a_rule_that_ours_never_say_is_refused(line):
    with pytest.raises(NotUnderstood):
        parse_nft_rule(line)


@pytest.mark.parametrize(("hook", "text"), [
    (Hook("filter", "prerouting", -110), "type filter hook prerouting priority dstnat - 10; policy accept;"),
    (Hook("filter", "output", -110), "type filter hook output priority -110; policy accept;"),
    (Hook("filter", "input", 0), "type filter hook input priority filter; policy accept;"),
    (Hook("nat", "postrouting", 100), "type nat hook postrouting priority srcnat; policy accept;"),
])
def test_priorities_have_names_where_nft_gives_them_one(hook, text):
    assert hook_text(hook) == text


@pytest.mark.parametrize(("seconds", "text"), [(10800, "3h"), (1, "1s"), (93784, "1d2h3m4s"), (86400, "1d")])
def test_durations_are_those_of_nft(seconds, text):
    assert duration(seconds) == text


def table(*backends, address="10.96.0.5"):
    """A Service with these backends, as a small table."""
    names = [f"endpoint-{ip}" for ip in backends]
    chains = [Chain("nat-output", (Rule((), Lookup(("ip daddr", "meta l4proto", "th dport"), "service-ips")),),
                    Hook("nat", "output", -100))]
    if backends:
        chains.append(Chain("service-a", (Rule((), Spread(tuple(names))),)))
    chains += [Chain(f"endpoint-{ip}", (Rule((), Update("kept", "ip saddr")), Rule(
        (Compare("meta l4proto", ("tcp",)),), Dnat(ip, 80)))) for ip in backends]
    elements = {"service-ips": {(address, "tcp", "80"): Element(Verdict("goto", "service-a"))}} if backends else {}
    return NftTable("ip", "t", "mine", {
        "service-ips": Collection("service-ips", "ipv4_addr . inet_proto . inet_service : verdict"),
        "kept": Collection("kept", "ipv4_addr", timeout=60)}, elements, by_name(chains))


def commands(old, new, **stale):
    return [line.replace("ip t ", "") for line in changes(old, new, **stale).splitlines()]


def test_what_is_equal_is_not_touched():
    assert changes(table("10.0.0.1"), table("10.0.0.1")) == ""


def test_only_what_differs_is_written():
    assert commands(table("10.0.0.1"), table("10.0.0.2")) == [
        "add chain endpoint-10.0.0.2",
        "flush chain service-a",
        "flush chain endpoint-10.0.0.1",
        "add rule endpoint-10.0.0.2 update @kept { ip saddr }",
        "add rule endpoint-10.0.0.2 meta l4proto tcp dnat to 10.0.0.2:80",
        "add rule service-a numgen random mod 1 vmap { 0 : goto endpoint-10.0.0.2 }",
    ]
    assert difference(table("10.0.0.1"), table("10.0.0.2")).gone_chains == ["endpoint-10.0.0.1"]


def test_an_emptied_chain_is_deleted_later():
    old, new = table("10.0.0.1"), table("10.0.0.2")
    held = NftTable("ip", "t", "mine", new.sets, new.elements, {**new.chains, "endpoint-10.0.0.1": Chain(
        "endpoint-10.0.0.1")})
    assert changes(held, new) == ""
    assert commands(held, new, stale=["endpoint-10.0.0.1"]) == ["delete chain endpoint-10.0.0.1"]
    again = commands(held, old, stale=["endpoint-10.0.0.1"])
    assert "add rule endpoint-10.0.0.1 update @kept { ip saddr }" in again
    assert not any("delete chain" in line for line in again)


def test_an_element_with_another_key_is_replaced():
    lines = commands(table("10.0.0.1"), table("10.0.0.1", address="10.96.0.6"))
    assert lines == ["delete element service-ips { 10.96.0.5 . tcp . 80 : goto service-a }",
                     "add element service-ips { 10.96.0.6 . tcp . 80 : goto service-a }"]


def test_a_table_whose_base_chains_differ_is_made_anew():
    old = table("10.0.0.1")
    moved = NftTable("ip", "t", "mine", old.sets, old.elements,
                     {**old.chains, "nat-output": old.chains["nat-output"]._replace(hook=Hook("nat", "output", -90))})
    assert changes(moved, old).startswith("add table ip t\ndelete table ip t\nadd table ip t ")
    assert changes(None, old) == changes(moved, old)


def test_a_table_is_read_as_it_is_printed():
    ruleset = NftRuleset((table("10.0.0.1", "10.0.0.2"), NftTable("ip6", "t")))
    assert parse_nft(render_nft(ruleset)) == ruleset


def test_what_rules_remember_is_no_part_of_the_table():
    text = render_nft(NftRuleset((table("10.0.0.1"),)))
    more = text.replace("timeout 1m\n", "timeout 1m\n\t\telements = { 10.0.0.7 timeout 1m expires 3s, 10.0.0.8 }\n")
    assert more != text
    assert parse_nft(more).tables == (table("10.0.0.1"),)


def test_reject_is_read_with_and_without_its_reason():
    assert parse_nft_rule("reject with icmp port-unreachable") == Rule((), Reject())
