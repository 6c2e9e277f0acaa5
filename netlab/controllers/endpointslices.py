"""Services with a selector and their pods make EndpointSlices (KEP-752)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers import slice_content
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.controllers.selected_pods import SelectedPods
from netlab.controllers.slice_content import CONTROLLER, LAST_CHANGE, MANAGED_BY, SERVICE_NAME
from netlab.controllers.slice_filling import Filled, fill
from netlab.model import meta, pod_status
from netlab.model.endpoint_ports import endpoint_ports
from netlab.model.meta import Manifest

Ports = tuple[dict[str, Any], ...]


class EndpointSlices(PerObject):
    """Keeps the slices that are labelled as its own; those of others are never touched."""

    name = "endpointslices"
    resources = ("services", "pods", "nodes", "endpointslices")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._selected = SelectedPods(self.store)
        self._slices = Index(self.store, "endpointslices", _service_of)
        self._nodes_revision = -1
        self._zones: dict[str, str] = {}

    def changed(self) -> Iterable[Name]:
        """Services that were written, or whose pods, slices or nodes' zones were."""
        names = self._selected.take_changed_services()
        names.update(self._slices.take_touched())  # type: ignore[arg-type]
        revision = self.store.revision_of("nodes")
        if revision != self._nodes_revision:
            self._nodes_revision = revision
            zones = {meta.name(node): meta.labels(node).get(slice_content.ZONE, "")
                     for node in self.registry.list("nodes")}
            if zones != self._zones:
                self._zones = zones
                names.update((meta.namespace(s), meta.name(s)) for s in self.registry.list("services"))
        return names

    def sync(self, namespace: str, name: str) -> None:
        """Makes the slices of one Service right."""
        service = self.registry.find("services", name, namespace)
        present = self._slices.of((namespace, name))
        if service is None:
            for part in present:
                self.registry.delete("endpointslices", meta.name(part), namespace=namespace)
            return
        # A Service that has become an ExternalName keeps its slices; nobody reads them (kubernetes#105986).
        if meta.spec(service).get("type") == "ExternalName" or not meta.spec(service).get("selector") \
                or meta.is_deleting(service):
            return
        pods = [pod for pod in self._selected.pods_of(service) if slice_content.is_candidate(pod)]
        if not meta.spec(service).get("publishNotReadyAddresses"):
            pods = [pod for pod in pods if meta.spec(pod).get("nodeName") in self._zones]
        trigger = _trigger(service, pods)
        for family in slice_content.families(service):
            self._sync_family(service, family, pods, [s for s in present if s.get("addressType") == family], trigger)
        for part in present:
            if part.get("addressType") not in slice_content.families(service):
                self.registry.delete("endpointslices", meta.name(part), namespace=namespace)

    def _sync_family(self, service: Manifest, family: str, pods: list[Manifest], present: list[Manifest],
                     trigger: str) -> None:
        wanted: dict[str, tuple[Ports, list[dict[str, Any]]]] = {}
        for pod in pods:
            address = slice_content.address_of(pod, family)
            if address is not None:
                ports = endpoint_ports(service, pod)
                entry = slice_content.endpoint(service, pod, address, self._zones)
                wanted.setdefault(repr(ports), (ports, []))[1].append(entry)
        groups: dict[str, list[Manifest]] = {}
        for part in present:
            groups.setdefault(repr(tuple(_canonical(port) for port in part.get("ports") or ())), []).append(part)
        filled = [(ports, found) for key, (ports, endpoints) in wanted.items()
                  for found in fill(groups.get(key, ()), endpoints)]
        if not filled:  # a Service without pods has one slice without ports, so that it is seen to have none
            empty = [part for part in present if not part.get("ports")]
            filled = [((), Filled(empty[0] if empty else None, ()))]
        used = {meta.name(found.slice) for _, found in filled if found.slice}
        spare = iter([part for part in present if meta.name(part) not in used])
        for ports, found in filled:
            # A slice that would go is written anew instead: readers then see no moment without endpoints.
            self._write(service, family, ports, found.slice or next(spare, None), found, trigger)
        for part in spare:
            self.registry.delete("endpointslices", meta.name(part), namespace=meta.namespace(part))

    def _write(self, service: Manifest, family: str, ports: Ports, old: Manifest | None, found: Filled,
               trigger: str) -> None:
        labels = slice_content.slice_labels(service)
        content = {"endpoints": list(found.endpoints), "ports": list(ports)}
        note = {LAST_CHANGE: trigger} if trigger else {}
        if old is None:
            self.registry.create("endpointslices", {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"generateName": f"{meta.name(service)}-", "namespace": meta.namespace(service),
                             "labels": labels, "annotations": note,
                             "ownerReferences": [meta.owner_reference(service)]},
                "addressType": family, **content,
            })
            return
        same_ports = [_canonical(port) for port in old.get("ports") or ()] == content["ports"]
        if same_ports and (old.get("endpoints") or []) == content["endpoints"] and meta.labels(old) == labels:
            return
        data = old["metadata"] | {"labels": labels, "annotations": meta.annotations(old) | note}
        self.registry.update("endpointslices", old | content | {"metadata": data})


def _service_of(part: Manifest) -> Iterator[Name]:
    labels = meta.labels(part)
    if labels.get(MANAGED_BY) == CONTROLLER and SERVICE_NAME in labels:
        yield meta.namespace(part), labels[SERVICE_NAME]


def _canonical(port: dict[str, Any]) -> dict[str, Any]:
    """A stored port as `endpoint_ports` writes it, whatever defaults the API put in."""
    entry = {"name": port.get("name") or "", "port": port.get("port"), "protocol": port.get("protocol") or "TCP"}
    return entry | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})


def _trigger(service: Manifest, pods: list[Manifest]) -> str:
    """When the newest of the changes happened that made the slices what they are."""
    times = [meta.metadata(service).get("creationTimestamp") or ""]
    times += [pod_status.condition(pod, "Ready").get("lastTransitionTime") or "" for pod in pods]
    return max(times)
