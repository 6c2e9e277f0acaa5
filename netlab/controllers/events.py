"""Events: what happened to an object, for `kubectl describe` and `kubectl get events`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from netlab.api.registry import Registry
from netlab.controllers.index import Index
from netlab.model import meta
from netlab.model.errors import ApiError

SIMILAR = 10  # from so many on, events that differ in their message only are combined, as upstream
FORGET = timedelta(minutes=10)  # unless none came for so long
COMBINED = "(combined from similar events): "
LIMIT = 2000  # events in a lab; upstream keeps each for an hour instead


class EventRecorder:
    """Writes the events of one component (`host` is the node that it runs for, if any)."""

    def __init__(self, registry: Registry, component: str, host: str = "") -> None:
        self._registry = registry
        self._component = component
        self._host = host
        self._events = Index(registry.store, "events", lambda event: ("all",))
        self._seen: dict[tuple[str, ...], tuple[str, str]] = {}
        self._similar: dict[tuple[str, ...], tuple[set[str], datetime]] = {}

    def event(self, obj: Mapping[str, Any], type: str, reason: str, message: str) -> None:
        """Records that something happened to `obj`. `type` is Normal or Warning.

        The same again counts up `count` and `lastTimestamp` of the first one; many that differ in their message only
        become one, which tells the last. An event that cannot be written
        (its namespace is being deleted) is dropped: events never fail what they report on.
        """
        group = (obj["kind"], meta.namespace(obj), meta.name(obj), meta.uid(obj), type, reason)
        combined = self._is_combined(group, message)
        key = (*group, COMBINED if combined else message)
        message = COMBINED + message if combined else message
        namespace = meta.namespace(obj) or "default"
        try:
            if not self._repeat(key, message):
                self._create(key, obj, namespace, type, reason, message)
        except ApiError:
            self._seen.pop(key, None)

    def _is_combined(self, group: tuple[str, ...], message: str) -> bool:
        now = self._registry.clock()
        messages, last = self._similar.pop(group, (set(), now))
        if now - last > FORGET:
            messages = set()
        combined = message not in messages and len(messages) + 1 >= SIMILAR
        if not combined:
            messages.add(message)
        self._similar[group] = messages, now  # at the end: the first ones are the oldest
        while len(self._similar) > LIMIT:
            del self._similar[next(iter(self._similar))]
        return combined

    def _repeat(self, key: tuple[str, ...], message: str) -> bool:
        known = self._seen.get(key)
        found = known and self._registry.find("events", known[1], known[0])
        if not found:
            return False
        self._registry.update("events", found | {"count": int(found.get("count") or 1) + 1, "message": message,
                                                 "lastTimestamp": self._registry.now()})
        return True

    def _create(self, key: tuple[str, ...], obj: Mapping[str, Any], namespace: str, type: str, reason: str,
                message: str) -> None:
        now = self._registry.now()
        nanoseconds = int(self._registry.clock().timestamp() * 1e9)
        while self._registry.find("events", name := f"{meta.name(obj)}.{nanoseconds:x}", namespace):
            nanoseconds += 1
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        self._registry.create("events", {
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": _reference(obj), "reason": reason, "message": message, "type": type, "count": 1,
            "source": source, "firstTimestamp": now, "lastTimestamp": now, "eventTime": None,
            "reportingComponent": self._component, "reportingInstance": self._host,
        })
        self._seen[key] = (namespace, name)
        while len(self._seen) > LIMIT:
            del self._seen[next(iter(self._seen))]
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Goes a tenth below the limit at once, so that the events are not sorted for each new one."""
        if (count := self._events.count("all")) > LIMIT:
            for event in sorted(self._events.of("all"), key=meta.revision)[:count - LIMIT * 9 // 10]:
                self._registry.delete("events", meta.name(event), namespace=meta.namespace(event))


def _reference(obj: Mapping[str, Any]) -> dict[str, Any]:
    pairs = {"kind": obj["kind"], "namespace": meta.namespace(obj), "name": meta.name(obj), "uid": meta.uid(obj),
             "apiVersion": obj["apiVersion"], "resourceVersion": meta.metadata(obj).get("resourceVersion", "")}
    return {key: value for key, value in pairs.items() if value}
