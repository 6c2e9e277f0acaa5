"""Where a load balancer sends a Service's connections, and whom it asks first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from netlab.model import meta
from netlab.model.endpoints import EndpointSlice
from netlab.model.family import IPV4, family_of
from netlab.model.meta import Manifest
from netlab.model.service import Service
from netlab.proxy.backends import backends, choose
from netlab.proxy.health import HEALTHZ_PORT, TO_BE_DELETED
from netlab.proxy.load_balancer import Balanced, Target

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


def usable_nodes(nodes: Iterable[Manifest]) -> tuple[tuple[str, str], ...]:
    """(name, address) of the nodes that load balancers may use; their health is asked for, not read (KEP-3458)."""
    found = []
    for node in nodes:
        taints = [taint.get("key") for taint in meta.spec(node).get("taints") or ()]
        address = next((item.get("address") for item in meta.status(node).get("addresses") or ()
                        if item.get("type") == "InternalIP" and family_of(str(item.get("address"))) == IPV4), None)
        if address and EXCLUDE not in meta.labels(node) and TO_BE_DELETED not in taints \
                and not meta.is_deleting(node):
            found.append((meta.name(node), str(address)))
    return tuple(found)


def check_port(service: Service) -> int:
    """The port at which nodes say if they take the Service's connections."""
    return service.health_check_node_port or HEALTHZ_PORT


def balanced(service: Service, address: str, nodes: Sequence[tuple[str, str]], slices: Sequence[EndpointSlice],
             healthy: Callable[[str, int], bool]) -> list[Balanced]:
    """The Service's ports at that address.

    A port without a node port (allocateLoadBalancerNodePorts: false) leads to the Service's pods themselves.
    `healthy` tells of a node's address and port whether it has answered well.
    """
    good = [node for node in nodes if healthy(node[1], check_port(service))]
    ranges = tuple(cidr for cidr in service.source_ranges if family_of(cidr) == IPV4)
    found = []
    for port in service.ports:
        if port.node_port:
            targets = tuple(Target(place, port.node_port) for _, place in good)
        else:
            behind = backends(slices, port_name=port.name, protocol=port.protocol)
            targets = tuple(Target(one.address, one.port) for one in choose(behind, node="").cluster)
        name = f"{service.namespace}/{service.name}" + (f":{port.name}" if port.name else "")
        found.append(Balanced(name, address, port.port, port.protocol, targets, ranges,
                              service.affinity_seconds))
    return found
