"""Endpoints that users make for Services without a selector are copied into EndpointSlices (KEP-1672's mirroring)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.mirror_content import CAPACITY, CONTROLLER, Mirror, is_mirrored, key_of, mirror
from netlab.controllers.per_object import Name, PerObject
from netlab.controllers.port_order import slice_order
from netlab.controllers.slice_content import MANAGED_BY, SERVICE_NAME
from netlab.controllers.slice_filling import identity
from netlab.model import meta
from netlab.model.meta import Manifest


class EndpointSliceMirroring(PerObject):
    """Keeps one slice per address family and set of ports."""

    name = "endpointslicemirroring"
    resources = ("services", "endpoints", "endpointslices")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "endpoint-slice-mirroring-controller")
        self._slices = Index(self.store, "endpointslices", _mirrored)
        self._endpoints = Index(self.store, "endpoints", _key)
        self._services = Index(self.store, "services", _key)
        self._touched: set[Name] = set()

    def changed(self) -> Iterable[Name]:
        """Endpoints that were written, or whose Service or slices were."""
        touched = self._slices.take_touched() | self._endpoints.take_touched() | self._services.take_touched()
        names = {key for key in touched if isinstance(key, tuple)} | self._touched
        self._touched = set()
        return names

    def sync(self, namespace: str, name: str) -> None:
        """Makes the mirror of one Endpoints object right."""
        endpoints = self.registry.find("endpoints", name, namespace)
        service = self.registry.find("services", name, namespace)
        made = Mirror((), 0, 0)
        if endpoints is not None and service is not None and is_mirrored(endpoints, service):
            made = mirror(endpoints)
            self._report(endpoints, made)
        self._write(self._slices.of((namespace, name)), made.slices)
        # What was just written is known: without this each write would bring another look, and its events.
        self._touched |= {key for key in self._slices.take_touched() if isinstance(key, tuple)} - {(namespace, name)}

    def _write(self, present: Iterable[Manifest], wanted: Iterable[Manifest]) -> None:
        """A slice of the same family and ports is kept; one that would go is written anew in place of a new one."""
        spare: dict[str, list[Manifest]] = {}
        kept: dict[tuple[str, str], Manifest] = {}
        for part in present:
            if kept.setdefault(key_of(part), part) is not part:
                spare.setdefault(part["addressType"], []).append(part)
        missing = []
        for new in wanted:
            old = kept.pop(key_of(new), None)
            if old is None:
                missing.append(new)
            elif _content(old) != _content(new):
                self._update(old, new)
        for old in kept.values():
            spare.setdefault(old["addressType"], []).append(old)
        for new in missing:
            if olds := spare.get(new["addressType"]):
                self._update(olds.pop(0), new)
            else:
                self.registry.create("endpointslices", new)
        for old in (old for olds in spare.values() for old in olds):
            self.registry.delete("endpointslices", meta.name(old), namespace=meta.namespace(old))

    def _update(self, old: Manifest, new: Manifest) -> None:
        data = {key: new["metadata"][key] for key in ("labels", "annotations", "ownerReferences")}
        self.registry.update("endpointslices", old | new | {"metadata": old["metadata"] | data})

    def _report(self, endpoints: Manifest, made: Mirror) -> None:
        if made.invalid:
            self._recorder.event(endpoints, "Warning", "InvalidIPAddress",
                                 f"Skipped {made.invalid} invalid IP addresses when mirroring to EndpointSlices")
        if made.skipped > made.invalid:
            self._recorder.event(
                endpoints, "Warning", "TooManyAddressesToMirror",
                f"A max of {CAPACITY} addresses can be mirrored to EndpointSlices per Endpoints subset. "
                f"{made.skipped} addresses were skipped")


def _content(part: Manifest) -> tuple[Any, ...]:
    return ({identity(endpoint): endpoint for endpoint in part.get("endpoints") or ()},
            slice_order(part.get("ports") or ()), meta.labels(part), meta.annotations(part),
            meta.metadata(part).get("ownerReferences"))


def _mirrored(part: Manifest) -> Iterator[Name]:
    labels = meta.labels(part)
    if labels.get(MANAGED_BY) == CONTROLLER and SERVICE_NAME in labels:
        yield meta.namespace(part), labels[SERVICE_NAME]


def _key(item: Manifest) -> Iterator[Name]:
    yield meta.namespace(item), meta.name(item)
