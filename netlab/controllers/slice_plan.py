"""What becomes of a Service's EndpointSlices of one family: which stay, which are written, which go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from netlab.controllers import slice_content
from netlab.controllers.port_order import Port, slice_order
from netlab.controllers.slice_filling import Endpoint, Filled, fill
from netlab.model.endpoint_ports import endpoint_ports
from netlab.model.meta import Manifest


@dataclass(frozen=True)
class Plan:
    """The slices that there shall be, and those that go.

    `spare` ones may be written anew in place of a new slice: readers then see no moment without endpoints. `gone` ones
    belonged to a Service that had the name before.
    """

    parts: tuple[Filled, ...]
    spare: tuple[Manifest, ...] = ()
    gone: tuple[Manifest, ...] = ()


def plan(service: Manifest, family: str, pods: Iterable[Manifest], present: Iterable[Manifest], *,
         zones: Mapping[str, str]) -> Plan:
    """The slices for these pods, made of the present ones of the family; hints are still to come."""
    labels = slice_content.own_labels(service)
    owned, gone = [], []
    groups: dict[tuple[str, ...], list[Manifest]] = {}
    for part in present:
        if slice_content.is_owned_by(part, service):
            owned.append(part)
            groups.setdefault(_key(slice_order(part.get("ports") or ())), []).append(part)
        else:
            gone.append(part)
    parts = [replace(filled, ports=ports) for ports, endpoints in _wanted(service, family, pods, zones)
             for filled in fill(groups.get(_key(ports), ()), endpoints,
                                outdated=lambda part: slice_content.own_labels(part) != labels)]
    if not parts:
        parts = [_placeholder(owned, labels)]
    used = {id(filled.slice) for filled in parts}
    return Plan(tuple(parts), tuple(part for part in owned if id(part) not in used), tuple(gone))


def _wanted(service: Manifest, family: str, pods: Iterable[Manifest],
            zones: Mapping[str, str]) -> list[tuple[tuple[Port, ...], list[Endpoint]]]:
    """The endpoints of each set of ports. A set may have none: that of pods without an address of the family."""
    found: dict[str, tuple[tuple[Port, ...], list[Endpoint]]] = {}
    for pod in pods:
        ports = endpoint_ports(service, pod)
        key = repr(ports)
        if key not in found:
            found[key] = slice_order(ports), []
        address = slice_content.address_of(pod, family)
        if address is not None:
            found[key][1].append(slice_content.endpoint(service, pod, address, zones))
    return list(found.values())


def _placeholder(owned: Iterable[Manifest], labels: Mapping[str, str]) -> Filled:
    """The slice without ports of a Service without endpoints, so that it is seen to have none."""
    empty = next((part for part in owned if not part.get("ports") and not part.get("endpoints")), None)
    return Filled(empty, (), changed=empty is None or slice_content.own_labels(empty) != labels)


def _key(ports: Iterable[Port]) -> tuple[str, ...]:
    return tuple(map(repr, ports))
