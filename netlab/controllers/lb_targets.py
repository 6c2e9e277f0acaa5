"""Where a load balancer sends a Service's connections, and whom it asks first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from netlab.controllers.lb_health import Place
from netlab.model import meta
from netlab.model.endpoints import EndpointSlice
from netlab.model.family import family_of
from netlab.model.meta import Manifest
from netlab.model.service import Service
from netlab.proxy.backends import backends, choose
from netlab.proxy.health import HEALTHZ_PORT, TO_BE_DELETED
from netlab.proxy.load_balancer import Balanced, Target

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


def usable_nodes(nodes: Iterable[Manifest]) -> tuple[str, ...]:
    """The addresses, one of each family, of nodes that load balancers may use; their health is asked for, not read
    (KEP-3458).
    """
    found: list[str] = []
    for node in nodes:
        taints = [taint.get("key") for taint in meta.spec(node).get("taints") or ()]
        addresses = [str(item["address"]) for item in meta.status(node).get("addresses") or ()
                     if item.get("type") == "InternalIP" and item.get("address")]
        if EXCLUDE not in meta.labels(node) and TO_BE_DELETED not in taints and not meta.is_deleting(node):
            found += {family_of(address): address for address in reversed(addresses)}.values()
    return tuple(found)


def check_port(service: Service) -> int:
    """The port at which nodes say if they take the Service's connections."""
    return service.health_check_node_port or HEALTHZ_PORT


def places(service: Service, addresses: Iterable[str], nodes: Sequence[str]) -> set[Place]:
    """Whom to ask for the Service's health when it has these addresses: nodes at their address of the same family."""
    families = set(map(family_of, addresses))
    return {(node, check_port(service)) for node in nodes if family_of(node) in families}


def balanced(service: Service, address: str, nodes: Sequence[str], slices: Sequence[EndpointSlice],
             healthy: Callable[[str, int], bool]) -> list[Balanced]:
    """The Service's ports at that address, with targets of its family.

    A port without a node port (allocateLoadBalancerNodePorts: false) leads to the Service's pods themselves.
    `healthy` tells of a node's address and port whether it has answered well.
    """
    family = family_of(address)
    good = sorted(place for place, _ in places(service, [address], nodes) if healthy(place, check_port(service)))
    ranges = tuple(cidr for cidr in service.balancer_ranges if family_of(cidr) == family)
    found = []
    for port in service.ports:
        if port.node_port:
            targets = tuple(Target(place, port.node_port) for place in good)
        else:
            behind = backends(slices, port_name=port.name, protocol=port.protocol, family=family)
            targets = tuple(Target(one.address, one.port) for one in choose(behind, node="").cluster)
        name = f"{service.namespace}/{service.name}" + (f":{port.name}" if port.name else "")
        found.append(Balanced(name, address, port.port, port.protocol, targets, ranges,
                              service.affinity_seconds))
    return found
