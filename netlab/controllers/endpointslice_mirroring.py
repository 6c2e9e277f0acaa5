"""Endpoints that users make for Services without a selector are copied into EndpointSlices (KEP-1672's mirroring)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers.endpoints import LEADER
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.controllers.slice_content import MANAGED_BY, SERVICE_NAME
from netlab.controllers.trigger_times import LAST_CHANGE
from netlab.model import meta
from netlab.model.meta import Manifest

CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
CAPACITY = 1000  # addresses per subset
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class EndpointSliceMirroring(PerObject):
    """Keeps one slice per subset and address family."""

    name = "endpointslicemirroring"
    resources = ("services", "endpoints", "endpointslices")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "endpoint-slice-mirroring-controller")
        self._slices = Index(self.store, "endpointslices", _mirrored)
        self._endpoints = Index(self.store, "endpoints", _key)
        self._services = Index(self.store, "services", _key)

    def changed(self) -> Iterable[Name]:
        """Endpoints that were written, or whose Service or slices were."""
        touched = self._slices.take_touched() | self._endpoints.take_touched() | self._services.take_touched()
        return {key for key in touched if isinstance(key, tuple)}

    def sync(self, namespace: str, name: str) -> None:
        """Makes the mirror of one Endpoints object right."""
        endpoints = self.registry.find("endpoints", name, namespace)
        service = self.registry.find("services", name, namespace)
        present = self._slices.of((namespace, name))
        wanted = []
        if endpoints is not None and service is not None and is_mirrored(endpoints, service):
            wanted = mirror(endpoints)
            self._report(endpoints)
        for old, new in zip(present, wanted, strict=False):
            if old["addressType"] != new["addressType"]:
                self.registry.delete("endpointslices", meta.name(old), namespace=namespace)
                self.registry.create("endpointslices", new)
            elif _content(old) != _content(new):
                data = {key: new["metadata"][key] for key in ("labels", "annotations", "ownerReferences")}
                self.registry.update("endpointslices", old | new | {"metadata": old["metadata"] | data})
        for new in wanted[len(present):]:
            self.registry.create("endpointslices", new)
        for old in present[len(wanted):]:
            self.registry.delete("endpointslices", meta.name(old), namespace=namespace)

    def _report(self, endpoints: Manifest) -> None:
        subsets = endpoints.get("subsets") or ()
        bad = [a["ip"] for s in subsets for a in _addresses(s) if _family(a["ip"]) is None]
        skipped = sum(max(0, len(_addresses(subset)) - CAPACITY) for subset in subsets)
        if bad:
            self._recorder.event(endpoints, "Warning", "InvalidIPAddress",
                                 f"Skipped {len(bad)} invalid IP addresses when mirroring to EndpointSlices")
        if skipped:
            self._recorder.event(
                endpoints, "Warning", "TooManyAddressesToMirror",
                "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. "
                f"{skipped} addresses were skipped")


def is_mirrored(endpoints: Manifest, service: Manifest) -> bool:
    """Whether these Endpoints are a user's, for a Service that has no selector."""
    return meta.labels(endpoints).get(SKIP) != "true" and LEADER not in meta.annotations(endpoints) \
        and not meta.is_deleting(endpoints) and not meta.spec(service).get("selector")


def mirror(endpoints: Manifest) -> list[Manifest]:
    """The slices that say the same, one per subset and address family; addresses that are none are left out."""
    labels = meta.labels(endpoints) | {SERVICE_NAME: meta.name(endpoints), MANAGED_BY: CONTROLLER}
    notes = {key: value for key, value in meta.annotations(endpoints).items()
             if key not in (_LAST_APPLIED, LAST_CHANGE)}
    found = []
    for subset in endpoints.get("subsets") or ():
        for family in ("IPv4", "IPv6"):
            entries = [_endpoint(entry, ready=number < len(subset.get("addresses") or ()))
                       for number, entry in enumerate(_addresses(subset)[:CAPACITY])
                       if _family(entry["ip"]) == family]
            if entries:
                found.append({
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "metadata": {"generateName": f"{meta.name(endpoints)}-", "namespace": meta.namespace(endpoints),
                                 "labels": labels, "annotations": notes,
                                 "ownerReferences": [meta.owner_reference(endpoints)]},
                    "addressType": family, "endpoints": entries, "ports": [
                        {"name": "", "protocol": "TCP"} | port for port in subset.get("ports") or ()]})
    return found


def _addresses(subset: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(subset.get("addresses") or ()), *(subset.get("notReadyAddresses") or ())]


def _endpoint(entry: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    fields = {key: entry[key] for key in ("hostname", "nodeName", "targetRef") if entry.get(key)}
    return {"addresses": [entry["ip"]], "conditions": {"ready": ready}} | fields


def _family(text: str) -> str | None:
    try:
        return f"IPv{ip_address(text).version}"
    except ValueError:
        return None


def _content(part: Manifest) -> tuple[Any, ...]:
    return (part["addressType"], part.get("endpoints") or [], part.get("ports") or [], meta.labels(part),
            meta.annotations(part), meta.metadata(part).get("ownerReferences"))


def _mirrored(part: Manifest) -> Iterator[Name]:
    labels = meta.labels(part)
    if labels.get(MANAGED_BY) == CONTROLLER and SERVICE_NAME in labels:
        yield meta.namespace(part), labels[SERVICE_NAME]


def _key(item: Manifest) -> Iterator[Name]:
    yield meta.namespace(item), meta.name(item)
