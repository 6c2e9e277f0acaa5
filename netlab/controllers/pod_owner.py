"""What all controllers that make pods do: notice, create, delete, report."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, ClassVar

from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.index import Index
from netlab.controllers.owned import Owned
from netlab.controllers.per_object import Name, PerObject, is_namespace_terminating
from netlab.model import meta
from netlab.model.errors import ApiError
from netlab.model.meta import Manifest


class PodOwner(PerObject):
    """A subclass names its resource (`name`) and the `component` of its events, and writes `sync`.

    `objects` are those of its resource by (namespace, name), by (namespace,) and by uid; `pods` the pods by owner.
    """

    component: str
    also: ClassVar[tuple[str, ...]] = ()  # resources besides its own and pods
    RETRY = 5.0  # seconds after which pods that the API refused are asked for again

    def __init__(self, registry: Registry) -> None:
        self.resources = (self.name, "pods", *self.also)
        super().__init__(registry)
        self.recorder = EventRecorder(registry, self.component)
        self.pods = Owned(registry, "pods")
        self.objects = Index(registry.store, self.name, self.keys)

    def keys(self, item: Manifest) -> Iterator[Hashable]:
        """What an object is found by."""
        yield meta.namespace(item), meta.name(item)
        yield (meta.namespace(item),)
        yield meta.uid(item)

    def changed(self) -> Iterable[Name]:
        """Objects that were written, whose pods were, or that may adopt a pod."""
        return self.touched(self.pods)

    def touched(self, *owned: Owned) -> set[Name]:
        """Objects that were written, or something that is or may become theirs."""
        names = {(key[0], key[1]) for key in self.objects.take_touched() if isinstance(key, tuple) and len(key) == 2}
        for things in owned:
            owners, namespaces = things.take_touched()
            for key in (*owners, *((namespace,) for namespace in namespaces)):
                names.update((meta.namespace(item), meta.name(item)) for item in self.objects.of(key))
        return names

    def create_pods(self, owner: Manifest, pods: Iterable[Manifest], *,
                    made: Callable[[str], str] = lambda name: f"Created pod: {name}",
                    refused: Callable[[str, str], str] = lambda name, text: f"Error creating: {text}") -> str:
        """Creates pods; gives the API's words when it refuses one, "" when all were made.

        `made` and `refused` are the texts of the events.
        """
        for manifest in pods:
            try:
                pod = self.registry.create("pods", manifest)
            except ApiError as error:
                if is_namespace_terminating(error):
                    return ""
                self.recorder.event(owner, "Warning", "FailedCreate", refused(meta.name(manifest), error.message))
                return error.message
            self.recorder.event(owner, "Normal", "SuccessfulCreate", made(meta.name(pod)))
        return ""

    def delete_pods(self, owner: Manifest, pods: Iterable[Manifest], *,
                    made: Callable[[str], str] = lambda name: f"Deleted pod: {name}") -> None:
        """Deletes pods; `made` is the text of the events."""
        for pod in pods:
            self.registry.delete("pods", meta.name(pod), namespace=meta.namespace(pod))
            self.recorder.event(owner, "Normal", "SuccessfulDelete", made(meta.name(pod)))

    def write_status(self, owner: Manifest, status: dict[str, Any]) -> Manifest | None:
        """Writes the status if it is another one; gives the object as it is now, None when it is gone."""
        current = self.registry.find(self.name, meta.name(owner), meta.namespace(owner))
        if current is None or meta.uid(current) != meta.uid(owner) or status == meta.status(current):
            return current
        return self.registry.update(self.name, current | {"status": status}, subresource="status")
