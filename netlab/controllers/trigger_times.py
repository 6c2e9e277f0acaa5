"""When the change happened that Endpoints and EndpointSlices follow (KEP-752, last-change-trigger-time)."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"


class TriggerTimes:
    """Knows what it saw of each Service the last time (upstream: endpointslice/util/trigger_time_tracker.go)."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}

    def notice(self, service: Manifest, pods: Iterable[Manifest]) -> dict[str, str]:
        """The annotation for what changed since the last call: the first of the times that are new, or none.

        Deletions have no time. What a Service that was not seen before begins with has its creation's.
        """
        key = meta.namespace(service), meta.name(service)
        created = meta.metadata(service).get("creationTimestamp") or ""
        times = {meta.name(pod): since for pod in pods
                 if (since := pod_status.condition(pod, "Ready").get("lastTransitionTime"))}
        known = self._seen.get(key)
        self._seen[key] = created, times
        if known is None:
            return {LAST_CHANGE: created} if created else {}
        new = [time for name, time in times.items() if time > known[1].get(name, "")]
        new += [created] if created > known[0] else []
        return {LAST_CHANGE: min(new)} if new else {}

    def forget(self, namespace: str, name: str) -> None:
        """Forgets a Service that is gone."""
        self._seen.pop((namespace, name), None)
