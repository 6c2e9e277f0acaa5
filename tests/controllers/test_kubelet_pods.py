"""Kubelets with the real runtime and the real wiring: what a pod's processes see, and what becomes of them."""

import asyncio
import contextlib
import os
import signal
import socket
import time

import pytest

from netlab.api.registry import Registry
from netlab.controllers.kubelet import attaching, kubelets
from netlab.controllers.runtime import Manager
from netlab.kernel import wiring
from netlab.kernel.netns import visit
from netlab.kernel.pods import Pod
from netlab.lab.runtime import Runtime
from netlab.model.lab_spec import LabSpec
from netlab.store import Store
from netlab.topology import names
from netlab.topology.plan import plan_lab
from netlab.workloads.catalogue import PRELOAD, catalogue
from tests.controllers.fake_runtime import FakeRecorder

NOWHERE = {}.get  # a machine without programs of its own, on which images are the same everywhere

pytestmark = pytest.mark.kernel


class Machine:
    """The wiring and the lab init of a lab of its own, and kubelets over a store in memory."""

    def __init__(self):
        from netlab.kernel.sweep import sweep
        self.spec = LabSpec(name=f"kbl{os.getpid()}")
        self._sweep = sweep
        self.directory = names.run_dir(self.spec.name)
        (self.directory / "view").mkdir(parents=True, mode=0o700)
        wiring.build(plan_lab(self.spec))
        self.runtime = Runtime(self.spec.name, preload=[m for m in PRELOAD if "server" not in m])
        self.new_store()

    def new_store(self):
        self.registry, self.recorder = Registry(Store(), self.spec), FakeRecorder()
        self.manager = Manager(kubelets(self.registry, runtime=self.runtime, catalogue=catalogue(self.spec, NOWHERE),
                                        recorder=lambda node: self.recorder))

    @contextlib.asynccontextmanager
    async def running(self):
        self.manager.start()
        try:
            yield self
        finally:
            for pod in self.registry.list("pods"):
                self.registry.delete("pods", pod["metadata"]["name"], namespace="default", grace_period=0)
            await self.manager.settled()
            await self.manager.stop()

    def pod(self, name="web", node="worker", *, restart="Always", grace=30, **container):
        spec = {"nodeName": node, "restartPolicy": restart, "terminationGracePeriodSeconds": grace,
                "containers": [{"name": "c", "image": "netlab/echo"} | container]}
        return self.registry.create("pods", {"metadata": {"name": name}, "spec": spec}, namespace="default")

    def status(self, name="web"):
        return self.registry.get("pods", name, "default").get("status") or {}

    def state(self, name="web"):
        return self.status(name)["containerStatuses"][0]

    def log(self, name="web", attempt=0):
        uid = self.registry.get("pods", name, "default")["metadata"]["uid"]
        return (names.pod_dir(self.spec.name, uid) / "c" / f"{attempt}.log").read_text()

    def handle(self, name="web"):
        uid = self.registry.get("pods", name, "default")["metadata"]["uid"]
        return Pod.attach(str(names.pod_dir(self.spec.name, uid)))

    async def until(self, condition, limit=5.0):
        async with asyncio.timeout(limit):
            while True:
                with contextlib.suppress(KeyError, IndexError, StopIteration, FileNotFoundError):
                    if condition():
                        return
                await asyncio.sleep(0.005)

    def ready(self, name="web"):
        return any(c["type"] == "Ready" and c["status"] == "True" for c in self.status(name).get("conditions") or ())

    def close(self):
        self._sweep(self.spec.name)


@pytest.fixture(scope="module")
def machine():
    made = Machine()
    try:
        yield made
    finally:
        made.close()


def story(test):
    def run(machine):
        async def told():
            machine.new_store()
            async with machine.running():
                await test(machine)

        asyncio.run(told())

    run.__name__ = test.__name__
    return run


def ask(machine, address, port, path="/", *, node="control-plane"):
    """What GET gives from another node."""
    made = visit(names.node_netns(machine.spec.name, node),
                 lambda: socket.create_connection((address, port), timeout=5))
    with made, made.makefile("rb") as stream:
        made.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return stream.read().decode()


@story
async def test_a_pod_answers_at_its_address(machine):
    machine.pod(readinessProbe={"httpGet": {"port": 80}})
    await machine.until(machine.ready)
    text = ask(machine, machine.status()["podIP"], 80)
    assert "Pod: web\n" in text
    assert f"Client: {machine.spec.node_ip('control-plane')}:" in text


@story
async def test_a_program_finds_its_files_name_and_environment(machine):
    machine.pod(restart="Never", image="busybox", env=[{"name": "A", "value": "b"}],
                command=["sh", "-c", "cat /etc/resolv.conf /etc/hosts; hostname; env | grep -E '^(A|NETLAB.*)='"])
    await machine.until(lambda: machine.status()["phase"] == "Succeeded")
    lines = machine.log().splitlines()
    assert lines[:3] == ["search default.svc.cluster.local svc.cluster.local cluster.local", "nameserver 10.96.0.10",
                         "options ndots:5"]
    assert f"{machine.status()['podIP']}\tweb" in lines
    assert lines[-2:] == ["web", "A=b"]


@story
async def test_a_missing_program_is_a_start_error(machine):
    machine.pod(restart="Never", image="busybox", command=["nosuch"])
    await machine.until(lambda: machine.status()["phase"] == "Failed")
    assert machine.state()["state"]["terminated"]["message"] == \
        'failed to start container: exec: "nosuch": executable file not found in $PATH'


@story
async def test_a_killed_process_is_started_again_under_the_same_address(machine):
    machine.pod()
    await machine.manager.settled()
    address = machine.status()["podIP"]
    machine.handle().signal("c.0", signal.SIGKILL)
    await machine.until(lambda: machine.state()["restartCount"] == 1 and "running" in machine.state()["state"])
    assert machine.state()["lastState"]["terminated"]["exitCode"] == 137
    assert machine.status()["podIP"] == address


@story
async def test_a_pod_whose_init_was_killed_is_made_again(machine):
    machine.pod()
    await machine.manager.settled()
    machine.handle().kill()
    await machine.until(lambda: machine.state()["restartCount"] == 1 and "running" in machine.state()["state"])
    await machine.manager.settled()
    await machine.until(lambda: "c.1" in machine.handle().running())
    assert "Pod: web\n" in ask(machine, machine.status()["podIP"], 80)


@story
async def test_new_kubelets_adopt_the_processes(machine):
    machine.pod()
    await machine.manager.settled()
    before = machine.registry.store.revision_of("pods")
    await machine.manager.stop()
    machine.manager = Manager(kubelets(machine.registry, runtime=machine.runtime,
                                       catalogue=catalogue(machine.spec, NOWHERE),
                                       recorder=lambda node: machine.recorder))
    machine.manager.start()
    await machine.manager.settled()
    assert machine.registry.store.revision_of("pods") == before
    assert machine.handle().running() == {"c.0"}


@story
async def test_a_failed_http_liveness_probe_restarts_the_container(machine):
    machine.pod(image="nginx", livenessProbe={
        "httpGet": {"path": "/nosuch", "port": 80}, "initialDelaySeconds": 1, "failureThreshold": 1})
    await machine.until(lambda: machine.state()["restartCount"] == 1)
    assert ("Warning", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404") \
        in machine.recorder.events


@story
async def test_an_exec_probe_runs_in_the_container(machine):
    machine.pod(readinessProbe={"exec": {"command": ["sh", "-c", "echo no >&2; test -e /tmp/ready"]},
                                "periodSeconds": 1})
    await machine.until(lambda: ("Warning", "Unhealthy", "Readiness probe failed: no\n") in machine.recorder.events)
    with open(os.devnull, "r+b") as nothing:
        number = nothing.fileno()
        assert machine.handle().exec(["touch", "/tmp/ready"], stdin=number, stdout=number, stderr=number) == 0
    await machine.until(machine.ready)


@story
async def test_what_ignores_sigterm_ends_with_the_grace_period(machine):
    machine.pod(grace=1, image="busybox", command=["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"])
    await machine.until(lambda: machine.log() == "up\n")
    begun = time.monotonic()
    machine.registry.delete("pods", "web", namespace="default")
    await machine.until(lambda: machine.registry.find("pods", "web", "default") is None)
    assert 0.9 < time.monotonic() - begun < 4
    assert not (names.NETNS / names.pod_netns(machine.spec.name, "default", "web")).exists()
    await machine.until(lambda: not list((machine.directory / "pods").iterdir()))


@story
async def test_an_attached_sessions_exit_code_is_the_containers(machine):
    pod = machine.pod(restart="Never", image="busybox", stdin=True, tty=True)
    await machine.manager.settled()
    session = attaching.find(names.pod_dir(machine.spec.name, pod["metadata"]["uid"]), "c")
    with open(os.devnull, "r+b") as nothing:
        number = nothing.fileno()
        code = machine.handle().exec([*session.argv, "-c", "exit 3"], stdin=number, stdout=number, stderr=number,
                                     container="c")
    assert code == 3
    await attaching.end(session, code, runs=lambda: True)
    await machine.until(lambda: machine.status()["phase"] == "Failed")
    assert machine.state()["state"]["terminated"]["exitCode"] == 3


@story
async def test_many_pods_start_and_go(machine):
    for number in range(12):
        machine.pod(f"web-{number}", machine.spec.nodes[number % 3])
    await machine.manager.settled()
    assert {machine.status(f"web-{number}")["phase"] for number in range(12)} == {"Running"}
    assert len({machine.status(f"web-{number}")["podIP"] for number in range(12)}) == 12
