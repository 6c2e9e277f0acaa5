"""The ipsets of kube-proxy's IPVS mode: what of a packet is looked up, so that there are few iptables rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from netlab.model.family import IPV6
from netlab.netfilter.ip_set import (
    BITMAP_PORT,
    HASH_IP,
    HASH_IP_PORT,
    HASH_IP_PORT_IP,
    HASH_IP_PORT_NET,
    Entry,
    IpSet,
)

NAME_LIMIT = 31  # characters (linux/netfilter/ipset/ip_set.h, less the end)
LOOP_BACK, CLUSTER_IP = "KUBE-LOOP-BACK", "KUBE-CLUSTER-IP"
EXTERNAL_IP, EXTERNAL_IP_LOCAL = "KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL"
LOAD_BALANCER, LOAD_BALANCER_LOCAL = "KUBE-LOAD-BALANCER", "KUBE-LOAD-BALANCER-LOCAL"
FIREWALL, SOURCE_IP = "KUBE-LOAD-BALANCER-FW", "KUBE-LOAD-BALANCER-SOURCE-IP"
SOURCE_CIDR, HEALTH, IPVS_IPS = "KUBE-LOAD-BALANCER-SOURCE-CIDR", "KUBE-HEALTH-CHECK-NODE-PORT", "KUBE-IPVS-IPS"
NODE_PORT = {"TCP": "KUBE-NODE-PORT-TCP", "UDP": "KUBE-NODE-PORT-UDP", "SCTP": "KUBE-NODE-PORT-SCTP-HASH"}
NODE_PORT_LOCAL = {"TCP": "KUBE-NODE-PORT-LOCAL-TCP", "UDP": "KUBE-NODE-PORT-LOCAL-UDP",
                   "SCTP": "KUBE-NODE-PORT-LOCAL-SCTP-HASH"}


class Kind(NamedTuple):
    """A set's type, and the comment of rules that look into it."""

    type: str
    comment: str


KINDS = {
    LOOP_BACK: Kind(HASH_IP_PORT_IP, "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"),
    CLUSTER_IP: Kind(HASH_IP_PORT, "Kubernetes service cluster ip + port for masquerade purpose"),
    EXTERNAL_IP: Kind(HASH_IP_PORT, "Kubernetes service external ip + port for masquerade and filter purpose"),
    EXTERNAL_IP_LOCAL: Kind(HASH_IP_PORT, "Kubernetes service external ip + port with externalTrafficPolicy=local"),
    LOAD_BALANCER: Kind(HASH_IP_PORT, "Kubernetes service lb portal"),
    FIREWALL: Kind(HASH_IP_PORT, "Kubernetes service load balancer ip + port for load balancer with sourceRange"),
    LOAD_BALANCER_LOCAL: Kind(HASH_IP_PORT,
                              "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"),
    SOURCE_IP: Kind(HASH_IP_PORT_IP,
                    "Kubernetes service load balancer ip + port + source IP for packet filter purpose"),
    SOURCE_CIDR: Kind(HASH_IP_PORT_NET,
                      "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"),
    NODE_PORT["TCP"]: Kind(BITMAP_PORT, "Kubernetes nodeport TCP port for masquerade purpose"),
    NODE_PORT_LOCAL["TCP"]: Kind(BITMAP_PORT, "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
    NODE_PORT["UDP"]: Kind(BITMAP_PORT, "Kubernetes nodeport UDP port for masquerade purpose"),
    NODE_PORT_LOCAL["UDP"]: Kind(BITMAP_PORT, "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
    NODE_PORT["SCTP"]: Kind(HASH_IP_PORT,
                            "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"),
    NODE_PORT_LOCAL["SCTP"]: Kind(
        HASH_IP_PORT, "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"),
    HEALTH: Kind(BITMAP_PORT, "Kubernetes health check node port"),
    IPVS_IPS: Kind(HASH_IP, ""),
}


class Filling:
    """Sets that are being filled, one of each kind."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._entries: dict[str, set[Entry]] = {kind: set() for kind in KINDS}

    def add(self, kind: str, *entries: Entry) -> None:
        """Puts the entries into the set of that kind."""
        self._entries[kind].update(entries)

    def filled(self) -> frozenset[str]:
        """The kinds of which the set is not empty."""
        return frozenset(kind for kind, entries in self._entries.items() if entries)

    def sets(self) -> tuple[IpSet, ...]:
        """All sets, empty ones too."""
        return tuple(IpSet(name_of(kind, self.family), KINDS[kind].type, self.family, frozenset(entries))
                     for kind, entries in self._entries.items())


def name_of(kind: str, family: str) -> str:
    """The set's name: IPv6 has sets of its own, and long names lose their end."""
    return f"KUBE-6-{kind.removeprefix('KUBE-')}"[:NAME_LIMIT] if family == IPV6 else kind


def storable(cidrs: Iterable[str]) -> list[str]:
    """The ranges as a hash can have them: everything is two halves, for no hash has ranges of length 0 (ipset(8))."""
    halves = {"0.0.0.0/0": ["0.0.0.0/1", "128.0.0.0/1"], "::/0": ["::/1", "8000::/1"]}
    return [part for cidr in cidrs for part in halves.get(cidr, [cidr])]
