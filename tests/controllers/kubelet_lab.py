"""A node's kubelet over a real store, with fakes for what is the kernel's."""

import asyncio
import contextlib
from datetime import UTC, datetime

from netlab.api.registry import Registry
from netlab.controllers.kubelet import Kubelet
from netlab.controllers.runtime import Manager
from netlab.model.lab_spec import LabSpec
from netlab.store import Store
from netlab.workloads.catalogue import catalogue
from tests.controllers.fake_runtime import FakeNetwork, FakeRecorder, FakeRuntime

NOWHERE = {}.get  # a machine without programs of its own, on which images are the same everywhere


class World:
    def __init__(self, directory, spec=None):
        self.spec = spec or LabSpec(name="kubelet-test")
        self.registry = Registry(Store(), self.spec, lambda: datetime.now(UTC))
        self.runtime, self.network, self.recorder = FakeRuntime(), FakeNetwork(), FakeRecorder()
        self.directory = directory
        self.programs = {"sh": "/bin/sh", "sleep": "/bin/sleep", "curl": "/usr/bin/curl"}
        self.restart()

    def restart(self, nodes=("worker",)):
        """New kubelets, as after the death of the daemon: they know the store and the machine only."""
        from netlab.controllers.kubelet import kubelets
        made = kubelets(self.registry, runtime=self.runtime, network=self.network, run_dir=self.directory,
                        catalogue=catalogue(self.spec, NOWHERE), recorder=lambda node: self.recorder, nodes=nodes)
        for kubelet in made:
            kubelet._context.which = self.programs.get
        self.kubelet: Kubelet = made[0]
        self.manager = Manager(made)

    @contextlib.asynccontextmanager
    async def running(self):
        self.manager.start()
        try:
            yield self
        finally:
            await self.manager.stop()

    def pod(self, name="web", node="worker", uid=None, **spec):
        spec = {"nodeName": node, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                "containers": [{"name": "c", "image": "nginx"}]} | spec
        return self.registry.create("pods", {"metadata": {"name": name}, "spec": spec}, namespace="default")

    def get(self, name="web"):
        return self.registry.find("pods", name, "default")

    def status(self, name="web"):
        return self.get(name).get("status") or {}

    def state(self, name="web", container=0):
        return self.status(name)["containerStatuses"][container]

    def condition(self, kind, name="web"):
        return next((c["status"] for c in self.status(name).get("conditions") or () if c["type"] == kind), None)

    async def until(self, condition, limit=3.0):
        async with asyncio.timeout(limit):
            while True:
                with contextlib.suppress(KeyError, IndexError, StopIteration, AttributeError):
                    if condition():
                        return
                await asyncio.sleep(0.005)

    def processes(self, name="web"):
        return self.runtime.of(self.get(name)["metadata"]["uid"])
