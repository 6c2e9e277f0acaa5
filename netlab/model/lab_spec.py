"""A lab's settings as a value: nodes, address ranges, domain, images.

Everything that depends on ranges (wiring, allocation, rules, DNS) computes from this one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

DEFAULT_NAME = "netlab"
DEFAULT_NODES = ("control-plane", "worker", "worker2")
CLIENT = "client"
LOAD_BALANCER = "load-balancer"
FABRIC = "fabric"


@dataclass(frozen=True)
class Balancing:
    """The lab's load balancer: its addresses, as first and last ones of ranges, and how packets reach the nodes.

    `ip_mode` is what Services' status says (KEP-1860): VIP, clients of the cluster itself never get to the load
    balancer and outer clients keep their address; Proxy, all go through it, and nodes see its address.
    """

    ranges: tuple[tuple[IPv4Address, IPv4Address], ...]
    ip_mode: str = "VIP"

    def to_manifest(self) -> dict[str, Any]:
        """As a lab file has it."""
        return {"addresses": [f"{first}-{last}" for first, last in self.ranges], "ipMode": self.ip_mode}


@dataclass(frozen=True)
class LabSpec:
    """What a lab file's `spec` says, with defaults filled in. See `topology/` for what is made of it."""

    name: str = DEFAULT_NAME
    nodes: tuple[str, ...] = DEFAULT_NODES
    node_cidr: IPv4Network = IPv4Network("172.18.0.0/16")
    pod_cidr: IPv4Network = IPv4Network("10.244.0.0/16")
    service_cidr: IPv4Network = IPv4Network("10.96.0.0/12")
    dns_ip: IPv4Address = IPv4Address("10.96.0.10")
    node_ports: range = range(30000, 32768)
    cluster_domain: str = "cluster.local"
    proxy_mode: str = "iptables"
    ip_families: tuple[str, ...] = ("IPv4",)
    images: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    node_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    load_balancer: Balancing | None = None

    @property
    def api_ip(self) -> IPv4Address:
        """ClusterIP of default/kubernetes: the first usable address of the service range."""
        return self.service_cidr[1]

    @property
    def gateway_ip(self) -> IPv4Address:
        """The fabric's own address, the nodes' default gateway: it forwards nothing."""
        return self.node_cidr[1]

    @property
    def client_ip(self) -> IPv4Address:
        """Address of the host outside of the cluster, on the nodes' network: the first after the nodes."""
        return self.node_cidr[2 + len(self.nodes)]

    @property
    def load_balancer_ip(self) -> IPv4Address:
        """The load balancer's own address, if there is one: the second after the nodes."""
        return self.node_cidr[3 + len(self.nodes)]

    @property
    def outside(self) -> tuple[str, ...]:
        """The hosts beside the nodes that programs can be run in."""
        return (CLIENT, LOAD_BALANCER) if self.load_balancer else (CLIENT,)

    def node_ip(self, node: str) -> IPv4Address:
        """A node's InternalIP: the second usable address onwards, in the order of `nodes`."""
        return self.node_cidr[2 + self.nodes.index(node)]

    def node_pod_cidr(self, node: str) -> IPv4Network:
        """The node's slice of the pod range: a /24 each, smaller where the range is too small for that."""
        prefix = max(24, self.pod_cidr.prefixlen + (len(self.nodes) - 1).bit_length())
        size = 1 << (32 - prefix)
        base = int(self.pod_cidr.network_address) + size * self.nodes.index(node)
        return IPv4Network((base, prefix))

    def to_manifest(self) -> dict[str, Any]:
        """The settings as a lab file's `spec` has them, without defaults; `parse` gives the same value again."""
        return {
            "nodes": [{"name": node, "labels": dict(self.node_labels[node])} if node in self.node_labels else node
                      for node in self.nodes],
            "nodeCIDR": str(self.node_cidr),
            "podCIDR": str(self.pod_cidr),
            "serviceCIDR": str(self.service_cidr),
            "dnsIP": str(self.dns_ip),
            "nodePortRange": f"{self.node_ports.start}-{self.node_ports.stop - 1}",
            "clusterDomain": self.cluster_domain,
            "proxyMode": self.proxy_mode,
            "ipFamilies": list(self.ip_families),
            "images": [dict(image) for image in self.images],
            "loadBalancer": self.load_balancer.to_manifest() if self.load_balancer else None,
        }
