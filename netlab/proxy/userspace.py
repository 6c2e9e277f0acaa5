"""The userspace mode, as the first kube-proxy had it: rules lead to kube-proxy itself, which copies the bytes.

    KUBE-PORTALS-CONTAINER  what others send to a Service's addresses -> REDIRECT to a port of kube-proxy
    KUBE-PORTALS-HOST       what the node itself sends there          -> DNAT to that port at the node's address
    KUBE-NODEPORT-...       the same for node ports

Backends see the node as their client. They are taken in turn; traffic policies, source ranges and zones are unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from netlab.model.family import IPV4, IPV6, host_range
from netlab.netfilter.part import Chain
from netlab.netfilter.rule import ACCEPT, AddressType, Comment, Dnat, Jump, Match, Redirect, Rule, State, port_match
from netlab.netfilter.ruleset import Ruleset, Table, ruleset, table
from netlab.netfilter.trace import Outcome, Packet, Trace, trace
from netlab.proxy.backends import Backend
from netlab.proxy.frontends import EXTERNAL_IP, NODE_PORT, Frontend
from netlab.proxy.iptables_base import CANARY, KUBELET, MANGLE
from netlab.proxy.snapshot import NodeView, Proxied

LOOPBACK = {IPV4: "127.0.0.1", IPV6: "::1"}
ASSUMED_PORT = 40000  # of the first listener, where nobody listens yet
CLUSTER_IPS = Comment("handle ClusterIPs; NOTE: this must be before the NodePort rules")
NODE_PORTS = Comment("handle service NodePorts; NOTE: this must be the last rule in the chain")
OTHERS = Comment("Ensure that non-local NodePort traffic can flow")
NEW = State(frozenset({"NEW"}), old_name=True)
LOCAL = AddressType(destination="LOCAL")


class Listener(NamedTuple):
    """A port of a Service that kube-proxy listens for, at a random port of its own (and at its node ports)."""

    name: str
    protocol: str
    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    affinity_seconds: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by, whatever its addresses and backends are."""
        return self.name, self.protocol

    @property
    def node_ports(self) -> tuple[int, ...]:
        """The node ports that lead to it."""
        return tuple(row.port for row in self.frontends if row.kind == NODE_PORT)


Ports = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Userspace:
    """What the mode wants on a node. The rules depend on the ports that the listeners got."""

    listeners: tuple[Listener, ...]
    address: str
    family: str
    udp_idle_timeout: float = 0.25

    def rules(self, ports: Ports) -> Ruleset:
        """The tables when the listeners have these ports."""
        container: list[Rule] = []
        host: list[Rule] = []
        node_container: list[Rule] = []
        node_host: list[Rule] = []
        others: list[Rule] = []
        for listener in self.listeners:
            port, protocol = ports[listener.key], listener.protocol.lower()
            for row in listener.frontends:
                matches: tuple[Match, ...] = (Comment(listener.name), port_match(protocol, row.port))
                to_proxy, to_host = Redirect(port), Dnat(self.address, port)
                if row.kind == NODE_PORT:
                    node_container.append(Rule(matches, to_proxy, protocol=protocol))
                    node_host.append(Rule(matches, to_host, protocol=protocol))
                    redirected = Comment(listener.name), port_match(protocol, port)
                    others.append(Rule((*redirected, NEW), ACCEPT, protocol=protocol))
                else:
                    # Of what the node sends to an external IP, only that to an address of its own is for the proxy.
                    own = (LOCAL,) if row.kind == EXTERNAL_IP else ()
                    place = host_range(row.address)
                    container.append(Rule(matches, to_proxy, "", place, protocol))
                    host.append(Rule((*matches, *own), to_host, "", place, protocol))
        nat = {
            "PREROUTING": [Rule((CLUSTER_IPS,), Jump("KUBE-PORTALS-CONTAINER")),
                           Rule((LOCAL, NODE_PORTS), Jump("KUBE-NODEPORT-CONTAINER"))],
            "OUTPUT": [Rule((CLUSTER_IPS,), Jump("KUBE-PORTALS-HOST")),
                       Rule((LOCAL, NODE_PORTS), Jump("KUBE-NODEPORT-HOST"))],
            "KUBE-PORTALS-CONTAINER": container, "KUBE-PORTALS-HOST": host,
            "KUBE-NODEPORT-CONTAINER": node_container, "KUBE-NODEPORT-HOST": node_host,
            CANARY: [], KUBELET: [],
        }
        found = {"INPUT": [Rule((OTHERS,), Jump("KUBE-NODEPORT-NON-LOCAL"))], "KUBE-NODEPORT-NON-LOCAL": others,
                 CANARY: [], KUBELET: []}
        return ruleset((MANGLE[self.family], self._table("nat", nat), self._table("filter", found)),
                       family=self.family)

    def _table(self, name: str, chains: Mapping[str, Sequence[Rule]]) -> Table:
        return table(name, [Chain(key, tuple(rules)) for key, rules in chains.items()], family=self.family)

    @cached_property
    def assumed_ports(self) -> dict[tuple[str, str], int]:
        """Ports as they could be."""
        return {listener.key: ASSUMED_PORT + number for number, listener in enumerate(self.listeners)}

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables with the assumed ports."""
        return self.rules(self.assumed_ports).tables


def compile(  # noqa: A001 -- every mode has a function of this name
        proxied: Sequence[Proxied], node: NodeView, *, cache: Cache | None = None) -> Userspace:
    """What a node's kube-proxy listens for, with the ready endpoints of all nodes behind it."""
    found = tuple(Listener(row.portal.name, row.portal.protocol, row.portal.frontends,
                           tuple(backend for backend in row.backends if backend.ready), row.portal.affinity_seconds)
                  for row in proxied if row.portal.protocol in ("TCP", "UDP"))
    return Userspace(found, node.addresses[0] if node.addresses else LOOPBACK[node.family], node.family)


class Cache:
    """Nothing is kept: there is little to compute."""

    def prune(self, rows: Sequence[Proxied], *, family: str = "") -> None:
        """Forgets nothing."""


def trace_userspace(dataplane: Userspace, packet: Packet, *, addresses: Collection[str] = ()) -> Trace:
    """Where the packet may end, and where kube-proxy's own connection behind it ends.

    "closed": kube-proxy takes the connection, has no backend and ends it.
    """
    local = {*addresses, dataplane.address}
    listeners = {(dataplane.assumed_ports[one.key], one.protocol.lower()): one for one in dataplane.listeners}
    ends: list[Outcome] = []
    for end in trace(dataplane.rules(dataplane.assumed_ports), packet, addresses=local).outcomes:
        listener = listeners.get((end.port, packet.protocol)) if end.address in local else None
        if end.verdict != "accept" or listener is None:
            ends.append(end)
        elif not listener.backends:
            verdict = "closed" if listener.protocol == "TCP" else "drop"
            ends.append(Outcome(verdict, end.address, end.port, False, end.weight, end.steps))
        else:
            ends += [Outcome("accept", one.address, one.port, True, end.weight / len(listener.backends), end.steps)
                     for one in listener.backends]
    return Trace(tuple(ends))
