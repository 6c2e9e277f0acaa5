"""Kinds that are served in more than one version: stored in one, shown in others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from netlab.api.resource import Resource
from netlab.api.resources.autoscalers import HORIZONTALPODAUTOSCALERS, to_v1, to_v2
from netlab.api.resources.events import EVENTS
from netlab.model.meta import Manifest


@dataclass(frozen=True)
class View:
    """Another version of a stored kind. `show` and `read` give new objects, and change only what differs."""

    served: Resource
    show: Callable[[Manifest], Manifest]
    read: Callable[[Manifest], Manifest]


_EVENT_FIELDS = {"involvedObject": "regarding", "message": "note", "source": "deprecatedSource",
                 "firstTimestamp": "deprecatedFirstTimestamp", "lastTimestamp": "deprecatedLastTimestamp",
                 "count": "deprecatedCount", "reportingComponent": "reportingController"}
_EVENTS_V1 = "events.k8s.io/v1"


def _show_event(event: Manifest) -> Manifest:
    return {_EVENT_FIELDS.get(key, key): value for key, value in event.items()} | {"apiVersion": _EVENTS_V1}


def _read_event(event: Manifest) -> Manifest:
    names = {shown: stored for stored, shown in _EVENT_FIELDS.items()}
    return {names.get(key, key): value for key, value in event.items()} | {"apiVersion": "v1"}


VIEWS = {(view.served.group, view.served.version, view.served.plural): view for view in (
    View(replace(EVENTS, group="events.k8s.io"), _show_event, _read_event),
    View(replace(HORIZONTALPODAUTOSCALERS, version="v1"), to_v1, to_v2))}
