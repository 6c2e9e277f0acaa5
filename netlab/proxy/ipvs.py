"""kube-proxy's IPVS mode: a virtual server for each address and port, which hands connections to real servers.

    kube-ipvs0   a dummy link with every cluster IP, external IP and load-balancer IP: the node has them itself, so
                 packets for them come to INPUT, where IPVS takes them
    KUBE-SERVICES, KUBE-NODE-PORT, KUBE-LOAD-BALANCER mark what is to be masqueraded, by looking into ipsets
    KUBE-IPVS-FILTER refuses ports of those addresses that no Service has

Node ports are virtual servers at the node's own addresses, never at 127.0.0.1. Without a local endpoint a policy Local
falls back to the endpoints of all nodes, if the Service may use those at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from netlab.model.family import IPV4
from netlab.model.fields import contains
from netlab.netfilter.ip_set import Entry, IpSet, save
from netlab.netfilter.render import render
from netlab.netfilter.rule import Rule
from netlab.netfilter.ruleset import Ruleset, Table
from netlab.netfilter.virtual_server import RealServer, VirtualServer, ipvsadm_save
from netlab.proxy import ipvs_sets as sets
from netlab.proxy.backends import Choice, choose
from netlab.proxy.frontends import CLUSTER_IP, EXTERNAL_IP, NODE_PORT, Frontend, Portal
from netlab.proxy.ipvs_rules import IpvsRules
from netlab.proxy.snapshot import NodeView, Proxied

DEVICE = "kube-ipvs0"


@dataclass(frozen=True)
class Ipvs:
    """What the mode wants on a node for one family. `addresses` are those of kube-ipvs0.

    Virtual servers at addresses of the ranges `excluded` are not ours.
    """

    servers: tuple[VirtualServer, ...]
    addresses: tuple[str, ...]
    sets: tuple[IpSet, ...]
    rules: Ruleset
    family: str = IPV4
    strict_arp: bool = False
    excluded: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The iptables tables."""
        return self.rules.tables

    @cached_property
    def by_key(self) -> dict[tuple[str, str, int], VirtualServer]:
        """The virtual servers by protocol, address and port."""
        return {server.key: server for server in self.servers}


def printed(dataplane: Ipvs) -> str:
    """What `ipvsadm --save --numeric` prints, the addresses of kube-ipvs0, `ipset save`, `iptables-save`."""
    bound = "".join(f"address {address} dev {DEVICE}\n" for address in dataplane.addresses)
    return ipvsadm_save(dataplane.servers) + bound + save(dataplane.sets) + render(dataplane.rules)


class Cache:
    """Nothing is kept: there is little to compute."""

    def prune(self, rows: Sequence[Proxied], *, family: str = "") -> None:
        """Forgets nothing."""


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> Ipvs:
    """The virtual servers, sets and rules of a node."""
    return _Node(node).dataplane(proxied)


class _Node:
    def __init__(self, node: NodeView) -> None:
        self.node = node
        self.filling = sets.Filling(node.family)
        self.servers: dict[tuple[str, str, int], VirtualServer] = {}
        self.bound: dict[str, None] = {}
        self.barred: list[tuple[str, str, int]] = []
        ips = node.node_port_ips()
        self.node_ips = [ip for ip in ((*node.addresses, *node.gateways) if ips is None else ips)
                         if ip not in ("127.0.0.1", "::1")]

    def dataplane(self, proxied: Sequence[Proxied]) -> Ipvs:
        for row in proxied:
            self._port(row)
        node = self.node
        self.filling.add(sets.IPVS_IPS, *map(Entry, self.bound))
        rules = IpvsRules(node.family, self.filling.filled(), mark=node.masquerade_mark)
        return Ipvs(tuple(self.servers.values()), tuple(self.bound), self.filling.sets(),
                    rules.ruleset(self._not_pods(), self.barred, localnet=node.localhost_node_ports),
                    node.family, node.strict_arp, node.excluded_cidrs)

    def _not_pods(self) -> Rule | None:
        node = self.node
        if node.masquerade_all:
            return Rule()
        if node.pod_interface:
            return Rule(in_interface=node.pod_interface, inverted=frozenset({"in_interface"}))
        return Rule(source=node.cluster_cidr, inverted=frozenset({"source"})) if node.cluster_cidr else None

    def _port(self, row: Proxied) -> None:
        portal, node = row.portal, self.node
        protocol = portal.protocol.lower()
        choice = choose(row.backends, node=node.name, zone=node.zone, uses_cluster=portal.uses_cluster,
                        uses_local=portal.uses_local)
        self.filling.add(sets.LOOP_BACK, *[Entry(one.address, protocol, one.port, one.address)
                                           for one in row.backends if one.node == node.name])
        for frontend in portal.frontends:
            if frontend.kind == NODE_PORT:
                self._node_port(portal, frontend, choice)
                continue
            entry = Entry(frontend.address, protocol, frontend.port)
            if frontend.kind == CLUSTER_IP:
                self.filling.add(sets.CLUSTER_IP, entry)
            elif frontend.kind == EXTERNAL_IP:
                self.filling.add(sets.EXTERNAL_IP_LOCAL if frontend.policy == "Local" else sets.EXTERNAL_IP, entry)
            else:
                self._load_balancer(frontend, entry)
            self._server(portal, frontend, frontend.address, choice)
            if frontend.address not in node.addresses:
                self.bound[frontend.address] = None
        if portal.health_check_node_port:
            self.filling.add(sets.HEALTH, Entry(port=portal.health_check_node_port))

    def _load_balancer(self, frontend: Frontend, entry: Entry) -> None:
        self.filling.add(sets.LOAD_BALANCER, entry)
        if frontend.policy == "Local":
            self.filling.add(sets.LOAD_BALANCER_LOCAL, entry)
        if not frontend.source_ranges:
            return
        self.filling.add(sets.FIREWALL, entry)
        self.filling.add(sets.SOURCE_CIDR, *[entry._replace(other=cidr)
                                             for cidr in sets.storable(frontend.source_ranges)])
        if any(contains(cidr, address) for cidr in frontend.source_ranges for address in self.node.addresses[:1]):
            self.filling.add(sets.SOURCE_IP, entry._replace(other=frontend.address))
        else:
            self.barred.append((frontend.protocol, frontend.address, frontend.port))

    def _node_port(self, portal: Portal, frontend: Frontend, choice: Choice) -> None:
        if not self.node_ips:
            return
        entries = [Entry(ip, "sctp", frontend.port) for ip in self.node_ips] if frontend.protocol == "SCTP" \
            else [Entry(port=frontend.port)]
        self.filling.add(sets.NODE_PORT[frontend.protocol], *entries)
        if frontend.policy == "Local":
            self.filling.add(sets.NODE_PORT_LOCAL[frontend.protocol], *entries)
        for address in self.node_ips:
            self._server(portal, frontend, address, choice)

    def _server(self, portal: Portal, frontend: Frontend, address: str, choice: Choice) -> None:
        backends = (choice.local or choice.cluster) if frontend.policy == "Local" else choice.cluster
        scheduler = self.node.scheduler or "rr"
        server = VirtualServer(address, frontend.port, frontend.protocol, scheduler, portal.affinity_seconds,
                               scheduler == "mh", tuple(RealServer(one.address, one.port) for one in backends))
        self.servers.setdefault(server.key, server)  # of two Services with the same address the first one has it
