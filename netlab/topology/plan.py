"""From a lab's settings to the wiring of its fabric, nodes, client and pods.

    fabric  br0 172.18.0.1, a bridge that joins nodes and client. It forwards nothing: what a node sends to an unknown
            address by its default route vanishes there, silently, as on a network that does not answer.
    node    eth0 172.18.0.2..., default route via the fabric, a route to each other node's pods
    client  eth0, the first address after the nodes. No other route: pods and Services are not reachable for it.
    load-balancer  where the lab has one: eth0, the address after the client's, routes to each node's pods. It forwards,
            and nodes send to the client by way of it: it sees both directions of what it has translated.
    internet  where the lab has an outside world: its router, with eth0, the address after the load balancer's, and a
            bridge br0 that joins the hosts outside; nodes and client have a route over it, nobody has one to pods
    pod     eth0, one end of a veth whose other end is in the node: routed, not bridged, as the CNI plugin ptp does it

Neighbour entries are permanent, so nothing waits for ARP or NDP and nothing counts in the kernel's neighbour tables,
which all netns of a machine share. Names, indexes and MACs follow from addresses of the lab's first family, so nothing
is ever looked up. Links have both families' addresses in a dual-stack lab, and no link-local ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network

from netlab.model.family import IPV4, IPV6
from netlab.model.internet import RESOLVER, ROUTER, Internet
from netlab.model.lab_spec import LabSpec
from netlab.model.ranges import Address as IPAddress
from netlab.model.ranges import Network, Ranges
from netlab.topology.names import client_netns, fabric_netns, load_balancer_netns, node_netns
from netlab.topology.wiring import Address, Bridge, Neighbour, Route, Sysctl, Veth, Wiring

LO = ("lo", 1)
ETH0 = ("eth0", 2)
BRIDGE = ("br0", 2)
OUTSIDE_BRIDGE = ("br0", 3)
DEFAULT = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
# A veth's ends must not have the same index: the kernel then reports their carrier up to a second late.
FIRST_PORT = 100


def plan_lab(spec: LabSpec) -> tuple[Wiring, ...]:
    """The fabric, the nodes and the client, in the order in which they can be built."""
    hosts = {node_netns(spec.name, node): spec.node_ips(node) for node in spec.nodes}
    hosts[client_netns(spec.name)] = spec.client_ips
    nodes = tuple(_node(spec, node) for node in spec.nodes)
    others: tuple[Wiring, ...] = ()
    if spec.load_balancer:
        hosts[load_balancer_netns(spec.name)] = spec.load_balancer_ips
        others = (_load_balancer(spec),)
    if spec.internet:
        hosts[node_netns(spec.name, ROUTER)] = spec.router_ips
        others += _internet(spec, spec.internet)
    return (_fabric(spec, hosts), *nodes, *others, _client(spec))


def plan_pod(spec: LabSpec, *, node: str, netns: str, addresses: Sequence[IPAddress]) -> tuple[Wiring, Wiring]:
    """(what the pod's netns gets, what is added to its node's netns) for a pod with one address of each family."""
    cidrs = spec.node_pod_cidrs(node)
    name, index = pod_link(spec, node=node, address=addresses[0])
    mac, gateway_mac = pod_mac(addresses[0]), pod_mac(cidrs[0][1])
    each = [(address, cidr, cidr[1]) for address, cidr in zip(addresses, cidrs, strict=True)]
    pod = Wiring(
        netns, up=(LO, ETH0),
        addresses=tuple(Address("eth0", ip_interface((address, cidr.prefixlen)), prefix_route=False)
                        for address, cidr, _ in each),
        routes=tuple(route for address, cidr, gateway in each for route in _pod_routes(address, cidr, gateway)),
        neighbours=tuple(Neighbour("eth0", str(gateway), gateway_mac) for _, _, gateway in each),
        sysctls=_sysctls(spec, forwards=False))
    addition = Wiring(
        node_netns(spec.name, node), existing=True,
        veths=(Veth(name, index, "eth0", netns, ETH0[1], mac=gateway_mac, peer_mac=mac),),
        addresses=tuple(Address(name, ip_interface(gateway)) for _, _, gateway in each),
        routes=tuple(Route(_host(address), name, on_host=True) for address in addresses),
        neighbours=tuple(Neighbour(name, str(address), mac) for address in addresses))
    return pod, addition


def _pod_routes(address: IPAddress, cidr: Network, gateway: IPAddress) -> tuple[Route, ...]:
    # The gateway first: the other routes lead over it.
    return (Route(_host(gateway), "eth0", source=str(address)),
            Route(cidr, "eth0", via=str(gateway), source=str(address)),
            Route(DEFAULT[address.version], "eth0", via=str(gateway)))


def pod_link(spec: LabSpec, *, node: str, address: IPAddress) -> tuple[str, int]:
    """(name, index) of the node's end of a pod's veth: `veth` and the address's last eight hexadecimal digits."""
    return f"veth{_last_bits(address):08x}", FIRST_PORT + _offset(address, spec.node_pod_cidr(node))


def pod_mac(address: IPAddress) -> str:
    """The MAC of an address in the pods' network, as CNI plugins compute it: 0a:58 and its last four bytes."""
    return _mac(0x0A58, address)


def node_mac(address: IPAddress) -> str:
    """The MAC of an address in the nodes' network, as Docker (so kind) computes it: 02:42 and its last four bytes."""
    return _mac(0x0242, address)


def _fabric(spec: LabSpec, hosts: dict[str, tuple[IPAddress, ...]]) -> Wiring:
    bridge, mac = BRIDGE[0], node_mac(spec.ranges[0].gateway_ip)
    return Wiring(
        fabric_netns(spec.name),
        bridges=(Bridge(*BRIDGE, mac=mac),),
        veths=tuple(
            Veth(f"port{_last_bits(first):08x}", FIRST_PORT + _offset(first, spec.node_cidr), "eth0", netns, ETH0[1],
                 mac=_mac(0x0642, first), peer_mac=node_mac(first), master=bridge)
            for netns, (first, *_) in hosts.items()),
        up=(LO,),
        addresses=tuple(Address(bridge, _on_network(ranges.gateway_ip, ranges)) for ranges in spec.ranges),
        neighbours=_neighbours(*hosts.values(), link=bridge),
        # The machine may have made bridges ask its iptables rules (br_netfilter): not this one.
        sysctls=(*_sysctls(spec, forwards=False),
                 *(Sysctl(f"bridge/bridge-nf-call-{program}", "0", optional=True)
                   for program, family in (("iptables", IPV4), ("ip6tables", IPV6)) if family in spec.ip_families)))


def _node(spec: LabSpec, node: str) -> Wiring:
    others = tuple(other for other in spec.nodes if other != node)
    gateways = _gateways(spec)
    balancer = spec.load_balancer_ips if spec.load_balancer else ()
    # To hosts outside by way of the load balancer, as to the client: it sees both directions of what it translates.
    first_hop = balancer or (spec.router_ips if spec.internet else ())
    return Wiring(
        node_netns(spec.name, node), up=(LO, ETH0),
        addresses=_addresses(spec, spec.node_ips(node)),
        routes=(*(Route(DEFAULT[gateway.version], "eth0", via=str(gateway)) for gateway in gateways),
                *(Route(cidr, "eth0", via=str(address)) for other in others
                  for cidr, address in zip(spec.node_pod_cidrs(other), spec.node_ips(other), strict=True)),
                *(Route(_host(client), "eth0", via=str(via)) for client, via in zip(spec.client_ips, balancer,
                                                                                  strict=False)),
                *_outward(spec, via=first_hop)),
        neighbours=_neighbours(gateways, *(spec.node_ips(other) for other in others), spec.client_ips, balancer,
                               *_routers(spec)),
        sysctls=(
            *_sysctls(spec, forwards=True),
            # Node ports on 127.0.0.1: replies of pods come back to a loopback address.
            Sysctl("ipv4/conf/all/route_localnet", str(int(spec.proxy.localhost))),
            # What is refused is refused at once, also the seventh time in a second: no limit on ICMP errors.
            Sysctl("ipv4/icmp_ratelimit", "0"),
            Sysctl("ipv4/icmp_msgs_per_sec", "100000", optional=True),  # the machine's own on kernels before 6.12
            Sysctl("ipv4/icmp_msgs_burst", "10000", optional=True),
            *([Sysctl("ipv6/icmp/ratelimit", "0")] if IPV6 in spec.ip_families else []),
            # What kube-proxy sets: --conntrack-tcp-timeout-established, --conntrack-tcp-timeout-close-wait.
            Sysctl("netfilter/nf_conntrack_tcp_timeout_established", "86400", optional=True),
            Sysctl("netfilter/nf_conntrack_tcp_timeout_close_wait", "3600", optional=True),
            *(Sysctl(f"netfilter/{key}", str(value), optional=True) for key, value in spec.proxy.sysctls)))


def _load_balancer(spec: LabSpec) -> Wiring:
    return Wiring(
        load_balancer_netns(spec.name), up=(LO, ETH0),
        addresses=_addresses(spec, spec.load_balancer_ips),
        routes=(*(Route(cidr, "eth0", via=str(address)) for node in spec.nodes
                  for cidr, address in zip(spec.node_pod_cidrs(node), spec.node_ips(node), strict=True)),
                *_outward(spec, via=spec.router_ips)),
        neighbours=_neighbours(_gateways(spec), *map(spec.node_ips, spec.nodes), spec.client_ips, *_routers(spec)),
        sysctls=_sysctls(spec, forwards=True))


def _client(spec: LabSpec) -> Wiring:
    return Wiring(
        client_netns(spec.name), up=(LO, ETH0),
        addresses=_addresses(spec, spec.client_ips),
        routes=_outward(spec, via=spec.router_ips, routed=True),
        neighbours=_neighbours(_gateways(spec), *map(spec.node_ips, spec.nodes),
                               spec.load_balancer_ips if spec.load_balancer else (), *_routers(spec)),
        sysctls=_sysctls(spec, forwards=False))


def _internet(spec: LabSpec, internet: Internet) -> tuple[Wiring, ...]:
    """The router and the hosts behind it."""
    hosts = ((RESOLVER, internet.resolver_ips), *((host.name, host.addresses) for host in internet.hosts))
    bridge, mac = OUTSIDE_BRIDGE[0], node_mac(internet.router_ips[0])
    router = Wiring(
        node_netns(spec.name, ROUTER), up=(LO, ETH0),
        bridges=(Bridge(*OUTSIDE_BRIDGE, mac=mac),),
        veths=tuple(Veth(f"port{_last_bits(first):08x}", FIRST_PORT + _offset(first, internet.networks[0]), "eth0",
                         node_netns(spec.name, name), ETH0[1], mac=_mac(0x0642, first), peer_mac=node_mac(first),
                         master=bridge) for name, (first, *_) in hosts),
        addresses=(*_addresses(spec, spec.router_ips),
                   *(Address(bridge, ip_interface((address, network.prefixlen)))
                     for address, network in zip(internet.router_ips, internet.networks, strict=True))),
        routes=tuple(Route(to, "eth0", via=str(next(ip for ip in spec.node_ips(node) if ip.version == to.version)))
                     for to, node in internet.routes),
        neighbours=(*_neighbours(_gateways(spec), *map(spec.node_ips, spec.nodes), spec.client_ips,
                                 spec.load_balancer_ips if spec.load_balancer else ()),
                    *_neighbours(*(addresses for _, addresses in hosts), link=bridge)),
        sysctls=_sysctls(spec, forwards=True))
    return (router, *(_outside_host(spec, internet, name, addresses) for name, addresses in hosts))


def _outside_host(spec: LabSpec, internet: Internet, name: str, addresses: Sequence[IPAddress]) -> Wiring:
    return Wiring(
        node_netns(spec.name, name), up=(LO, ETH0),
        addresses=tuple(Address("eth0", ip_interface((address, network.prefixlen)))
                        for address, network in zip(addresses, internet.networks, strict=True)),
        routes=tuple(Route(DEFAULT[address.version], "eth0", via=str(address)) for address in internet.router_ips),
        neighbours=_neighbours(internet.router_ips),
        sysctls=_sysctls(spec, forwards=False))


def _routers(spec: LabSpec) -> tuple[tuple[IPAddress, ...], ...]:
    return (spec.router_ips,) if spec.internet else ()


def _outward(spec: LabSpec, *, via: Sequence[IPAddress], routed: bool = False) -> tuple[Route, ...]:
    """Routes to the outside world, `routed` with those to what its router sends to nodes."""
    if not spec.internet:
        return ()
    wanted = [*spec.internet.networks, *(to for to, _ in spec.internet.routes if routed)]
    return tuple(Route(to, "eth0", via=str(hop)) for to in wanted for hop in via if hop.version == to.version)


def _gateways(spec: LabSpec) -> tuple[IPAddress, ...]:
    return tuple(ranges.gateway_ip for ranges in spec.ranges)


def _addresses(spec: LabSpec, addresses: Sequence[IPAddress]) -> tuple[Address, ...]:
    return tuple(Address("eth0", _on_network(address, ranges))
                 for address, ranges in zip(addresses, spec.ranges, strict=True))


def _on_network(address: IPAddress, ranges: Ranges) -> IPv4Interface | IPv6Interface:
    return ip_interface((address, ranges.node.prefixlen))


def _neighbours(*hosts: Sequence[IPAddress], link: str = "eth0") -> tuple[Neighbour, ...]:
    """Entries for hosts, each with its addresses: the MAC follows from the first."""
    return tuple(Neighbour(link, str(address), node_mac(addresses[0])) for addresses in hosts for address in addresses)


def _sysctls(spec: LabSpec, *, forwards: bool) -> tuple[Sysctl, ...]:
    """What a fresh netns may have copied from the machine, whose settings must not change what a lab shows.

    They are written before there is a link, so eth0 gets `default`. Redirects are off: a node that sends a client's
    packet on to another node over the same link would tell the client a shorter way, which does not exist.
    """
    ipv6 = _ipv6(forwards=forwards) if IPV6 in spec.ip_families else _NO_IPV6
    if not forwards:
        return (Sysctl("ipv4/ip_forward", "0"), *ipv6)
    return (Sysctl("ipv4/ip_forward", "1"),  # first: it resets others
            *(Sysctl(f"ipv4/conf/{which}/{key}", "0") for which in ("all", "default")
              for key in ("rp_filter", "send_redirects", "accept_redirects")), *ipv6)


_NO_IPV6 = tuple(Sysctl(f"ipv6/conf/{which}/disable_ipv6", "1", optional=True) for which in ("all", "default"))


def _ipv6(*, forwards: bool) -> tuple[Sysctl, ...]:
    """Addresses are those that were given, at once: no detection of duplicates, no router advertisements.

    Without link-local addresses there is no multicast chatter either, and the kernel has none to send redirects from,
    which IPv6 has no setting against.
    """
    settings = {"disable_ipv6": "0", "forwarding": "1" if forwards else "0", "accept_ra": "0", "autoconf": "0",
                "accept_redirects": "0", "accept_dad": "0", "dad_transmits": "0", "addr_gen_mode": "1"}
    return (*(Sysctl(f"ipv6/conf/{which}/{key}", value) for key, value in settings.items()
              for which in ("all", "default")),
            Sysctl("ipv6/bindv6only", "0"))


def _mac(prefix: int, address: IPAddress) -> str:
    return (prefix.to_bytes(2, "big") + address.packed[-4:]).hex(":")


def _last_bits(address: IPAddress) -> int:
    return int(address) & 0xFFFFFFFF


def _offset(address: IPAddress, network: Network) -> int:
    return int(address) - int(network.network_address)


def _host(address: IPAddress) -> Network:
    return ip_network(address)
