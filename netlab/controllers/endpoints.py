"""Services with a selector and their pods make legacy Endpoints objects."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from netlab.api.registry import Registry
from netlab.controllers.index import Index
from netlab.controllers.per_object import Name, PerObject
from netlab.controllers.selected_pods import SelectedPods
from netlab.controllers.slice_content import HEADLESS, is_headless
from netlab.controllers.subsets import subsets, truncate
from netlab.controllers.trigger_times import LAST_CHANGE, TriggerTimes
from netlab.model import meta
from netlab.model.meta import Manifest

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
CONTROLLER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
LEADER = "control-plane.alpha.kubernetes.io/leader"


class Endpoints(PerObject):
    """Keeps an Endpoints object of the Service's name; it goes with its Service."""

    name = "endpoints"
    resources = ("services", "pods", "endpoints")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._selected = SelectedPods(self.store)
        self._endpoints = Index(self.store, "endpoints", _key)
        self._served: set[Name] = set()
        self._times = TriggerTimes()

    def changed(self) -> Iterable[Name]:
        """Services that were written, or whose pods or Endpoints were."""
        names = self._selected.take_changed_services()
        names.update(key for key in self._endpoints.take_touched() if isinstance(key, tuple))
        return names

    def sync(self, namespace: str, name: str) -> None:
        """Makes the Endpoints of one Service right."""
        service = self.registry.find("services", name, namespace)
        present = self.registry.find("endpoints", name, namespace)
        if service is None:
            # A user's own Endpoints may come before their Service, but go with it.
            own = present is not None and meta.labels(present).get(MANAGED_BY) == CONTROLLER
            if present is not None and (own or (namespace, name) in self._served) \
                    and LEADER not in meta.annotations(present):
                self.registry.delete("endpoints", name, namespace=namespace)
            self._served.discard((namespace, name))
            self._times.forget(namespace, name)
            return
        self._served.add((namespace, name))
        spec = meta.spec(service)
        if spec.get("selector") and spec.get("type") != "ExternalName":
            self._write(service, present)

    def _write(self, service: Manifest, present: Manifest | None) -> None:
        pods = self._selected.pods_of(service)
        found, truncated = truncate(subsets(service, pods))
        changed = self._times.notice(service, pods)
        labels = {key: value for key, value in meta.labels(service).items() if key not in (HEADLESS, MANAGED_BY)}
        labels |= {MANAGED_BY: CONTROLLER} | ({HEADLESS: ""} if is_headless(service) else {})
        before = meta.annotations(present or {})
        notes = {key: value for key, value in before.items() if key not in (OVER_CAPACITY, LAST_CHANGE)}
        notes |= {OVER_CAPACITY: "truncated"} if truncated else {}
        if present is not None and (present.get("subsets") or []) == found and meta.labels(present) == labels \
                and {key: value for key, value in before.items() if key != LAST_CHANGE} == notes:
            return
        content = {"subsets": found} if found else {}
        data = {"labels": labels, "annotations": notes | changed}
        if present is None:
            self.registry.create("endpoints", {"apiVersion": "v1", "kind": "Endpoints", "metadata": data | {
                "name": meta.name(service), "namespace": meta.namespace(service)}} | content)
        else:
            kept = {key: value for key, value in present.items() if key != "subsets"}
            self.registry.update("endpoints", kept | {"metadata": present["metadata"] | data} | content)


def _key(endpoints: Manifest) -> Iterator[Hashable]:
    yield meta.namespace(endpoints), meta.name(endpoints)
