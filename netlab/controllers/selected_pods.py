"""Services and the pods that they select, found without going through all of either."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from netlab.controllers.index import Index
from netlab.model import meta, selectors
from netlab.model.meta import Manifest
from netlab.store import Store


class SelectedPods:
    """Pods are indexed by their labels, Services by one pair of their selector: whoever matches it has that pair."""

    def __init__(self, store: Store) -> None:
        self._pods = Index(store, "pods", _label_pairs)
        self._services = Index(store, "services", _name_and_pair)

    def pods_of(self, service: Manifest) -> list[Manifest]:
        """The pods that match the Service's whole selector; none when it has no selector."""
        wanted: dict[str, str] = meta.spec(service).get("selector") or {}
        if not wanted:
            return []
        namespace = meta.namespace(service)
        rarest = min(((namespace, key, value) for key, value in wanted.items()), key=self._pods.count)
        selector = selectors.from_map(wanted)
        return [pod for pod in self._pods.of(rarest) if selector.matches(meta.labels(pod))]

    def take_changed_services(self) -> set[tuple[str, str]]:
        """Namespace and name of the Services that were written since the last call, or one of their pods was."""
        names: set[tuple[str, str]] = set()
        for key in self._services.take_touched():
            if isinstance(key, tuple) and len(key) == 2:
                names.add(key)
        for pair in self._pods.take_touched():
            names.update((meta.namespace(service), meta.name(service)) for service in self._services.of(pair))
        return names


def _label_pairs(pod: Manifest) -> Iterator[Hashable]:
    namespace = meta.namespace(pod)
    for key, value in meta.labels(pod).items():
        yield namespace, key, value


def _name_and_pair(service: Manifest) -> Iterator[Hashable]:
    namespace = meta.namespace(service)
    yield namespace, meta.name(service)
    for key, value in sorted((meta.spec(service).get("selector") or {}).items())[:1]:
        yield namespace, key, value
