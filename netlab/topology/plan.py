"""From a lab's settings to the wiring of its fabric, nodes, client and pods.

    fabric  br0 172.18.0.1, a bridge that joins nodes and client. It forwards nothing: what a node sends to an unknown
            address by its default route vanishes there, silently, as on a network that does not answer.
    node    eth0 172.18.0.2..., default route via the fabric, a route to each other node's pods
    client  eth0, the first address after the nodes. No other route: pods and Services are not reachable for it.
    pod     eth0, one end of a veth whose other end is in the node: routed, not bridged, as the CNI plugin ptp does it

Neighbour entries are permanent, so nothing waits for ARP and nothing counts in the kernel's neighbour table,
which all netns of a machine share. Names, indexes and MACs follow from addresses, so nothing is ever looked up.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from netlab.model.lab_spec import LabSpec
from netlab.topology.names import client_netns, fabric_netns, node_netns
from netlab.topology.wiring import Address, Bridge, Neighbour, Route, Sysctl, Veth, Wiring

LO = ("lo", 1)
ETH0 = ("eth0", 2)
BRIDGE = ("br0", 2)
DEFAULT = IPv4Network("0.0.0.0/0")
# A veth's ends must not have the same index: the kernel then reports their carrier up to a second late.
FIRST_PORT = 100


def plan_lab(spec: LabSpec) -> tuple[Wiring, ...]:
    """The fabric, the nodes and the client, in the order in which they can be built."""
    hosts = {spec.node_ip(node): node_netns(spec.name, node) for node in spec.nodes}
    hosts[spec.client_ip] = client_netns(spec.name)
    nodes = tuple(_node(spec, node) for node in spec.nodes)
    return (_fabric(spec, hosts), *nodes, _client(spec))


def plan_pod(spec: LabSpec, *, node: str, netns: str, address: IPv4Address) -> tuple[Wiring, Wiring]:
    """(what the pod's netns gets, what is added to its node's netns) for a pod with that address."""
    cidr = spec.node_pod_cidr(node)
    gateway = cidr[1]
    name, index = pod_link(spec, node=node, address=address)
    pod = Wiring(
        netns, up=(LO, ETH0),
        addresses=(Address("eth0", IPv4Interface((address, cidr.prefixlen)), prefix_route=False),),
        # The gateway first: the other routes lead over it.
        routes=(Route(_host(gateway), "eth0", source=str(address)),
                Route(cidr, "eth0", via=str(gateway), source=str(address)),
                Route(DEFAULT, "eth0", via=str(gateway))),
        neighbours=(Neighbour("eth0", str(gateway), pod_mac(gateway)),),
        sysctls=_sysctls(forwards=False))
    addition = Wiring(
        node_netns(spec.name, node), existing=True,
        veths=(Veth(name, index, "eth0", netns, ETH0[1], mac=pod_mac(gateway), peer_mac=pod_mac(address)),),
        addresses=(Address(name, IPv4Interface((gateway, 32))),),
        routes=(Route(_host(address), name, on_host=True),),
        neighbours=(Neighbour(name, str(address), pod_mac(address)),))
    return pod, addition


def pod_link(spec: LabSpec, *, node: str, address: IPv4Address) -> tuple[str, int]:
    """(name, index) of the node's end of a pod's veth: `veth` and the pod's address in hexadecimal digits."""
    return f"veth{int(address):08x}", FIRST_PORT + _offset(address, spec.node_pod_cidr(node))


def pod_mac(address: IPv4Address) -> str:
    """The MAC of an address in the pods' network, as CNI plugins compute it: 0a:58 and the address."""
    return _mac(0x0A58, address)


def node_mac(address: IPv4Address) -> str:
    """The MAC of an address in the nodes' network, as Docker (so kind) computes it: 02:42 and the address."""
    return _mac(0x0242, address)


def _fabric(spec: LabSpec, hosts: dict[IPv4Address, str]) -> Wiring:
    bridge, gateway = BRIDGE[0], spec.gateway_ip
    return Wiring(
        fabric_netns(spec.name),
        bridges=(Bridge(*BRIDGE, mac=node_mac(gateway)),),
        veths=tuple(
            Veth(f"port{int(address):08x}", FIRST_PORT + _offset(address, spec.node_cidr), "eth0", netns, ETH0[1],
                 mac=_mac(0x0642, address), peer_mac=node_mac(address), master=bridge)
            for address, netns in hosts.items()),
        up=(LO,),
        addresses=(Address(bridge, IPv4Interface((gateway, spec.node_cidr.prefixlen))),),
        neighbours=tuple(Neighbour(bridge, str(address), node_mac(address)) for address in hosts),
        # The machine may have made bridges ask its iptables rules (br_netfilter): not this one.
        sysctls=(*_sysctls(forwards=False), Sysctl("bridge/bridge-nf-call-iptables", "0", optional=True)))


def _node(spec: LabSpec, node: str) -> Wiring:
    others = tuple(other for other in spec.nodes if other != node)
    gateway = str(spec.gateway_ip)
    return Wiring(
        node_netns(spec.name, node), up=(LO, ETH0),
        addresses=(Address("eth0", IPv4Interface((spec.node_ip(node), spec.node_cidr.prefixlen))),),
        routes=(Route(DEFAULT, "eth0", via=gateway),
                *(Route(spec.node_pod_cidr(other), "eth0", via=str(spec.node_ip(other))) for other in others)),
        neighbours=_neighbours(spec.gateway_ip, *(spec.node_ip(other) for other in others), spec.client_ip),
        sysctls=(
            *_sysctls(forwards=True),
            # Node ports on 127.0.0.1: replies of pods come back to a loopback address.
            Sysctl("ipv4/conf/all/route_localnet", str(int(spec.proxy.localhost_node_ports))),
            # What is refused is refused at once, also the seventh time in a second: no limit on ICMP errors.
            Sysctl("ipv4/icmp_ratelimit", "0"),
            Sysctl("ipv4/icmp_msgs_per_sec", "100000", optional=True),  # the machine's own on kernels before 6.12
            Sysctl("ipv4/icmp_msgs_burst", "10000", optional=True),
            # What kube-proxy sets: --conntrack-tcp-timeout-established, --conntrack-tcp-timeout-close-wait.
            Sysctl("netfilter/nf_conntrack_tcp_timeout_established", "86400", optional=True),
            Sysctl("netfilter/nf_conntrack_tcp_timeout_close_wait", "3600", optional=True),
            *(Sysctl(f"netfilter/{key}", str(value), optional=True) for key, value in spec.proxy.sysctls)))


def _client(spec: LabSpec) -> Wiring:
    return Wiring(
        client_netns(spec.name), up=(LO, ETH0),
        addresses=(Address("eth0", IPv4Interface((spec.client_ip, spec.node_cidr.prefixlen))),),
        neighbours=_neighbours(spec.gateway_ip, *map(spec.node_ip, spec.nodes)),
        sysctls=_sysctls(forwards=False))


def _neighbours(*addresses: IPv4Address) -> tuple[Neighbour, ...]:
    return tuple(Neighbour("eth0", str(address), node_mac(address)) for address in addresses)


def _sysctls(*, forwards: bool) -> tuple[Sysctl, ...]:
    """What a fresh netns may have copied from the machine, whose settings must not change what a lab shows.

    They are written before there is a link, so eth0 gets `default`. Redirects are off: a node that sends a client's
    packet on to another node over the same link would tell the client a shorter way, which does not exist.
    """
    no_ipv6 = tuple(Sysctl(f"ipv6/conf/{which}/disable_ipv6", "1", optional=True) for which in ("all", "default"))
    if not forwards:
        return (Sysctl("ipv4/ip_forward", "0"), *no_ipv6)
    return (Sysctl("ipv4/ip_forward", "1"),  # first: it resets others
            *(Sysctl(f"ipv4/conf/{which}/{key}", "0") for which in ("all", "default")
              for key in ("rp_filter", "send_redirects", "accept_redirects")), *no_ipv6)


def _mac(prefix: int, address: IPv4Address) -> str:
    return (prefix.to_bytes(2, "big") + address.packed).hex(":")


def _offset(address: IPv4Address, network: IPv4Network) -> int:
    return int(address) - int(network.network_address)


def _host(address: IPv4Address) -> IPv4Network:
    return IPv4Network((address, 32))
