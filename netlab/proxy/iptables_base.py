"""The rules that are the same for every Service: jumps from the built-in chains, marks, masquerading.

Jumps stand in the reverse order of kube-proxy's list, because it puts each at the top of its chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from netlab.netfilter.rule import (
    ACCEPT,
    DROP,
    RETURN,
    AddressType,
    Comment,
    Jump,
    Marked,
    Masquerade,
    Match,
    Rule,
    SetMark,
    State,
)
from netlab.netfilter.ruleset import Table, table

MASQUERADE_MARK = 0x4000
MARK_MASQ = Jump("KUBE-MARK-MASQ")
CANARY = "KUBE-PROXY-CANARY"

NEW = State(frozenset({"NEW"}))
PORTALS = Comment("kubernetes service portals")
FIREWALL = Rule((NEW, Comment("kubernetes load balancer firewall")), Jump("KUBE-PROXY-FIREWALL"))
EXTERNAL = Rule((NEW, Comment("kubernetes externally-visible service portals")), Jump("KUBE-EXTERNAL-SERVICES"))
SERVICES = Rule((NEW, PORTALS), Jump("KUBE-SERVICES"))
HEALTH = Rule((Comment("kubernetes health check service ports"),), Jump("KUBE-NODEPORTS"))
FORWARDING = Comment("kubernetes forwarding rules")
LOCALNET = Rule(
    (Comment("block incoming localnet connections"), State(frozenset({"RELATED", "ESTABLISHED", "DNAT"}), True)), DROP,
    source="127.0.0.0/8", destination="127.0.0.0/8", inverted=frozenset({"source"}))

FILTER: dict[str, tuple[Rule, ...]] = {
    "INPUT": (Rule((), Jump("KUBE-FIREWALL")), FIREWALL, HEALTH, EXTERNAL),
    "FORWARD": (FIREWALL, Rule((FORWARDING,), Jump("KUBE-FORWARD")), SERVICES, EXTERNAL),
    "OUTPUT": (Rule((), Jump("KUBE-FIREWALL")), FIREWALL, SERVICES),
    "KUBE-FORWARD": (
        Rule((State(frozenset({"INVALID"})),), DROP),
        Rule((FORWARDING, Marked(MASQUERADE_MARK, MASQUERADE_MARK)), ACCEPT),
        Rule((Comment("kubernetes forwarding conntrack rule"), State(frozenset({"RELATED", "ESTABLISHED"}))), ACCEPT),
    ),
    CANARY: (),
}
NAT: dict[str, tuple[Rule, ...]] = {
    "PREROUTING": (Rule((PORTALS,), Jump("KUBE-SERVICES")),),
    "OUTPUT": (Rule((PORTALS,), Jump("KUBE-SERVICES")),),
    "POSTROUTING": (Rule((Comment("kubernetes postrouting rules"),), Jump("KUBE-POSTROUTING")),),
    "KUBE-POSTROUTING": (
        Rule((Marked(MASQUERADE_MARK, MASQUERADE_MARK, True),), RETURN),
        Rule((), SetMark(MASQUERADE_MARK, 0)),
        Rule((Comment("kubernetes service traffic requiring SNAT"),), Masquerade(random_fully=True)),
    ),
    "KUBE-MARK-MASQ": (Rule((), SetMark(MASQUERADE_MARK, MASQUERADE_MARK)),),
    CANARY: (),
}
MANGLE = table("mangle", {CANARY: ()})


@lru_cache(maxsize=2)
def node_ports_rule(localhost: bool) -> Rule:
    """The last rule of KUBE-SERVICES: what no Service address matched may be for a node port."""
    note = Comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
    matches: tuple[Match, ...] = (note, AddressType(destination="LOCAL"))
    if localhost:
        return Rule(matches, Jump("KUBE-NODEPORTS"))
    return Rule(matches, Jump("KUBE-NODEPORTS"), destination="127.0.0.0/8", inverted=frozenset({"destination"}))


def filter_table(chains: dict[str, Iterable[Rule]], *, localhost: bool) -> Table:
    """The filter table with what Services put into its chains."""
    return table("filter", {**FILTER, "KUBE-FIREWALL": (LOCALNET,) if localhost else (), **chains})
