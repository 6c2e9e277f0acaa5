"""All Services with their endpoints, as every mode takes them; what did not change is not computed again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from netlab.model import meta
from netlab.model.endpoints import EndpointSlice, parse_endpoint_slice
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest
from netlab.model.service import Service, parse_service
from netlab.proxy.backends import Backend, backends
from netlab.proxy.frontends import Portal, portals

T = TypeVar("T")


@dataclass(frozen=True)
class Proxied:
    """One port of a Service and all endpoints behind it. The same object comes again while neither changes."""

    portal: Portal
    backends: tuple[Backend, ...]

    @cached_property
    def differs(self) -> bool:
        """Whether nodes may have different rules for it."""
        return self.portal.uses_local or any(b.zones for b in self.backends) \
            or any(row.source_ranges for row in self.portal.frontends)


@dataclass(frozen=True)
class NodeView:
    """The node that rules are for. `cluster_cidr` tells pods from others; "" when it is not known."""

    name: str
    addresses: tuple[str, ...] = ()
    zone: str = ""
    cluster_cidr: str = ""
    masquerade_all: bool = False
    localhost_node_ports: bool = True


class Snapshots:
    """Turns manifests into `Proxied` rows, sorted by name. `refused` tells which manifests could not be used, and why.

    Manifests must not change once they were handed over: they are known by identity.
    """

    def __init__(self) -> None:
        self.refused: tuple[str, ...] = ()
        self._services: dict[tuple[str, str], tuple[Manifest, Service | None]] = {}
        self._slices: dict[tuple[str, str], tuple[Manifest, EndpointSlice | None]] = {}
        self._rows: dict[tuple[str, str], tuple[Service, tuple[EndpointSlice, ...], tuple[Proxied, ...]]] = {}

    def take(self, services: Iterable[Manifest], slices: Iterable[Manifest]) -> tuple[Proxied, ...]:
        """The rows of these Services and EndpointSlices."""
        refused: list[str] = []
        self._services = _parse(services, self._services, parse_service, refused)
        self._slices = _parse(slices, self._slices, parse_endpoint_slice, refused)
        self.refused = tuple(refused)
        behind: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
        for key in sorted(self._slices):
            part = self._slices[key][1]
            if part is not None:
                behind[part.namespace, part.service].append(part)
        rows = {}
        for key, (_, service) in self._services.items():
            if service is not None:
                rows[key] = self._join(key, service, tuple(behind.get(key, ())))
        self._rows = rows
        return tuple(row for key in sorted(rows) for row in rows[key][2])

    def _join(self, key: tuple[str, str], service: Service, slices: tuple[EndpointSlice, ...],
              ) -> tuple[Service, tuple[EndpointSlice, ...], tuple[Proxied, ...]]:
        old = self._rows.get(key)
        if old and old[0] is service and len(old[1]) == len(slices) \
                and all(a is b for a, b in zip(old[1], slices, strict=True)):
            return old
        known = {(row.portal.name, row.portal.protocol): row for row in old[2]} if old else {}
        rows = []
        for portal in portals(service):
            row = Proxied(portal, backends(slices, port_name=portal.port_name, protocol=portal.protocol))
            same = known.get((portal.name, portal.protocol))
            rows.append(same if same == row else row)
        return service, slices, tuple(rows)


def _parse(manifests: Iterable[Manifest], known: dict[tuple[str, str], tuple[Manifest, T | None]],
           parse: Callable[[Manifest], T], refused: list[str]) -> dict[tuple[str, str], tuple[Manifest, T | None]]:
    parsed: dict[tuple[str, str], tuple[Manifest, T | None]] = {}
    for manifest in manifests:
        key = meta.namespace(manifest), meta.name(manifest)
        old = known.get(key)
        if old and old[0] is manifest:
            parsed[key] = old
            continue
        try:
            parsed[key] = manifest, parse(manifest)
        except ApiError as error:
            parsed[key] = manifest, None
            refused.append(error.message)
    return parsed
