"""A lab's settings as a value: nodes, address ranges, domain, images.

Everything that depends on ranges (wiring, allocation, rules, DNS) computes from this one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from netlab.model.proxy_settings import ProxySettings, read_proxy_settings

DEFAULT_NAME = "netlab"
DEFAULT_NODES = ("control-plane", "worker", "worker2")
CLIENT = "client"
FABRIC = "fabric"


@dataclass(frozen=True)
class LabSpec:
    """What a lab file's `spec` says, with defaults filled in. See `topology/` for what is made of it.

    `proxy_mode` "" is whichever the machine can: iptables, or nftables where the kernel has no legacy tables.
    """

    name: str = DEFAULT_NAME
    nodes: tuple[str, ...] = DEFAULT_NODES
    node_cidr: IPv4Network = IPv4Network("172.18.0.0/16")
    pod_cidr: IPv4Network = IPv4Network("10.244.0.0/16")
    service_cidr: IPv4Network = IPv4Network("10.96.0.0/12")
    dns_ip: IPv4Address = IPv4Address("10.96.0.10")
    node_ports: range = range(30000, 32768)
    cluster_domain: str = "cluster.local"
    proxy_mode: str = ""
    kube_proxy: Mapping[str, Any] = field(default_factory=dict, hash=False)
    ip_families: tuple[str, ...] = ("IPv4",)
    images: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)

    @cached_property
    def proxy(self) -> ProxySettings:
        """kube-proxy's settings."""
        return read_proxy_settings(self.kube_proxy, mode=self.proxy_mode)[0]

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
            "nodes": list(self.nodes),
            "nodeCIDR": str(self.node_cidr),
            "podCIDR": str(self.pod_cidr),
            "serviceCIDR": str(self.service_cidr),
            "dnsIP": str(self.dns_ip),
            "nodePortRange": f"{self.node_ports.start}-{self.node_ports.stop - 1}",
            "clusterDomain": self.cluster_domain,
            "proxyMode": self.proxy_mode or None,
            "kubeProxy": dict(self.kube_proxy),
            "ipFamilies": list(self.ip_families),
            "images": [dict(image) for image in self.images],
        }
