"""Where Services answer: every Service type becomes rows of one list, before any mode sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from netlab.model.family import IPV4, family_of
from netlab.model.service import Service, ServicePort

CLUSTER_IP, EXTERNAL_IP, LOAD_BALANCER_IP, NODE_PORT = "cluster IP", "external IP", "loadbalancer IP", "node port"


class Frontend(NamedTuple):
    """An address and port that clients use; address "" is every address of the node.

    `policy` Local sends it to the node's own backends only. `source_ranges`, if any, are the only clients allowed.
    """

    kind: str
    address: str
    port: int
    protocol: str
    policy: str
    source_ranges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Portal:
    """One port of a Service with all its frontends; `name` is kube-proxy's (`default/web:http`)."""

    name: str
    protocol: str
    namespace: str
    service: str
    port_name: str
    frontends: tuple[Frontend, ...]
    affinity_seconds: int = 0
    health_check_node_port: int = 0

    @cached_property
    def internal_local(self) -> bool:
        """Whether clients inside of the cluster get the node's own backends only."""
        return any(row.policy == "Local" for row in self.frontends if row.kind == CLUSTER_IP)

    @cached_property
    def external_local(self) -> bool:
        """Whether clients from outside get the node's own backends only."""
        return any(row.policy == "Local" for row in self.frontends if row.kind != CLUSTER_IP)

    @cached_property
    def external(self) -> bool:
        """Whether it answers on more than its cluster IP."""
        return any(row.kind != CLUSTER_IP for row in self.frontends)

    @property
    def uses_cluster(self) -> bool:
        """Whether any frontend may send to backends of all nodes (clients on the nodes always may)."""
        return not self.internal_local or self.external

    @property
    def uses_local(self) -> bool:
        """Whether any frontend sends to the node's own backends only."""
        return self.internal_local or self.external_local


def portals(service: Service, family: str = IPV4) -> tuple[Portal, ...]:
    """The Service's ports with their frontends of that family.

    None for headless and ExternalName Services, those of foreign proxies, and those without a cluster IP of the family.
    """
    address = next((ip for ip in service.cluster_ips if family_of(ip) == family), "")
    if not service.proxied or service.type == "ExternalName" or not address:
        return ()
    return tuple(_portal(service, port, address, family) for port in service.ports)


def _portal(service: Service, port: ServicePort, address: str, family: str) -> Portal:
    outside = service.external_policy
    protocol = port.protocol
    ranges = _ours(service.source_ranges, family)
    rows = [Frontend(CLUSTER_IP, address, port.port, protocol, service.internal_policy)]
    rows += [Frontend(EXTERNAL_IP, ip, port.port, protocol, outside) for ip in _ours(service.external_ips, family)]
    rows += [Frontend(LOAD_BALANCER_IP, ip, port.port, protocol, outside, ranges)
             for ip in _ours(service.load_balancer_ips, family)]
    if port.node_port and service.type in ("NodePort", "LoadBalancer"):
        rows.append(Frontend(NODE_PORT, "", port.node_port, protocol, outside))
    name = f"{service.namespace}/{service.name}" + (f":{port.name}" if port.name else "")
    return Portal(name, protocol, service.namespace, service.name, port.name, tuple(rows),
                  service.affinity_seconds, service.health_check_node_port)


def _ours(texts: tuple[str, ...], family: str) -> tuple[str, ...]:
    """The addresses or ranges of the family."""
    return tuple([text for text in texts if family_of(text) == family]) if texts else ()
