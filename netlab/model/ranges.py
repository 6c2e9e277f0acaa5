"""The address ranges of one IP family, and which part of them is whose."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from netlab.model.family import BITS, IPV4, IPV6

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# What kube-controller-manager gives each node: --node-cidr-mask-size-ipv4, --node-cidr-mask-size-ipv6.
NODE_PREFIX = {IPV4: 24, IPV6: 64}


@dataclass(frozen=True)
class Ranges:
    """Where nodes, pods and Services of a family have their addresses."""

    node: Network
    pod: Network
    service: Network

    @property
    def family(self) -> str:
        """IPv4 or IPv6."""
        return family_of(self.node)

    @property
    def api_ip(self) -> Address:
        """The service range's first usable address: ClusterIP of default/kubernetes, if it is the first family's."""
        return self.service[1]

    @property
    def gateway_ip(self) -> Address:
        """The fabric's own address."""
        return self.node[1]

    def host_ip(self, index: int) -> Address:
        """The address of the host of that number on the nodes' network: the second usable address onwards."""
        return self.node[2 + index]

    def pods_of(self, index: int, nodes: int) -> Network:
        """The part of the pod range that the node of that number has."""
        prefix = node_prefix(self.pod, nodes)
        size = 1 << (BITS[self.family] - prefix)
        base = int(self.pod.network_address) + size * index
        return type(self.pod)((base, prefix))


def family_of(value: Address | Network) -> str:
    """The family of an address or a range."""
    return IPV4 if value.version == 4 else IPV6


def node_prefix(pod: Network, nodes: int) -> int:
    """The prefix length of a node's part: upstream's, longer where the range is too small for that."""
    return max(NODE_PREFIX[family_of(pod)], pod.prefixlen + (nodes - 1).bit_length())


# IPv6: what kind's Docker network, pods and Services have.
DEFAULTS = {
    IPV4: Ranges(IPv4Network("172.18.0.0/16"), IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/12")),
    IPV6: Ranges(IPv6Network("fc00:f853:ccd:e793::/64"), IPv6Network("fd00:10:244::/56"),
                 IPv6Network("fd00:10:96::/112")),
}
