"""The rules that are the same for every Service: jumps from the built-in chains, marks, masquerading.

Jumps stand in the reverse order of kube-proxy's list, because it puts each at the top of its chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from netlab.model.family import FAMILIES, IPV4, IPV6
from netlab.netfilter.part import Chain, Part, part
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
from netlab.netfilter.ruleset import table

MASQUERADE_MARK = 0x4000
MARK_MASQ = Jump("KUBE-MARK-MASQ")
CANARY = "KUBE-PROXY-CANARY"
KUBELET = "KUBE-KUBELET-CANARY"  # the kubelet's, which looks after tables in the same way
HINT = "KUBE-IPTABLES-HINT"  # the kubelet's too: which variant of iptables the node uses

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
    CANARY: (), KUBELET: (),
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
    CANARY: (), KUBELET: (),
}
MANGLE = {family: table("mangle", {CANARY: (), KUBELET: (), HINT: ()}, family=family) for family in FAMILIES}
LOOPBACK = {IPV4: "127.0.0.0/8", IPV6: "::1/128"}


def node_ports_rule(localhost: bool, family: str, address: str = "") -> Rule:
    """The last rule of KUBE-SERVICES: what no Service address matched may be for a node port (of that address)."""
    note = Comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
    matches: tuple[Match, ...] = (note, AddressType(destination="LOCAL"))
    if address:
        return Rule((note,), Jump("KUBE-NODEPORTS"), destination=f"{address}/{32 if family == IPV4 else 128}")
    if localhost:
        return Rule(matches, Jump("KUBE-NODEPORTS"))
    return Rule(matches, Jump("KUBE-NODEPORTS"), destination=LOOPBACK[family], inverted=frozenset({"destination"}))


@lru_cache(maxsize=32)
def first_part(table: str, localhost: bool, family: str, mark: int = MASQUERADE_MARK,
               drop_invalid: bool = True) -> Part:
    """What stands in front of what Services put into the table."""
    if table == "nat":
        return part([*_marked(NAT, mark), Chain("KUBE-NODEPORTS"), Chain("KUBE-SERVICES")], family=family)
    own = {"KUBE-FIREWALL": (LOCALNET,) if localhost else (), "KUBE-SERVICES": (), "KUBE-EXTERNAL-SERVICES": (),
           "KUBE-PROXY-FIREWALL": (), "KUBE-NODEPORTS": ()}
    given = FILTER if drop_invalid else {**FILTER, "KUBE-FORWARD": FILTER["KUBE-FORWARD"][1:]}
    return part([*_marked(given, mark), *_chains(own)], family=family)


@lru_cache(maxsize=256)
def last_part(localhost: bool, family: str, addresses: tuple[str, ...] | None = None) -> Part:
    """What stands behind the Services in nat; `addresses` are the only ones that have node ports, None: all have."""
    rules = [node_ports_rule(localhost, family)] if addresses is None else \
        [node_ports_rule(localhost, family, ip) for ip in addresses
         if localhost or not (ip.startswith("127.") or ip == "::1")]
    return part([Chain("KUBE-SERVICES", tuple(rules))], family=family)


def _marked(chains: Mapping[str, tuple[Rule, ...]], mark: int) -> list[Chain]:
    """The chains with another mark in the place of the usual one."""
    if mark == MASQUERADE_MARK:
        return _chains(chains)
    return [Chain(name, tuple(_with_mark(rule, mark) for rule in rules)) for name, rules in chains.items()]


def _with_mark(rule: Rule, mark: int) -> Rule:
    matches = tuple(Marked(mark, mark, match.inverted) if isinstance(match, Marked) else match
                    for match in rule.matches)
    target = SetMark(mark, mark if rule.target.mask else 0) if isinstance(rule.target, SetMark) else rule.target
    return rule._replace(matches=matches, target=target)


def _chains(chains: Mapping[str, tuple[Rule, ...]]) -> list[Chain]:
    return [Chain(name, rules) for name, rules in chains.items()]
