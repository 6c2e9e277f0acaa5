"""What is the same for every Service in kube-proxy's nftables mode: base chains, dispatch, masquerading."""

from __future__ import annotations

from netlab.model.family import IPV4
from netlab.netfilter.nft import (
    DROP,
    RETURN,
    Chain,
    ChangeMark,
    Collection,
    Compare,
    Element,
    Hook,
    Key,
    Lookup,
    Masquerade,
    Match,
    NftTable,
    Reject,
    Rule,
    Unmarked,
    Verdict,
    by_name,
)
from netlab.proxy.nft_intervals import disjoint
from netlab.proxy.snapshot import NodeView

TABLE, COMMENT = "kube-proxy", "rules for kube-proxy"
MARK = Verdict("jump", "mark-for-masquerade")
REJECTED = Verdict("goto", "reject-chain")
PRIMARY = ("primary",)  # node ports are for the node's main address only, unless something else is said
LOOPBACK = {"ip": "127.0.0.0/8", "ip6": "::1"}
_NEW = Compare("ct state", ("new",))
_PRE_DNAT, _DNAT, _SNAT = -110, -100, 100

_HOOKS = {
    "filter-prerouting-pre-dnat": Hook("filter", "prerouting", _PRE_DNAT),
    "filter-output-pre-dnat": Hook("filter", "output", _PRE_DNAT),
    "filter-input": Hook("filter", "input", 0),
    "filter-forward": Hook("filter", "forward", 0),
    "filter-output": Hook("filter", "output", 0),
    "nat-prerouting": Hook("nat", "prerouting", _DNAT),
    "nat-output": Hook("nat", "output", _DNAT),
    "nat-postrouting": Hook("nat", "postrouting", _SNAT),
}
_JUMPS: tuple[tuple[str, str, bool], ...] = (  # from, to, for new connections only
    ("filter-input", "nodeport-endpoints-check", True),
    ("filter-input", "service-endpoints-check", True),
    ("filter-forward", "service-endpoints-check", True),
    ("filter-output", "service-endpoints-check", True),
    ("filter-prerouting-pre-dnat", "firewall-check", True),
    ("filter-output-pre-dnat", "firewall-check", True),
    ("nat-output", "services", False),
    ("nat-prerouting", "services", False),
    ("nat-postrouting", "masquerading", False),
    ("filter-forward", "cluster-ips-check", True),
    ("filter-output", "cluster-ips-check", True),
)


def nft_family(node: NodeView) -> str:
    """`ip` or `ip6`."""
    return "ip" if node.family == IPV4 else "ip6"


def base_table(node: NodeView) -> NftTable:
    """The table without any Service, but for the node's own elements."""
    family = nft_family(node)
    sets = {one.name: one for one in base_sets(family, node)}
    return NftTable(family, TABLE, COMMENT, sets, {name: {} for name in sets}, by_name(base_chains(family, node)))


def own_elements(node: NodeView) -> dict[str, dict[Key, Element]]:
    """What sets have on this node only: its addresses with node ports, but never 127.0.0.1."""
    ips = node.node_port_ips(default=PRIMARY)
    return {} if ips is None else {"nodeport-ips": {
        (ip,): Element() for ip in ips
        if (":" in ip) == (nft_family(node) == "ip6") and not ip.startswith("127.") and ip != "::1"}}


def base_sets(family: str, node: NodeView) -> list[Collection]:
    """The sets and maps."""
    address = "ipv4_addr" if family == "ip" else "ipv6_addr"
    service, port = f"{address} . inet_proto . inet_service : verdict", "inet_proto . inet_service : verdict"
    found = [
        Collection("cluster-ips", address, "Active ClusterIPs"),
        Collection("nodeport-ips", address, "IPs that accept NodePort traffic"),
        Collection("no-endpoint-services", service, "vmap to drop or reject packets to services with no endpoints"),
        Collection("no-endpoint-nodeports", port,
                   "vmap to drop or reject packets to service nodeports with no endpoints"),
        Collection("firewall-ips", service, "destinations that are subject to LoadBalancerSourceRanges"),
        Collection("service-ips", service, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
        Collection("service-nodeports", port, "NodePort traffic"),
    ]
    return [item for item in found if item.name != "nodeport-ips" or node.node_port_ips(default=PRIMARY) is not None]


def base_chains(family: str, node: NodeView) -> list[Chain]:
    """The chains that every node has."""
    mark = node.masquerade_mark
    daddr = f"{family} daddr"
    service = (daddr, "meta l4proto", "th dport")
    everywhere = node.node_port_ips(default=PRIMARY) is None
    ours = Compare(daddr, (LOOPBACK[family],), True) if everywhere else Compare(daddr, ("@nodeport-ips",))
    local = (Compare("fib daddr type", ("local",)),) if everywhere else ()  # at INPUT there is nothing else

    def node_ports(name: str, *first: Match) -> Rule:
        return Rule((*first, ours), Lookup(service[1:], name))

    def services(name: str) -> Rule:
        return Rule((), Lookup(service, name))

    check = [Rule((Compare(daddr, ("@cluster-ips",)),), Reject(), "Reject traffic to invalid ports of ClusterIPs")]
    cidrs = tuple(cidr for cidr in node.service_cidrs if (":" in cidr) == (family == "ip6"))
    if cidrs:
        check.append(Rule((Compare(daddr, disjoint(cidrs)),), DROP, "Drop traffic to unallocated ClusterIPs"))
    chains: dict[str, list[Rule]] = {name: [] for name in (*_HOOKS, *dict.fromkeys(to for _, to, _ in _JUMPS))}
    for source, target, new in _JUMPS:
        chains[source].append(Rule((_NEW,) if new else (), Verdict("jump", target)))
    chains |= {
        "mark-for-masquerade": [Rule((), ChangeMark("|", mark))],
        "masquerading": [Rule((Unmarked(mark),), RETURN), Rule((), ChangeMark("^", mark)), Rule((), Masquerade())],
        "cluster-ips-check": check,
        "reject-chain": [Rule((), Reject())],
        "service-endpoints-check": [services("no-endpoint-services")],
        "nodeport-endpoints-check": [node_ports("no-endpoint-nodeports")],
        "firewall-check": [services("firewall-ips")],
        "services": [services("service-ips"), node_ports("service-nodeports", *local)],
    }
    notes = {"reject-chain": "helper for @no-endpoint-services / @no-endpoint-nodeports"}
    return [Chain(name, tuple(rules), _HOOKS.get(name), notes.get(name, "")) for name, rules in chains.items()]
