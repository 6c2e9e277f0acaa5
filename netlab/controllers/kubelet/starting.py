"""Starts the containers of a pod in their order, and those that have ended again when it is time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netlab.controllers.kubelet import pod_status, volumes
from netlab.controllers.kubelet.attaching import Interactive, announce
from netlab.controllers.kubelet.containers import ContainerState
from netlab.controllers.kubelet.environment import ConfigError
from netlab.controllers.kubelet.launching import INTERACTIVE, plan_process
from netlab.controllers.kubelet.pulling import Pulls, backing_off
from netlab.controllers.kubelet.restarts import Backoff, duration, should_restart
from netlab.controllers.kubelet.threads import blocking
from netlab.kernel.pod_spec import Process
from netlab.model import meta
from netlab.model.images import MissingImage
from netlab.model.meta import Manifest

if TYPE_CHECKING:
    from netlab.controllers.kubelet.worker import PodWorker

CONFIG_RETRY = 10.0


class Starter:
    """The back-offs of one pod's containers, and the steps that start them."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._backoffs: dict[str, Backoff] = {}
        self._pulls = Pulls()
        self._replaced: set[str] = set()  # processes that are stopped because of a new image

    async def advance(self, pod: Manifest) -> list[float | None]:
        """Starts what should start next; gives the times after which to look again."""
        spec, states = meta.spec(pod), self._worker.observer.states
        policy = spec.get("restartPolicy") or "Always"
        delays: list[float | None] = []
        for container in spec.get("initContainers") or ():
            if pod_status.init_done(container, states[container["name"]]):
                self._replace_changed(pod, container)
                continue
            sidecar, once = pod_status.is_sidecar(container), "OnFailure" if policy == "Always" else policy
            delays.append(await self._bring_up(pod, container, "Always" if sidecar else once))
            if not pod_status.init_done(container, states[container["name"]]):
                for other in spec.get("containers") or ():
                    if states[other["name"]].attempt < 0:
                        states[other["name"]] = replace(states[other["name"]], waiting=("PodInitializing", ""))
                return delays
        for container in spec.get("containers") or ():
            delays.append(await self._bring_up(pod, container, policy))
        for container in spec.get("ephemeralContainers") or ():
            delays.append(await self._bring_up(pod, container, "Never"))
        return delays

    async def _bring_up(self, pod: Manifest, container: Mapping[str, Any], policy: str) -> float | None:
        name, worker, now = container["name"], self._worker, time.time()
        state = worker.observer.states[name]
        if state.running:
            self._replace_changed(pod, container)
            return None
        if state.ended is not None and state.process not in self._replaced:
            if not should_restart(policy, state.ended.code):
                return None
            backoff = self._backoffs.get(name, Backoff())
            wait = backoff.wait(state.ended.finished, now)
            if wait > 0:
                text = f"back-off {duration(backoff.delay)} restarting failed container={name} pod={worker.title}"
                worker.observer.states[name] = replace(state, retrying=True, waiting=("CrashLoopBackOff", text))
                worker.tell_once(pod, f"{state.process} BackOff", "Warning", "BackOff",
                                 f"Back-off restarting failed container {name} in pod {worker.title}")
                return wait
        delay = await self._start(pod, container, state)
        crashed = state.process not in self._replaced
        if state.ended and crashed and worker.observer.states[name].attempt != state.attempt:
            self._backoffs[name] = self._backoffs.get(name, Backoff()).next(state.ended.finished, now)
        return delay

    def _replace_changed(self, pod: Manifest, container: Mapping[str, Any]) -> None:
        """Stops a container whose image was changed in the pod's object: it is then started with the new one."""
        state = self._worker.observer.states[container["name"]]
        running = self._worker.observer.image_of(state)
        if state.running and running and running != container.get("image") and state.process not in self._replaced:
            self._replaced.add(state.process)
            grace = meta.spec(pod).get("terminationGracePeriodSeconds", 30)
            self._worker.stopper.stop(pod, container, state, time.monotonic() + grace,
                                      f"Container {container['name']} definition changed, will be restarted")

    async def _start(self, pod: Manifest, container: Mapping[str, Any], state: ContainerState) -> float | None:
        worker, context = self._worker, self._worker.context
        name, image = container["name"], container.get("image") or ""
        blocked = self._pulls.waiting(name, image)
        if blocked:
            worker.observer.hold(name, *blocked[:2])
            worker.tell_once(pod, f"{name} {image} pull", "Normal", "BackOff", backing_off(image))
            worker.tell_once(pod, f"{name} {image} error", "Warning", "Failed", "Error: ImagePullBackOff")
            return blocked[2]
        try:
            context.catalogue.present(image, context.which)
            pulled = f'Container image "{image}" already present on machine'
            context.recorder.event(pod, "Normal", "Pulled", pulled)
            process = self._plan(pod, container, state.attempt + 1)
        except MissingImage as error:
            if container.get("imagePullPolicy") == "Never":
                text = f'Container image "{image}" is not present with pull policy of Never'
                worker.tell_once(pod, f"{name} {image} never", "Warning", "ErrImageNeverPull", text)
                worker.observer.hold(name, "ErrImageNeverPull", text)
                return CONFIG_RETRY
            text = f'failed to pull and unpack image "{image}": {error}'
            context.recorder.event(pod, "Normal", "Pulling", f'Pulling image "{image}"')
            context.recorder.event(pod, "Warning", "Failed", f'Failed to pull image "{image}": {text}')
            context.recorder.event(pod, "Warning", "Failed", "Error: ErrImagePull")
            worker.observer.hold(name, "ErrImagePull", text)
            return self._pulls.failed(name, image, text)
        except (ConfigError, volumes.MountError) as error:
            worker.observer.hold(name, "CreateContainerConfigError", str(error))
            worker.tell_once(pod, f"{name} {error}", "Warning", "Failed", f"Error: {error}")
            return CONFIG_RETRY
        self._pulls.succeeded(name)
        return await self._run(pod, container, process, state.attempt + 1)

    def _plan(self, pod: Manifest, container: Mapping[str, Any], attempt: int) -> Process:
        worker, context = self._worker, self._worker.context
        view = self._with_addresses(pod)
        return plan_process(
            view, container, attempt=attempt, variables=worker.observer.environment(view, container, context),
            mounts=volumes.mounts(pod, container, worker.volumes), catalogue=context.catalogue, which=context.which,
            directory=context.directory(worker.record.uid), node=context.node, address=worker.record.address)

    async def _run(self, pod: Manifest, container: Mapping[str, Any], process: Process, attempt: int) -> float | None:
        worker, context, record, handle = self._worker, self._worker.context, self._worker.record, self._worker.handle
        assert handle is not None
        name, directory = container["name"], context.directory(record.uid)

        def run() -> None:
            (directory / name).mkdir(exist_ok=True)
            if process.entry == INTERACTIVE:
                announce(directory, name, Interactive(process.argv[2:], record.netns or context.netns, process.argv[1]))
            handle.run(process)

        context.recorder.event(pod, "Normal", "Created", f"Created container: {name}")
        try:
            await blocking(run)
        except ConnectionError:  # the pod's init has died: the next look makes a new one
            raise
        except OSError as error:
            text = f"failed to start container: {error.strerror or error}"
            text += f": {error.filename}" if error.filename else ""
            context.recorder.event(pod, "Warning", "Failed", f"Error: {text}")
            worker.observer.never_ran(container, attempt, text)
            return 0.0
        context.recorder.event(pod, "Normal", "Started", f"Started container {name}")
        hook = (container.get("lifecycle") or {}).get("postStart")
        if hook:
            worker.observer.hold_startup(process.name)
        worker.observer.has_started(container, attempt)
        if hook:
            worker.stopper.post_start(pod, container, process.name, hook)
        return None

    def _with_addresses(self, pod: Manifest) -> Manifest:
        """The pod with the addresses that its status will have, for field references."""
        own, host = self._worker.record.addresses, self._worker.context.addresses
        return pod | {"status": meta.status(pod) | {
            "podIP": own[0], "podIPs": [{"ip": ip} for ip in own],
            "hostIP": host[0], "hostIPs": [{"ip": ip} for ip in host]}}

