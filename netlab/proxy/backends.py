"""Where a Service's connections go: which endpoints, by readiness, node and zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from netlab.model.endpoints import EndpointSlice
from netlab.model.family import IPV4


class Backend(NamedTuple):
    """An address and port that answers. `ending` endpoints still serve, but are being deleted; `target` is the pod.

    `zones` and `nodes` are those that it is hinted for.
    """

    address: str
    port: int
    ready: bool = True
    ending: bool = False
    node: str = ""
    zones: frozenset[str] = frozenset()
    target: str = ""
    nodes: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """`ADDRESS:PORT` or `[ADDRESS]:PORT`, by which kube-proxy sorts and names backends."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Choice(NamedTuple):
    """The backends that a node uses: for traffic that may leave it, for traffic that must stay; any at all?"""

    cluster: tuple[Backend, ...]
    local: tuple[Backend, ...]
    any: bool

    @property
    def reachable(self) -> tuple[Backend, ...]:
        """All of both, each once, in order."""
        extra = [backend for backend in self.local if backend not in self.cluster]
        return tuple(sorted((*self.cluster, *extra), key=by_text)) if extra else self.cluster


def by_text(backend: Backend) -> str:
    """The key of kube-proxy's order: as text, so 10.244.1.10:80 comes before 10.244.1.2:80."""
    return backend.text


def backends(slices: Iterable[EndpointSlice], *, port_name: str, protocol: str,
             family: str = IPV4) -> tuple[Backend, ...]:
    """All endpoints of a family behind one port of a Service, usable or not, each address and port once.

    Only an endpoint's first address counts; ports without a name or number do not. Of several endpoints at one address
    and port the most usable one counts: where a pod of the node's own network ends, the next one has its address.
    """
    found: dict[str, Backend] = {}
    for part in slices:
        if part.address_type != family or not part.proxied:
            continue
        for port in part.ports:
            if port.name != port_name or port.protocol != protocol or not port.port:
                continue
            for endpoint in part.endpoints:
                if endpoint.addresses:
                    backend = Backend(endpoint.addresses[0], port.port, endpoint.ready,
                                      endpoint.serving and endpoint.terminating, endpoint.node, endpoint.for_zones,
                                      endpoint.target, endpoint.for_nodes)
                    known = found.get(backend.text)
                    if known is None or _use(known) < _use(backend):
                        found[backend.text] = backend
    return tuple(found[key] for key in sorted(found))


def _use(backend: Backend) -> tuple[bool, bool]:
    return backend.ready, backend.ending


def choose(backends: Sequence[Backend], *, node: str, zone: str = "", uses_cluster: bool = True,
           uses_local: bool = False) -> Choice:
    """The backends for one node.

    Ready ones: those hinted for the node if every ready one has a node hint and one fits (KEP-3015), or else, in the
    same way, those hinted for its zone (KEP-2433); where none is ready, those that are being deleted and still serve
    (KEP-1669). The node's own: those that say to be on that node.
    """
    ready = tuple([backend for backend in backends if backend.ready])
    ending = tuple([backend for backend in backends if backend.ending and not backend.ready]) \
        if len(ready) < len(backends) else ()
    cluster: tuple[Backend, ...] = ()
    local: tuple[Backend, ...] = ()
    if uses_cluster:
        same_node = [b for b in ready if node in b.nodes] if all(b.nodes for b in ready) else []
        same_zone = [b for b in ready if zone in b.zones] if all(b.zones for b in ready) else []
        cluster = tuple(same_node or same_zone) or ready or ending
    if uses_local:
        local = tuple(b for b in ready if b.node == node) or tuple(b for b in ending if b.node == node)
    return Choice(cluster, local, bool(ready or ending))
