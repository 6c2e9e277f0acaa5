"""What one port of a Service adds to the table of kube-proxy's nftables mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netlab.model.fields import contains
from netlab.netfilter.nft import (
    DROP,
    Chain,
    Collection,
    Compare,
    Dnat,
    Element,
    Key,
    Match,
    Rule,
    Spread,
    Update,
    Verdict,
)
from netlab.proxy.backends import Backend, Choice
from netlab.proxy.frontends import CLUSTER_IP, NODE_PORT, Frontend, Portal
from netlab.proxy.names import chain_hash
from netlab.proxy.nft_intervals import disjoint
from netlab.proxy.nftables_base import MARK, REJECTED
from netlab.proxy.snapshot import NodeView

NAME_LIMIT = 256 - 16  # what the kernel allows (NFT_NAME_MAXLEN), less `endpoint-` and its like


class NftPart(NamedTuple):
    """Sets, chains and (set, key, element)s."""

    sets: tuple[Collection, ...]
    chains: tuple[Chain, ...]
    elements: tuple[tuple[str, Key, Element], ...]


def nft_port(portal: Portal, choice: Choice, node: NodeView, *, family: str) -> NftPart:
    """The part of a port with these backends."""
    return _Port(portal, choice, node, family).part()


def hashed(name: str) -> str:
    """The name behind a hash of itself, which keeps names apart that differ in a digit only; cut when too long."""
    found = f"{chain_hash(name)[:8]}-{name}"
    return found if len(found) <= NAME_LIMIT else found[:NAME_LIMIT - 3] + "..."


class _Port:
    def __init__(self, portal: Portal, choice: Choice, node: NodeView, family: str) -> None:
        self.portal, self.choice, self.node, self.family = portal, choice, node, family
        self.protocol = portal.protocol.lower()
        self.base = f"{portal.namespace}/{portal.service}/{self.protocol}/{portal.port_name}"
        name = hashed(self.base)
        self.cluster, self.local = f"service-{name}", f"local-{name}"
        self.external, self.firewall = f"external-{name}", f"firewall-{name}"
        self.has_internal = choice.any and bool(choice.local or not portal.internal_local)
        self.has_external = choice.any and bool(choice.local or not portal.external_local)
        self.names = {backend: self._endpoint_name(backend) for backend in choice.reachable}

    def _endpoint_name(self, backend: Backend) -> str:
        address = backend.address.replace(":", ".")  # a chain's name must not have colons
        return hashed(f"{self.base}__{address}/{backend.port}")

    def part(self) -> NftPart:
        portal, choice = self.portal, self.choice
        elements: list[tuple[str, Key, Element]] = []
        guarded = [row for row in portal.frontends if row.source_ranges]
        for row in portal.frontends:
            elements += self._elements(row)
        chains = []
        if choice.any:
            for name, used, backends in ((self.cluster, portal.uses_cluster, choice.cluster),
                                         (self.local, portal.uses_local, choice.local)):
                if used and backends:
                    marks = self._internal_marks() if self.has_internal and name == self._internal else []
                    chains.append(Chain(name, (*marks, *self._balance(backends))))
            if portal.external:
                chains.append(Chain(self.external, tuple(self._external())))
        if guarded:  # also when there is no endpoint
            chains.append(Chain(self.firewall, (self._firewall(guarded),)))
        seconds = portal.affinity_seconds
        sets = tuple(Collection(f"affinity-{self.names[backend]}", "ipv4_addr" if self.family == "ip" else "ipv6_addr",
                                timeout=seconds) for backend in choice.reachable) if seconds else ()
        chains += [self._endpoint(backend) for backend in choice.reachable]
        return NftPart(sets, tuple(chains), tuple(elements))

    @property
    def _internal(self) -> str:
        return self.local if self.portal.internal_local else self.cluster

    def _elements(self, row: Frontend) -> list[tuple[str, Key, Element]]:
        node_port = row.kind == NODE_PORT
        key = (self.protocol, str(row.port)) if node_port else (row.address, self.protocol, str(row.port))
        services, unserved = ("service-nodeports", "no-endpoint-nodeports") if node_port \
            else ("service-ips", "no-endpoint-services")
        refused = Element(DROP if self.choice.any else REJECTED, self.portal.name)
        if row.kind == CLUSTER_IP:
            found: list[tuple[str, Key, Element]] = [("cluster-ips", (row.address,), Element())]
            if self.has_internal:
                return [*found, (services, key, Element(Verdict("goto", self._internal)))]
            return [*found, (unserved, key, refused)]
        found = [(services, key, Element(Verdict("goto", self.external)))] if self.choice.any else []
        if row.source_ranges:
            found.append(("firewall-ips", key, Element(Verdict("goto", self.firewall))))
        if not self.has_external:
            found.append((unserved, key, refused))
        return found

    def _from_pods(self, *, inverted: bool) -> Match | None:
        node = self.node
        if node.pod_interface:
            name = node.pod_interface.removesuffix("+") + ("*" if node.pod_interface.endswith("+") else "")
            return Compare("iifname", (f'"{name}"',), inverted)
        return Compare(f"{self.family} saddr", (node.cluster_cidr,), inverted) if node.cluster_cidr else None

    def _internal_marks(self) -> list[Rule]:
        row = self.portal.frontends[0]
        to = (Compare(f"{self.family} daddr", (row.address,)), Compare(f"{self.protocol} dport", (str(row.port),)))
        if self.node.masquerade_all:
            return [Rule(to, MARK)]
        others = self._from_pods(inverted=True)
        return [Rule((*to, others), MARK)] if others else []

    def _balance(self, backends: Sequence[Backend]) -> list[Rule]:
        names = [self.names[backend] for backend in backends]
        source = f"{self.family} saddr"
        sticky = [Rule((Compare(source, (f"@affinity-{name}",)),), Verdict("goto", f"endpoint-{name}"))
                  for name in names] if self.portal.affinity_seconds else []
        return [*sticky, Rule((), Spread(tuple(f"endpoint-{name}" for name in names)))]

    def _external(self) -> list[Rule]:
        everywhere = Verdict("goto", self.cluster)
        rules = []
        if self.portal.external_local:
            pods, node = self._from_pods(inverted=False), Compare("fib saddr type", ("local",))
            if self.choice.cluster:
                if pods:
                    rules.append(Rule((pods,), everywhere, "short-circuit pod traffic"))
                rules.append(Rule((node,), MARK, "masquerade local traffic"))
                rules.append(Rule((node,), everywhere, "short-circuit local traffic"))
        else:
            rules.append(Rule((), MARK))
        if self.has_external:
            rules.append(Rule((), Verdict("goto", self.local if self.portal.external_local else self.cluster)))
        return rules

    def _firewall(self, rows: Sequence[Frontend]) -> Rule:
        ranges = list(rows[0].source_ranges)
        # A node that is allowed itself reaches the address with the address as its source.
        if any(contains(cidr, address) for cidr in ranges for address in self.node.addresses[:1]):
            ranges += [row.address for row in rows]
        return Rule((Compare(f"{self.family} saddr", disjoint(ranges), True),), DROP)

    def _endpoint(self, backend: Backend) -> Chain:
        name, source = self.names[backend], f"{self.family} saddr"
        remember = (Rule((), Update(f"affinity-{name}", source)),) if self.portal.affinity_seconds else ()
        return Chain(f"endpoint-{name}", (
            Rule((Compare(source, (backend.address,)),), MARK), *remember,
            Rule((Compare("meta l4proto", (self.protocol,)),), Dnat(backend.address, backend.port))))
