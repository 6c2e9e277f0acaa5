"""Services with a selector and their pods make EndpointSlices (KEP-752)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.api.registry import Registry
from netlab.controllers import near_hints, slice_content
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.controllers.port_order import slice_order
from netlab.controllers.selected_pods import SelectedPods
from netlab.controllers.slice_content import CONTROLLER, MANAGED_BY, SERVICE_NAME
from netlab.controllers.slice_filling import Filled
from netlab.controllers.slice_plan import Plan, plan
from netlab.controllers.topology_cache import DISABLED, IS_DISABLED, Event, TopologyCache, cpu_shares, is_auto
from netlab.controllers.trigger_times import LAST_CHANGE, TriggerTimes
from netlab.model import meta
from netlab.model.meta import Manifest


class EndpointSlices(PerObject):
    """Keeps the slices that are labelled as its own; those of others are never touched."""

    name = "endpointslices"
    resources = ("services", "pods", "nodes", "endpointslices")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._selected = SelectedPods(self.store)
        self._slices = Index(self.store, "endpointslices", _service_of)
        self._touched: set[Name] = set()
        self._nodes_revision = -1
        self._zones: dict[str, str] = {}
        self._topology = TopologyCache()
        self._times = TriggerTimes()
        self._recorder = EventRecorder(registry, "endpoint-slice-controller")

    def changed(self) -> Iterable[Name]:
        """Services that were written, or whose pods, slices or nodes' zones were."""
        names = self._selected.take_changed_services() | self._touched | self._take_touched()
        self._touched = set()
        revision = self.store.revision_of("nodes")
        if revision != self._nodes_revision:
            self._nodes_revision = revision
            names |= self._follow_nodes()
        return names

    def _take_touched(self) -> set[Name]:
        return {key for key in self._slices.take_touched() if isinstance(key, tuple)}

    def _follow_nodes(self) -> set[Name]:
        nodes = self.registry.list("nodes")
        zones = {meta.name(node): meta.labels(node).get(slice_content.ZONE, "") for node in nodes}
        shares = cpu_shares(nodes)
        moved, self._zones = zones != self._zones, zones
        shifted, self._topology.zones = shares != self._topology.zones, shares
        return {(meta.namespace(service), meta.name(service)) for service in self.registry.list("services")
                if moved or (shifted and is_auto(service))}

    def sync(self, namespace: str, name: str) -> None:
        """Makes the slices of one Service right."""
        service = self.registry.find("services", name, namespace)
        present = [part for part in self._slices.of((namespace, name)) if not meta.is_deleting(part)]
        if service is None:
            self._times.forget(namespace, name)
            self._topology.forget((namespace, name))
            for part in filter(meta.controller_of, present):  # without an owner any more they were left on purpose
                self.registry.delete("endpointslices", meta.name(part), namespace=namespace)
            return
        # A Service that has become an ExternalName keeps its slices; nobody reads them (kubernetes#105986).
        if meta.spec(service).get("type") == "ExternalName" or not meta.spec(service).get("selector"):
            return
        selected = self._selected.pods_of(service)
        note = self._times.notice(service, selected)
        pods = [pod for pod in selected if slice_content.is_candidate(pod)]
        if not meta.spec(service).get("publishNotReadyAddresses"):
            lost = [pod for pod in pods if meta.spec(pod).get("nodeName") not in self._zones]
            pods = [pod for pod in pods if meta.spec(pod).get("nodeName") in self._zones]
            self._report_lost(service, lost)
        families = slice_content.families(service)
        for family in families:
            found = [part for part in present if part.get("addressType") == family]
            made = plan(service, family, pods, found, zones=self._zones)
            self._write(service, family, made, self._hinted(service, family, made), note)
        for part in present:
            if part.get("addressType") not in families:
                self._topology.remove((namespace, name), part["addressType"])
                self.registry.delete("endpointslices", meta.name(part), namespace=namespace)
        # What was just written is known: without this each write would bring another look, and its events.
        self._touched |= self._take_touched() - {(namespace, name)}

    def _report_lost(self, service: Manifest, pods: Iterable[Manifest]) -> None:
        where = f"Service {meta.namespace(service)}/{meta.name(service)}"
        texts = [f"skipping Pod {meta.name(pod)} for {where}: Node {meta.spec(pod).get('nodeName') or ''} Not Found"
                 for pod in pods]
        if texts:
            text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
            self._recorder.event(service, "Warning", "FailedToUpdateEndpointSlices",
                                 f"Error updating Endpoint Slices for {where}: {text}")

    def _hinted(self, service: Manifest, family: str, made: Plan) -> list[Filled]:
        """The plan's slices with the hints that the Service asks for; the annotation goes before the field."""
        key = meta.namespace(service), meta.name(service)
        distribution = meta.spec(service).get("trafficDistribution")
        if is_auto(service):
            parts, events = self._topology.hint(key, family, made.parts)
        else:
            events = [Event("Warning", DISABLED, f"{IS_DISABLED}, addressType: {family}")] \
                if self._topology.has_hints(key) else []
            self._topology.remove(key, family)
            parts = near_hints.hint_near(made.parts, distribution) if distribution in near_hints.DISTRIBUTIONS \
                else near_hints.hint_nothing(made.parts)
        for event in events:
            self._recorder.event(service, *event)
        return parts

    def _write(self, service: Manifest, family: str, made: Plan, parts: list[Filled], note: dict[str, str]) -> None:
        """Writes what changed; a slice that would go is written anew in place of a new one: see `Plan.spare`."""
        labels, spare = slice_content.slice_labels(service), list(made.spare)
        for part in parts:
            content = {"endpoints": list(part.endpoints), "ports": list(part.ports)}
            fresh = {"labels": labels, "annotations": note, "ownerReferences": [meta.owner_reference(service)]}
            if part.slice is not None:
                if part.changed and _differs(part.slice, part, labels):
                    notes = {key: text for key, text in meta.annotations(part.slice).items() if key != LAST_CHANGE}
                    data = meta.metadata(part.slice) | {"labels": labels, "annotations": notes | note}
                    self.registry.update("endpointslices", part.slice | content | {"metadata": data})
            elif spare:
                old = spare.pop(0)
                self.registry.update("endpointslices", old | content | {"metadata": meta.metadata(old) | fresh})
            elif not meta.is_deleting(service):
                self.registry.create("endpointslices", {
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family, **content,
                    "metadata": fresh | {"generateName": f"{meta.name(service)}-",
                                         "namespace": meta.namespace(service)}})
        for old in (*spare, *made.gone):
            self.registry.delete("endpointslices", meta.name(old), namespace=meta.namespace(old))


def _service_of(part: Manifest) -> Iterator[Name]:
    labels = meta.labels(part)
    if labels.get(MANAGED_BY) == CONTROLLER and SERVICE_NAME in labels:
        yield meta.namespace(part), labels[SERVICE_NAME]


def _differs(old: Manifest, new: Filled, labels: dict[str, str]) -> bool:
    return (tuple(old.get("endpoints") or ()), slice_order(old.get("ports") or ()), meta.labels(old)) != (
        new.endpoints, new.ports, labels)
