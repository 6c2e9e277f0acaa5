"""The probes of one pod: which run now, and what their verdicts do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netlab.controllers.kubelet.containers import ContainerState, every_container
from netlab.controllers.kubelet.prober import Prober
from netlab.controllers.kubelet.probes import Probe, probes_of
from netlab.controllers.kubelet.probing import probe
from netlab.model import meta
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.controllers.kubelet.worker import PodWorker


class PodProbes:
    """The probers of a pod's containers, one per kind of probe and run of a container."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._probers: dict[tuple[str, str], tuple[int, Prober]] = {}

    def stop(self) -> None:
        """Ends all."""
        for _, prober in self._probers.values():
            prober.stop()
        self._probers.clear()

    def update(self, pod: Manifest) -> None:
        """Runs the probes that the containers' present processes need, and acts on liveness."""
        wanted = set()
        spec = meta.spec(pod)
        for container in every_container(pod):
            name = container["name"]
            for kind, one in probes_of(container).items():
                state = self._worker.observer.states[name]
                if not state.running or (kind != "startup" and not state.passed_startup):
                    continue
                wanted.add((name, kind))
                entry = self._probers.get((name, kind))
                if entry is None or entry[0] != state.attempt:
                    if entry:
                        entry[1].stop()
                    self._probers[name, kind] = (state.attempt, self._prober(pod, container, state, one))
                    self._worker.observer.probed(name, kind, self._probers[name, kind][1].verdict.healthy)
                    continue
                healthy = entry[1].verdict.healthy
                self._worker.observer.probed(name, kind, healthy)
                if healthy is False and kind != "readiness":
                    grace = one.grace if one.grace is not None else spec.get("terminationGracePeriodSeconds", 30)
                    self._worker.stopper.stop(pod, container, state, time.monotonic() + grace,
                                       f"Container {name} failed {kind} probe, will be restarted")
        for key in set(self._probers) - wanted:
            self._probers.pop(key)[1].stop()

    def _prober(self, pod: Manifest, container: Mapping[str, Any], state: ContainerState, one: Probe) -> Prober:
        context, directory = self._worker.context, str(self._worker.context.directory(self._worker.record.uid))
        title = one.kind.capitalize()
        before = self._worker.observer.healthy_before(state, one.kind)
        return Prober(
            one, lambda: probe(one, container, netns=context.netns, address=self._worker.record.address,
                               handle=lambda: context.runtime.attach(directory)),
            started_at=state.started_at, healthy=before, on_change=self._worker.wake,
            on_failure=lambda text: self._worker.event("Warning", "Unhealthy", f"{title} probe failed: {text}"))
