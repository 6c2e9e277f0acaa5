"""The iptables rules of kube-proxy's IPVS mode: marks, masquerading and refusals; IPVS does the rest.

Jumps stand in the reverse order of kube-proxy's list, because it puts each at the top of its chain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from netlab.model.family import IPV4, host_range
from netlab.netfilter.rule import (
    ACCEPT,
    DROP,
    PORT_UNREACHABLE,
    RETURN,
    AddressType,
    Comment,
    InSet,
    Jump,
    Marked,
    Masquerade,
    Match,
    NotBridged,
    Reject,
    Rule,
    SetMark,
    State,
    Target,
    VirtualService,
)
from netlab.netfilter.ruleset import Ruleset, ruleset, table
from netlab.proxy import ipvs_sets as sets
from netlab.proxy.iptables_base import FORWARDING, HINT, KUBELET, LOCALNET, LOOPBACK, MARK_MASQ, NEW, PORTALS

FIREWALL = Rule((Comment("kube-proxy firewall rules"),), Jump("KUBE-PROXY-FIREWALL"))
KUBELETS = Rule((), Jump("KUBE-FIREWALL"))
BOTH, CLIENT_TOO, PORT = ("dst", "dst"), ("dst", "dst", "src"), ("dst",)
LOCAL = AddressType(destination="LOCAL")


class IpvsRules:
    """The rules for one family on a node, where the sets in `filled` have entries."""

    def __init__(self, family: str, filled: Collection[str], *, mark: int = 0x4000) -> None:
        self.family, self.filled, self.mark = family, filled, mark

    def ruleset(self, not_pods: Rule | None, barred: Iterable[tuple[str, str, int]], *, localnet: bool) -> Ruleset:
        """All tables.

        `not_pods` matches what does not come from pods (and nothing else says so: None). `barred` are protocol, address
        and port of load balancers that the node itself must not use. `localnet` guards 127.0.0.0/8.
        """
        return ruleset((table("mangle", {KUBELET: (), HINT: ()}, family=self.family),
                        table("nat", self._nat(not_pods), family=self.family),
                        table("filter", self._filter(barred, localnet), family=self.family)), family=self.family)

    def _nat(self, not_pods: Rule | None) -> dict[str, list[Rule]]:
        mark = self.mark
        return {
            "PREROUTING": [Rule((PORTALS,), Jump("KUBE-SERVICES"))],
            "OUTPUT": [Rule((PORTALS,), Jump("KUBE-SERVICES"))],
            "POSTROUTING": [Rule((Comment("kubernetes postrouting rules"),), Jump("KUBE-POSTROUTING"))],
            "KUBE-SERVICES": self._services(not_pods),
            "KUBE-LOAD-BALANCER": [*self._noted(sets.LOAD_BALANCER_LOCAL, BOTH, RETURN), Rule((), MARK_MASQ)],
            "KUBE-NODE-PORT": [rule for protocol in sets.NODE_PORT for rule in self._node_ports(protocol)],
            "KUBE-POSTROUTING": [
                *self._noted(sets.LOOP_BACK, CLIENT_TOO, Masquerade()),
                Rule((Marked(mark, mark, True),), RETURN), Rule((), SetMark(mark, 0)),
                Rule((Comment("kubernetes service traffic requiring SNAT"),), Masquerade(random_fully=True))],
            "KUBE-MARK-MASQ": [Rule((), SetMark(mark, mark))],
            KUBELET: [],
        }

    def _services(self, not_pods: Rule | None) -> list[Rule]:
        rules = [Rule((), RETURN, source=LOOPBACK[self.family])]
        rules += self._noted(sets.LOAD_BALANCER, BOTH, Jump("KUBE-LOAD-BALANCER"))
        if sets.CLUSTER_IP in self.filled:
            # The node's own packets have the cluster IP as their source too: it is one of the node's addresses.
            sides = BOTH if not_pods else ("src", "dst")
            rules.append((not_pods or Rule())._replace(
                matches=(self._note(sets.CLUSTER_IP), self._in(sets.CLUSTER_IP, sides)), target=MARK_MASQ))
        for kind, marks in ((sets.EXTERNAL_IP, True), (sets.EXTERNAL_IP_LOCAL, False)):
            if kind in self.filled:
                here: tuple[Match, ...] = (self._note(kind), self._in(kind, BOTH))
                rules += [Rule(here, MARK_MASQ)] if marks else []
                rules += [Rule((*here, NotBridged(), AddressType("LOCAL", not_source=True)), ACCEPT),
                          Rule((*here, LOCAL), ACCEPT)]
        rules.append(Rule((LOCAL,), Jump("KUBE-NODE-PORT")))
        return rules + [Rule((self._in(kind, BOTH),), ACCEPT) for kind in (sets.CLUSTER_IP, sets.LOAD_BALANCER)
                        if kind in self.filled]

    def _node_ports(self, protocol: str) -> list[Rule]:
        sides = BOTH if protocol == "SCTP" else PORT
        found = [*self._noted(sets.NODE_PORT_LOCAL[protocol], sides, RETURN),
                 *self._noted(sets.NODE_PORT[protocol], sides, MARK_MASQ)]
        return [rule._replace(protocol=protocol.lower()) for rule in found]

    def _filter(self, barred: Iterable[tuple[str, str, int]], localnet: bool) -> dict[str, list[Rule]]:
        return {
            "INPUT": [KUBELETS, Rule((Comment("kubernetes ipvs access filter"),), Jump("KUBE-IPVS-FILTER")), FIREWALL,
                      Rule((Comment("kubernetes health check rules"),), Jump("KUBE-NODE-PORT"))],
            "FORWARD": [FIREWALL, Rule((FORWARDING,), Jump("KUBE-FORWARD"))],
            "OUTPUT": [KUBELETS, Rule((Comment("kubernetes ipvs access filter"),), Jump("KUBE-IPVS-OUT-FILTER"))],
            "KUBE-FIREWALL": [LOCALNET] if localnet and self.family == IPV4 else [],
            "KUBE-FORWARD": [
                Rule((FORWARDING, Marked(self.mark, self.mark)), ACCEPT),
                Rule((Comment("kubernetes forwarding conntrack rule"), State(frozenset({"RELATED", "ESTABLISHED"}))),
                     ACCEPT)],
            "KUBE-NODE-PORT": [Rule((self._note(sets.HEALTH), self._in(sets.HEALTH, PORT)), ACCEPT)],
            "KUBE-PROXY-FIREWALL": self._noted(sets.FIREWALL, BOTH, Jump("KUBE-SOURCE-RANGES-FIREWALL")),
            "KUBE-SOURCE-RANGES-FIREWALL": [*self._noted(sets.SOURCE_CIDR, CLIENT_TOO, RETURN),
                                            *self._noted(sets.SOURCE_IP, CLIENT_TOO, RETURN), Rule((), DROP)],
            "KUBE-IPVS-FILTER": [
                *[Rule((self._in(kind, BOTH),), RETURN) for kind in (
                    sets.LOAD_BALANCER, sets.CLUSTER_IP, sets.EXTERNAL_IP, sets.EXTERNAL_IP_LOCAL)],
                Rule((self._in(sets.HEALTH, PORT),), RETURN),
                Rule((NEW, self._in(sets.IPVS_IPS, PORT)), Reject(PORT_UNREACHABLE[self.family]))],
            "KUBE-IPVS-OUT-FILTER": [
                Rule((VirtualService(protocol.lower(), address, port),), DROP, source=host_range(address))
                for protocol, address, port in barred],
            KUBELET: [],
        }

    def _noted(self, kind: str, sides: tuple[str, ...], target: Target) -> list[Rule]:
        """The rule for what is in that set; none while the set is empty."""
        return [Rule((self._note(kind), self._in(kind, sides)), target)] if kind in self.filled else []

    def _in(self, kind: str, sides: tuple[str, ...]) -> InSet:
        return InSet(sets.name_of(kind, self.family), sides)

    @staticmethod
    def _note(kind: str) -> Comment:
        return Comment(sets.KINDS[kind].comment)
