"""A lab's settings as a value: nodes, address ranges, domain, images.

Everything that depends on ranges (wiring, allocation, rules, DNS) computes from this one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address
from typing import Any

from netlab.model.family import FAMILIES, IPV4
from netlab.model.feature_gates import GATES
from netlab.model.internet import Internet
from netlab.model.proxy_settings import ProxySettings, read_proxy_settings
from netlab.model.ranges import DEFAULTS, Address, Network, Ranges, family_of

DEFAULT_NAME = "netlab"
DEFAULT_NODES = ("control-plane", "worker", "worker2")
CLIENT = "client"
LOAD_BALANCER = "load-balancer"
FABRIC = "fabric"
Pool = tuple[Address, Address]  # the first and the last address of a range


@dataclass(frozen=True)
class Balancing:
    """The lab's load balancer: its addresses, as ranges of one family each, and how packets reach the nodes.

    `ip_mode` is what Services' status says (KEP-1860): VIP, clients of the cluster itself never get to the load
    balancer and outer clients keep their address; Proxy, all go through it, and nodes see its address.
    """

    ranges: tuple[Pool, ...]
    ip_mode: str = "VIP"

    def of(self, family: str) -> tuple[Pool, ...]:
        """The ranges of a family."""
        return tuple(pool for pool in self.ranges if family_of(pool[0]) == family)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of which it has addresses."""
        return tuple(family for family in FAMILIES if self.of(family))

    def to_manifest(self) -> dict[str, Any]:
        """As a lab file has it."""
        return {"addresses": [f"{first}-{last}" for first, last in self.ranges], "ipMode": self.ip_mode}


@dataclass(frozen=True)
class LabSpec:
    """What a lab file's `spec` says, with defaults filled in. See `topology/` for what is made of it.

    Ranges and addresses without a family in their name are the first family's; `secondary` are the other one's.
    `proxy_mode` "" is whichever the machine can: iptables, or nftables where the kernel has no legacy tables.
    """

    name: str = DEFAULT_NAME
    nodes: tuple[str, ...] = DEFAULT_NODES
    node_cidr: Network = DEFAULTS[IPV4].node
    pod_cidr: Network = DEFAULTS[IPV4].pod
    service_cidr: Network = DEFAULTS[IPV4].service
    secondary: Ranges | None = None
    dns_ip: Address = IPv4Address("10.96.0.10")
    node_ports: range = range(30000, 32768)
    cluster_domain: str = "cluster.local"
    proxy_mode: str = ""
    kube_proxy: Mapping[str, Any] = field(default_factory=dict, hash=False)
    images: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    node_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    load_balancer: Balancing | None = None
    internet: Internet | None = None
    feature_gates: Mapping[str, bool] = field(default_factory=dict, hash=False)

    def enabled(self, gate: str) -> bool:
        """Whether a feature gate is open."""
        return self.feature_gates.get(gate, GATES[gate])

    @property
    def ranges(self) -> tuple[Ranges, ...]:
        """The ranges of each family that the lab has, the first family's first."""
        primary = Ranges(self.node_cidr, self.pod_cidr, self.service_cidr)
        return (primary, self.secondary) if self.secondary else (primary,)

    @property
    def ip_families(self) -> tuple[str, ...]:
        """IPv4, IPv6 or both, the first of them first."""
        return tuple(ranges.family for ranges in self.ranges)

    def of(self, family: str) -> Ranges:
        """The ranges of a family. KeyError when the lab does not have it."""
        return {ranges.family: ranges for ranges in self.ranges}[family]

    @cached_property
    def proxy(self) -> ProxySettings:
        """kube-proxy's settings."""
        return read_proxy_settings(self.kube_proxy, mode=self.proxy_mode)[0]

    @property
    def api_ip(self) -> Address:
        """ClusterIP of default/kubernetes: the first usable address of the service range."""
        return self.ranges[0].api_ip

    @property
    def client_ip(self) -> Address:
        """Address of the host outside of the cluster, on the nodes' network: the first after the nodes."""
        return self.client_ips[0]

    @property
    def client_ips(self) -> tuple[Address, ...]:
        """The client's address of each family."""
        return tuple(ranges.host_ip(len(self.nodes)) for ranges in self.ranges)

    @property
    def load_balancer_ips(self) -> tuple[Address, ...]:
        """The load balancer's own address of each family, if there is one: the second after the nodes."""
        return tuple(ranges.host_ip(len(self.nodes) + 1) for ranges in self.ranges)

    @property
    def router_ips(self) -> tuple[Address, ...]:
        """The internet router's address of each family on the nodes' network, if there is one: the third after the
        nodes.
        """
        return tuple(ranges.host_ip(len(self.nodes) + 2) for ranges in self.ranges)

    @property
    def outside(self) -> tuple[str, ...]:
        """The hosts beside the nodes that programs can be run in."""
        return (CLIENT, *((LOAD_BALANCER,) if self.load_balancer else ()),
                *(self.internet.host_names if self.internet else ()))

    def node_ip(self, node: str) -> Address:
        """A node's InternalIP: the second usable address onwards, in the order of `nodes`."""
        return self.node_ips(node)[0]

    def node_ips(self, node: str) -> tuple[Address, ...]:
        """The node's InternalIP of each family."""
        return tuple(ranges.host_ip(self.nodes.index(node)) for ranges in self.ranges)

    def node_pod_cidr(self, node: str) -> Network:
        """The node's slice of the pod range: a /24 each, smaller where the range is too small for that."""
        return self.node_pod_cidrs(node)[0]

    def node_pod_cidrs(self, node: str) -> tuple[Network, ...]:
        """The node's slice of each family's pod range; a /64 of IPv6."""
        return tuple(ranges.pods_of(self.nodes.index(node), len(self.nodes)) for ranges in self.ranges)

    def to_manifest(self) -> dict[str, Any]:
        """The settings as a lab file's `spec` has them, without defaults; `parse` gives the same value again."""
        return {
            "nodes": [{"name": node, "labels": dict(self.node_labels[node])} if node in self.node_labels else node
                      for node in self.nodes],
            "nodeCIDR": joined(ranges.node for ranges in self.ranges),
            "podCIDR": joined(ranges.pod for ranges in self.ranges),
            "serviceCIDR": joined(ranges.service for ranges in self.ranges),
            "dnsIP": str(self.dns_ip),
            "nodePortRange": f"{self.node_ports.start}-{self.node_ports.stop - 1}",
            "clusterDomain": self.cluster_domain,
            "proxyMode": self.proxy_mode or None,
            "kubeProxy": dict(self.kube_proxy),
            "ipFamilies": list(self.ip_families),
            "images": [dict(image) for image in self.images],
            "loadBalancer": self.load_balancer.to_manifest() if self.load_balancer else None,
            "internet": self.internet.to_manifest() if self.internet else None,
            "featureGates": dict(self.feature_gates),
        }


def joined(values: Iterable[object]) -> str:
    """Ranges or addresses as the flags of Kubernetes' programs have them: with commas, the first family's first."""
    return ",".join(map(str, values))
