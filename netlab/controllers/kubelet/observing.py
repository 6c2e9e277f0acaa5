"""What a kubelet knows of a pod's containers: seen on the machine, remembered, recalled from the stored status."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netlab.controllers.kubelet import environment as env
from netlab.controllers.kubelet.containers import (
    STATUS_FIELDS,
    ContainerState,
    Ended,
    container_id,
    every_container,
    process_name,
    split_process,
    started_times,
)
from netlab.controllers.kubelet.context import NodeContext
from netlab.controllers.kubelet.doors import Exited
from netlab.controllers.kubelet.probes import probes_of
from netlab.model import meta
from netlab.model.meta import Manifest

LOST = 137


class Observer:
    """The states of a pod's containers by name (`states`), renewed by every `look`."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.states: dict[str, ContainerState] = {}
        self._started: dict[str, float] = {}
        self._ended: dict[str, Ended] = {}
        self._exits: dict[str, Exited] = {}
        self._verdicts: dict[tuple[str, str], bool | None] = {}  # (process, probe kind)
        self._images: dict[str, str] = {}  # what each process was started from
        self._containers: dict[str, Mapping[str, Any]] = {}
        self._held: set[str] = set()  # processes whose postStart hook runs

    def recall(self, pod: Manifest) -> None:
        """Takes over what a former kubelet wrote into the pod's status: start times, attempts, readiness."""
        self._started = started_times(pod) | self._started
        for kind in STATUS_FIELDS:
            for status in meta.status(pod).get(kind) or ():
                process = process_name(status["name"], int(status.get("restartCount") or 0))
                if not status.get("containerID"):
                    continue
                self._images[process] = status.get("image", "")
                self._verdicts[process, "readiness"] = bool(status.get("ready")) or None
                self._verdicts[process, "startup"] = bool(status.get("started")) or None
                end = (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated")
                if end and end.get("containerID") == container_id(self.uid, *split_process(process)):
                    self._ended[process] = Ended(
                        split_process(process)[1], int(end["exitCode"]), _unix(end["startedAt"]),
                        _unix(end["finishedAt"]), end.get("reason", ""), end.get("message", ""))

    def look(self, pod: Manifest, running: frozenset[str], exits: Mapping[str, Exited]) -> None:
        """Takes in what runs and what has ended. A process that is in neither was lost with the pod's init."""
        self._exits |= exits
        newest: dict[str, int] = {}
        for process in (*running, *self._exits, *self._ended, *self._started):
            name, attempt = split_process(process)
            newest[name] = max(attempt, newest.get(name, -1))
        for container in every_container(pod):
            name = container["name"]
            self._containers[name] = container
            old = self.states.get(name) or ContainerState(name, container.get("image") or "")
            attempt = newest.get(name, -1)
            process = process_name(name, attempt)
            alive = process in running and process not in self._exits
            ended = None if alive or attempt < 0 else self._end_of(name, attempt)
            state = replace(
                old, image=container.get("image") or "", attempt=attempt, running=alive, ended=ended,
                started_at=self._started.get(process, 0.0), retrying=False,
                previous=self._end_of(name, attempt - 1) if attempt > 0 else None)
            if alive and not state.started_at:
                state = replace(state, started_at=self._started.setdefault(process, time.time()))
            self.states[name] = self._judge(state, container)

    def _end_of(self, name: str, attempt: int) -> Ended:
        process = process_name(name, attempt)
        if process not in self._ended:
            seen = self._exits.get(process)
            started = self._started.get(process, 0.0)
            self._ended[process] = Ended(attempt, seen.code, started, seen.finished) if seen else Ended(
                attempt, LOST, started, time.time(), "ContainerStatusUnknown",
                "The container could not be located: the pod's init process ended.")
        return self._ended[process]

    def _judge(self, state: ContainerState, container: Mapping[str, Any]) -> ContainerState:
        probes = probes_of(container)
        started = state.running and state.process not in self._held and (
            "startup" not in probes or self._verdicts.get((state.process, "startup")) is True)
        ready = started and ("readiness" not in probes or self._verdicts.get((state.process, "readiness")) is True)
        return replace(state, passed_startup=started, ready=ready)

    def probed(self, name: str, kind: str, healthy: bool | None) -> None:
        """Takes in a probe's verdict on the container's present process."""
        state = self.states[name]
        self._verdicts[state.process, kind] = healthy
        self.states[name] = self._judge(state, self._containers[name])

    def healthy_before(self, state: ContainerState, kind: str) -> bool | None:
        """What a former kubelet knew of that process."""
        return self._verdicts.get((state.process, kind))

    def image_of(self, state: ContainerState) -> str:
        """The image that the container's present process was started from, "" if unknown."""
        return self._images.get(state.process, "")

    def has_started(self, container: Mapping[str, Any], attempt: int) -> None:
        """The container's process runs since now."""
        name, now = container["name"], time.time()
        self._started[process_name(name, attempt)] = now
        self._images[process_name(name, attempt)] = container.get("image") or ""
        previous = self._end_of(name, attempt - 1) if attempt > 0 else None
        self.states[name] = self._judge(replace(self.states[name], attempt=attempt, running=True, started_at=now,
                                                ended=None, retrying=False, previous=previous), container)

    def never_ran(self, container: Mapping[str, Any], attempt: int, message: str) -> None:
        """The process could not be started."""
        name, now = container["name"], time.time()
        ended = Ended(attempt, 128, now, now, "StartError", message)
        self._started[process_name(name, attempt)] = now
        self._ended[process_name(name, attempt)] = ended
        previous = self._end_of(name, attempt - 1) if attempt > 0 else None
        self.states[name] = replace(self.states[name], attempt=attempt, ended=ended, previous=previous, ready=False)

    def hold(self, name: str, reason: str, message: str) -> None:
        """The container waits for that reason."""
        state = self.states[name]
        self.states[name] = replace(state, waiting=(reason, message), retrying=state.ended is not None)

    def hold_startup(self, process: str) -> None:
        """The process does not count as started until `release_startup`."""
        self._held.add(process)

    def release_startup(self, process: str) -> None:
        """Its postStart hook is over."""
        self._held.discard(process)

    def environment(self, pod: Manifest, container: Mapping[str, Any], context: NodeContext) -> dict[str, str]:
        """The variables for a start now. Raises ConfigError."""
        node = context.registry.find("nodes", context.node) or {}
        return env.environment(pod, container, services=context.registry.list("services"),
                               find=context.finder(pod),
                               allocatable=meta.status(node).get("allocatable") or {})


def _unix(text: str) -> float:
    return meta.parse_time(text).timestamp()
