import asyncio
import signal
from pathlib import Path

import pytest

from netlab.controllers.kubelet import prober, pulling, worker
from tests.controllers.kubelet_lab import World


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(worker, "FORCED_GRACE", 0.1)
    monkeypatch.setattr(pulling, "SHOW", 0.05)
    monkeypatch.setattr(prober, "SECOND", 0.02)
    monkeypatch.setattr(prober, "SETTLE", 0.0)


def story(test):
    """Runs an async test function with a world of its own."""

    def run(tmp_path):
        asyncio.run(test(World(tmp_path)))

    run.__name__ = test.__name__
    return run


@story
async def test_a_pod_gets_an_address_a_netns_and_a_process(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
        status = world.status()
        assert (status["phase"], status["podIP"], status["hostIP"]) == ("Running", "10.244.1.2", "172.18.0.3")
        assert world.network.attached == {"kubelet-test.default.web": ("worker", "10.244.1.2")}
        assert [world.condition(kind) for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")] == \
            ["True"] * 4
        container = world.state()
        assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
        assert "running" in container["state"]
        assert world.recorder.reasons() == ["Pulled", "Created", "Started"]
        process = world.processes().processes["c.0"]
        assert process.entry == "netlab.workloads.nginx:main"
        assert dict(process.env)["NETLAB_POD_IP"] == "10.244.1.2"
        assert process.log.endswith("/c/0.log")


@story
async def test_pods_of_other_nodes_are_left_alone(world):
    async with world.running():
        world.pod(node="worker2")
        world.pod("waiting", node="")
        await world.manager.settled()
        assert world.runtime.created == []


def with_host_port(**port):
    return [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"} | port]}]


@story
async def test_pods_bound_by_hand_are_refused_where_they_do_not_fit(world):
    world.registry.create("nodes", {"metadata": {"name": "worker"}})
    async with world.running():
        world.pod("first", containers=with_host_port())
        await world.manager.settled()
        world.pod("second", containers=with_host_port())
        world.pod("other", containers=with_host_port(protocol="UDP"))
        world.pod("picky", nodeSelector={"disk": "ssd"})
        await world.manager.settled()
        assert [world.status(name)["phase"] for name in ("first", "second", "other", "picky")] == \
            ["Running", "Failed", "Running", "Failed"]
        text = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        assert (world.status("second")["reason"], world.status("second")["message"]) == \
            ("NodePorts", f"Pod was rejected: {text}")
        assert ("Warning", "NodePorts", text) in world.recorder.events
        world.registry.delete("pods", "second", namespace="default")
        await world.manager.settled()
        assert world.get("second") is None


@story
async def test_a_refused_pod_stays_refused_after_a_restart(world):
    world.registry.create("nodes", {"metadata": {"name": "worker"}})
    world.pod("picky", nodeSelector={"disk": "ssd"})
    for _ in range(2):
        async with world.running():
            await world.manager.settled()
            assert world.status("picky")["reason"] == "NodeAffinity"
        world.restart()


@story
async def test_on_the_host_network_the_environment_has_the_nodes_name(world):
    async with world.running():
        world.pod(hostNetwork=True)
        await world.manager.settled()
        assert dict(world.processes().processes["c.0"].env)["HOSTNAME"] == "worker"


@story
async def test_deletion_asks_then_removes_everything(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
        state = world.processes()
        world.registry.delete("pods", "web", namespace="default")
        await world.manager.settled()
        assert world.get() is None
        assert state.signals == [("c.0", signal.SIGTERM)]
        assert not state.alive
        assert world.network.attached == {}
        assert list((world.directory / "pods").iterdir()) == []
        assert ("Normal", "Killing", "Stopping container c") in world.recorder.events


@story
async def test_what_ignores_sigterm_is_killed_when_the_grace_period_is_over(world):
    world.runtime.stubborn.add("c")
    async with world.running():
        world.pod()
        await world.manager.settled()
        state = world.processes()
        world.registry.delete("pods", "web", namespace="default", grace_period=0.2)
        await world.until(lambda: state.signals)
        assert state.alive
        assert world.kubelet.pending
        await world.until(lambda: world.get() is None)
        assert state.signals == [("c.0", signal.SIGTERM), ("c.0", signal.SIGKILL)]


@story
async def test_a_pod_whose_object_was_removed_by_force_is_cleaned_up(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
        state = world.processes()
        world.registry.delete("pods", "web", namespace="default", grace_period=0)
        assert world.get() is None
        await world.manager.settled()
        assert not state.alive
        assert world.network.attached == {}
        assert list((world.directory / "pods").iterdir()) == []


@story
async def test_a_pod_of_the_same_name_waits_until_the_former_one_is_gone(world):
    world.runtime.stubborn.add("c")
    world.restart(nodes=("worker", "worker2"))
    async with world.running():
        world.pod()
        await world.manager.settled()
        world.registry.delete("pods", "web", namespace="default", grace_period=0)
        world.pod(node="worker2")
        await world.manager.settled()
        assert world.status()["podIP"] == "10.244.2.2"
        assert [entry[0] for entry in world.network.log] == ["attach", "detach", "attach"]


@story
async def test_a_crashing_container_starts_again_at_once_then_backs_off(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
        world.processes().end("c.0", 1)
        await world.until(lambda: world.state()["restartCount"] == 1 and "running" in world.state()["state"])
        assert world.state()["lastState"]["terminated"]["exitCode"] == 1
        world.processes().end("c.1", 3)
        await world.until(lambda: "waiting" in world.state()["state"])
        waiting = world.state()["state"]["waiting"]
        uid = world.get()["metadata"]["uid"]
        assert waiting == {"reason": "CrashLoopBackOff", "message":
                           f"back-off 10s restarting failed container=c pod=web_default({uid})"}
        assert world.state()["lastState"]["terminated"]["exitCode"] == 3
        assert world.status()["phase"] == "Running"
        assert world.condition("Ready") == "False"
        assert not world.kubelet.pending
        assert ("Warning", "BackOff", f"Back-off restarting failed container c in pod web_default({uid})") \
            in world.recorder.events


@pytest.mark.parametrize(("policy", "code", "phase", "reason"), [
    ("Never", 0, "Succeeded", "Completed"), ("Never", 2, "Failed", "Error"), ("OnFailure", 0, "Succeeded", "Completed"),
])
def test_a_pod_that_is_over_keeps_its_logs_and_gives_its_address_back(tmp_path, policy, code, phase, reason):
    async def run(world):
        world.runtime.ends_at_once["c"] = code
        async with world.running():
            pod = world.pod(restartPolicy=policy)
            await world.until(lambda: world.status()["phase"] == phase and not world.kubelet.pending)
            assert world.state()["state"]["terminated"]["reason"] == reason
            assert world.state()["state"]["terminated"]["exitCode"] == code
            assert world.network.attached == {}
            assert not world.processes().alive
            assert (world.directory / "pods" / pod["metadata"]["uid"] / "c" / "0.log").exists()
            world.registry.delete("pods", "web", namespace="default")
            await world.manager.settled()
            assert world.get() is None
            assert list((world.directory / "pods").iterdir()) == []

    asyncio.run(run(World(tmp_path)))


@story
async def test_an_unknown_image_is_said_and_backed_off(world):
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "mysql:8"}])
        await world.until(lambda: world.state()["state"]["waiting"]["reason"] == "ErrImagePull")
        assert "images: [{name: mysql" in world.state()["state"]["waiting"]["message"]
        await world.until(lambda: world.state()["state"]["waiting"]["reason"] == "ImagePullBackOff")
        message = world.state()["state"]["waiting"]["message"]
        assert message.startswith('Back-off pulling image "mysql:8": ErrImagePull: failed to pull and unpack image')
        assert world.status()["phase"] == "Pending"
        assert not world.kubelet.pending
        assert [(reason, text.partition(":")[0]) for _, reason, text in world.recorder.events] == [
            ("Pulling", 'Pulling image "mysql'), ("Failed", 'Failed to pull image "mysql'), ("Failed", "Error"),
            ("BackOff", 'Back-off pulling image "mysql'), ("Failed", "Error")]


@story
async def test_a_pod_whose_images_may_not_be_pulled_says_so(world):
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "mysql:8", "imagePullPolicy": "Never"}])
        await world.until(lambda: world.state()["state"]["waiting"]["reason"] == "ErrImageNeverPull")
        assert world.state()["state"]["waiting"]["message"] == \
            'Container image "mysql:8" is not present with pull policy of Never'


@story
async def test_a_missing_configmap_holds_the_container_until_it_comes(world):
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "nginx", "envFrom": [{"configMapRef": {"name": "cm"}}]}])
        await world.manager.settled()
        assert world.state()["state"]["waiting"] == {"reason": "CreateContainerConfigError",
                                                     "message": 'configmap "cm" not found'}
        world.registry.create("configmaps", {"metadata": {"name": "cm"}, "data": {"A": "1"}}, namespace="default")
        await world.manager.settled()
        assert world.status()["phase"] == "Running"
        assert dict(world.processes().processes["c.0"].env)["A"] == "1"


@story
async def test_a_program_that_cannot_be_executed_is_a_start_error(world):
    world.runtime.absent.add("nosuch")
    async with world.running():
        world.pod(restartPolicy="Never", containers=[{"name": "c", "image": "busybox", "command": ["nosuch"]}])
        await world.until(lambda: world.status()["phase"] == "Failed")
        ended = world.state()["state"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
        assert 'exec: "nosuch": executable file not found in $PATH' in ended["message"]


@story
async def test_init_containers_run_in_order_before_the_others(world):
    async with world.running():
        world.pod(initContainers=[{"name": name, "image": "busybox", "command": ["sleep", "1"]} for name in "ab"])
        await world.manager.settled()
        state = world.processes()
        assert set(state.processes) == {"a.0"}
        assert world.state()["state"]["waiting"]["reason"] == "PodInitializing"
        assert world.condition("Initialized") == "False"
        state.end("a.0", 0)
        await world.until(lambda: "b.0" in state.processes)
        assert "c.0" not in state.processes
        state.end("b.0", 0)
        await world.until(lambda: world.status()["phase"] == "Running")
        assert world.condition("Initialized") == "True"
        assert [s["ready"] for s in world.status()["initContainerStatuses"]] == [True, True]


@story
async def test_a_failed_init_container_fails_a_pod_that_never_restarts(world):
    world.runtime.ends_at_once["a"] = 1
    async with world.running():
        world.pod(restartPolicy="Never", initContainers=[{"name": "a", "image": "busybox", "command": ["sleep", "1"]}])
        await world.until(lambda: world.status()["phase"] == "Failed")


@story
async def test_a_sidecar_starts_first_and_stops_last(world):
    async with world.running():
        world.pod(initContainers=[{"name": "side", "image": "nginx", "restartPolicy": "Always"}])
        await world.manager.settled()
        state = world.processes()
        assert list(state.processes) == ["side.0", "c.0"]
        world.registry.delete("pods", "web", namespace="default")
        await world.manager.settled()
        assert [name for name, _ in state.signals] == ["c.0", "side.0"]


@story
async def test_sidecars_are_asked_to_end_when_the_containers_have_and_are_not_started_again(world):
    async with world.running():
        world.pod(restartPolicy="Never",
                  initContainers=[{"name": "side", "image": "nginx", "restartPolicy": "Always"}])
        await world.manager.settled()
        state = world.processes()
        state.end("c.0", 0)
        await world.until(lambda: world.status()["phase"] == "Succeeded")
        assert list(state.processes) == ["side.0", "c.0"]
        assert state.signals == [("side.0", signal.SIGTERM)]
        assert world.status()["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
        assert ("Normal", "Killing", "Stopping container side") in world.recorder.events


@story
async def test_the_sandbox_of_a_pod_that_is_over_is_gone_and_its_status_says_so(world):
    world.runtime.ends_at_once["c"] = 0
    async with world.running():
        world.pod(restartPolicy="Never")
        await world.until(lambda: world.condition("PodReadyToStartContainers") == "False")
        assert world.status()["phase"] == "Succeeded"
        assert not world.processes().alive


@pytest.mark.parametrize("gone", [True, False])
def test_a_pod_that_is_removed_or_changed_while_its_sandbox_goes_is_no_error(tmp_path, capsys, gone):
    async def run(world):
        world.runtime.ends_at_once["c"] = 0
        detach = world.network.detach

        def meanwhile(netns):
            pod = world.get()
            if gone and pod:
                world.registry.delete("pods", "web", namespace="default", grace_period=0)
            elif pod:
                world.registry.update("pods", pod | {"metadata": pod["metadata"] | {"labels": {"now": "changed"}}})
            detach(netns)

        world.network.detach = meanwhile
        async with world.running():
            world.pod(restartPolicy="Never")
            await world.until(lambda: world.get() is None if gone
                              else world.condition("PodReadyToStartContainers") == "False")
            await world.manager.settled()
            assert [worker.last_error for worker in world.kubelet._workers.values()] == ([] if gone else [""])

    asyncio.run(run(World(tmp_path)))
    assert "Traceback" not in capsys.readouterr().err


@story
async def test_new_kubelets_adopt_what_runs_without_touching_it(world):
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "nginx", "readinessProbe": {"exec": {"command": ["ok"]}}}])
        await world.until(lambda: world.condition("Ready") == "True")
    before = world.get()
    state = world.processes()
    world.runtime.exec_answers[("ok",)] = (1, "slow")  # one failure is below the threshold
    world.restart()
    async with world.running():
        await world.manager.settled()
        assert state.alive
        assert list(state.processes) == ["c.0"]
        assert state.signals == []
        assert world.get() == before
        assert len(world.runtime.created) == 1


@story
async def test_a_crash_while_no_kubelet_ran_is_seen_and_counted(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
    world.processes().end("c.0", 7)
    world.restart()
    async with world.running():
        await world.until(lambda: world.state()["restartCount"] == 1)
        assert world.state()["lastState"]["terminated"]["exitCode"] == 7


@story
async def test_a_pod_that_was_deleted_while_no_kubelet_ran_is_cleaned_up(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
    state = world.processes()
    world.registry.delete("pods", "web", namespace="default", grace_period=0)
    world.restart()
    async with world.running():
        await world.manager.settled()
        assert not state.alive
        assert world.network.attached == {}
        assert list((world.directory / "pods").iterdir()) == []


@story
async def test_a_pod_whose_init_died_is_made_again_with_its_address(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
        world.processes().die()
        await world.until(lambda: world.state()["restartCount"] == 1 and "running" in world.state()["state"])
        assert world.status()["podIP"] == "10.244.1.2"
        assert world.state()["lastState"]["terminated"]["exitCode"] == 137
        assert "SandboxChanged" in world.recorder.reasons()
        assert list(world.processes().processes) == ["c.1"]


@story
async def test_addresses_go_on_after_the_last_one_given(world):
    async with world.running():
        world.pod("a")
        await world.manager.settled()
        world.registry.delete("pods", "a", namespace="default")
        await world.manager.settled()
        world.pod("b")
        await world.manager.settled()
        assert world.status("b")["podIP"] == "10.244.1.3"


@story
async def test_host_network_pods_use_the_node(world):
    async with world.running():
        world.pod(hostNetwork=True)
        await world.manager.settled()
        assert world.status()["podIP"] == world.status()["hostIP"] == "172.18.0.3"
        assert world.network.attached == {}
        assert world.runtime.created[0].netns == "/run/netns/kubelet-test.worker"
        assert world.runtime.created[0].hostname == "worker"


@story
async def test_readiness_gates_hold_a_pod_until_somebody_sets_the_condition(world):
    async with world.running():
        world.pod(readinessGates=[{"conditionType": "example.com/ok"}])
        await world.manager.settled()
        assert (world.condition("ContainersReady"), world.condition("Ready")) == ("True", "False")
        pod = world.get()
        conditions = [*pod["status"]["conditions"], {"type": "example.com/ok", "status": "True"}]
        status = pod["status"] | {"conditions": conditions}
        world.registry.update("pods", pod | {"status": status}, subresource="status")
        await world.manager.settled()
        assert world.condition("Ready") == "True"


@story
async def test_readiness_follows_the_probe_and_failures_are_events(world):
    world.runtime.exec_answers[("check",)] = (1, "not yet")
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 1}
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "nginx", "readinessProbe": probe}])
        await world.manager.settled()
        assert world.condition("Ready") == "False"
        await world.until(lambda: ("Warning", "Unhealthy", "Readiness probe failed: not yet") in world.recorder.events)
        world.runtime.exec_answers[("check",)] = (0, "")
        await world.until(lambda: world.condition("Ready") == "True")
        world.runtime.exec_answers[("check",)] = (1, "")
        await world.until(lambda: world.condition("Ready") == "False")
        assert world.state()["restartCount"] == 0


@story
async def test_a_failed_liveness_probe_restarts_the_container(world):
    world.runtime.exec_answers[("live",)] = (1, "dead")
    probe = {"exec": {"command": ["live"]}, "periodSeconds": 1, "failureThreshold": 2}
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "nginx", "livenessProbe": probe}])
        await world.until(lambda: world.state()["restartCount"] == 1)
        assert ("Normal", "Killing", "Container c failed liveness probe, will be restarted") in world.recorder.events
        assert world.processes().signals[0] == ("c.0", signal.SIGTERM)


@story
async def test_other_probes_wait_for_the_startup_probe(world):
    world.runtime.exec_answers[("up",)] = (1, "")
    quick = {"periodSeconds": 1, "failureThreshold": 1000}
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "nginx", "startupProbe": {"exec": {"command": ["up"]}} | quick,
                               "readinessProbe": {"exec": {"command": ["ready"]}} | quick}])
        await world.until(lambda: len(world.runtime.execs) > 3)
        assert {argv for _, argv in world.runtime.execs} == {("up",)}
        assert world.state()["started"] is False
        world.runtime.exec_answers[("up",)] = (0, "")
        await world.until(lambda: world.condition("Ready") == "True")
        assert world.state()["started"] is True


@story
async def test_the_pre_stop_hook_comes_before_sigterm(world):
    hook = {"preStop": {"exec": {"command": ["drain"]}}}
    async with world.running():
        world.pod(containers=[{"name": "c", "image": "nginx", "lifecycle": hook}])
        await world.manager.settled()
        state = world.processes()
        world.registry.delete("pods", "web", namespace="default")
        await world.manager.settled()
        assert world.runtime.execs == [("c", ("drain",))]
        assert state.signals == [("c.0", signal.SIGTERM)]


@story
async def test_volumes_that_a_lab_does_not_have_are_refused_with_an_event(world):
    async with world.running():
        world.pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}])
        await world.manager.settled()
        assert world.state()["state"]["waiting"]["reason"] == "ContainerCreating"
        assert any(reason == "FailedMount" and "persistentVolumeClaim" in text
                   for _, reason, text in world.recorder.events)
        world.registry.delete("pods", "web", namespace="default")
        await world.manager.settled()
        assert world.get() is None


@story
async def test_a_claim_of_a_stateful_set_is_the_same_directory_for_the_next_pod_of_that_name(world):
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "1", "controller": True}

    def create():
        world.registry.create("pods", {"metadata": {"name": "db-0", "ownerReferences": [owner]}, "spec": {
            "nodeName": "worker", "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}],
            "containers": [{"name": "c", "image": "agnhost", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        }}, namespace="default")

    sources = []
    async with world.running():
        for _ in range(2):
            create()
            await world.manager.settled()
            (mount,) = world.processes("db-0").processes["c.0"].mounts
            assert not mount.read_only
            sources.append(mount.source)
            pod = world.get("db-0")  # the set is deleted, its pod stays: so does the claim
            bare = {key: value for key, value in pod["metadata"].items() if key != "ownerReferences"}
            world.registry.update("pods", pod | {"metadata": bare})
            await world.manager.settled()
            assert world.status("db-0")["phase"] == "Running"
            assert "running" in world.state("db-0")["state"]
            world.registry.delete("pods", "db-0", namespace="default")
            await world.manager.settled()
            assert world.get("db-0") is None
    assert sources[0] == sources[1]


@story
async def test_a_web_servers_pages_are_a_directory_to_write_to_unless_a_volume_is_there(world):
    root, page = "/usr/share/nginx/html", "index.html"
    async with world.running():
        world.pod("own", containers=[{"name": "c", "image": "nginx"}])
        world.pod("given", volumes=[{"name": "v", "emptyDir": {}}], containers=[
            {"name": "c", "image": "nginx", "volumeMounts": [{"name": "v", "mountPath": f"{root}/"}]}])
        await world.manager.settled()
        own, servers = world.processes("own").processes["c.0"].mounts
        assert (own.target, own.read_only) == (root, False)
        assert "Welcome to nginx!" in (Path(own.source) / page).read_text()
        assert (servers.target, servers.read_only) == ("/etc/nginx/conf.d", False)
        given = {mount.target.rstrip("/"): mount for mount in world.processes("given").processes["c.0"].mounts}
        assert not (Path(given[root].source) / page).exists()


@story
async def test_a_config_map_volume_follows_its_object(world):
    world.registry.create("configmaps", {"metadata": {"name": "cm"}, "data": {"a.txt": "1", "b.txt": "x"}},
                          namespace="default")
    async with world.running():
        world.pod(volumes=[{"name": "v", "configMap": {"name": "cm"}}], containers=[
            {"name": "c", "image": "agnhost", "volumeMounts": [{"name": "v", "mountPath": "/conf"}]}])
        await world.manager.settled()
        (mount,) = world.processes().processes["c.0"].mounts
        assert (mount.target, mount.read_only) == ("/conf", True)
        cm = world.registry.get("configmaps", "cm", "default")
        world.registry.update("configmaps", cm | {"data": {"a.txt": "2"}})
        await world.manager.settled()
        from pathlib import Path
        assert {p.name: p.read_text() for p in Path(mount.source).iterdir()} == {"a.txt": "2"}


@story
async def test_a_sandbox_that_cannot_be_made_is_said_and_tried_again(world):
    world.runtime.refuse = "pivot_root: not permitted"
    async with world.running():
        world.pod()
        await world.until(lambda: "FailedCreatePodSandBox" in world.recorder.reasons())
        assert world.status()["phase"] == "Pending"
        world.runtime.refuse = ""
        await world.until(lambda: world.status()["phase"] == "Running")


@story
async def test_a_new_image_restarts_the_container(world):
    async with world.running():
        world.pod(restartPolicy="Never")
        await world.manager.settled()
        pod = world.get()
        spec = pod["spec"] | {"containers": [{"name": "c", "image": "httpd"}]}
        world.registry.update("pods", pod | {"spec": spec})
        await world.until(lambda: world.state()["restartCount"] == 1)
        assert ("Normal", "Killing", "Container c definition changed, will be restarted") in world.recorder.events
        assert world.state()["image"] == "httpd"
        assert world.processes().processes["c.1"].argv[0] == "httpd-foreground"


@story
async def test_an_ephemeral_container_joins_a_pod_that_runs(world):
    async with world.running():
        world.pod()
        await world.manager.settled()
        pod = world.get()
        debugger = {"name": "debugger", "image": "busybox", "stdin": True, "tty": True}
        world.registry.update("pods", pod | {"spec": pod["spec"] | {"ephemeralContainers": [debugger]}})
        await world.manager.settled()
        (found,) = world.status()["ephemeralContainerStatuses"]
        assert "running" in found["state"]
        world.processes().end("debugger.0", 2)
        await world.until(lambda: world.status()["ephemeralContainerStatuses"][0]["state"].get("terminated"))
        assert world.status()["phase"] == "Running"
        assert world.condition("Ready") == "True"
        assert list(world.processes().processes) == ["c.0", "debugger.0"]


@story
async def test_a_container_with_a_terminal_waits_for_somebody_to_attach(world):
    from netlab.controllers.kubelet.attaching import find
    async with world.running():
        terminal = {"stdin": True, "tty": True}
        pod = world.pod(containers=[{"name": "c", "image": "busybox", "args": ["sh", "-i"]} | terminal])
        await world.manager.settled()
        process = world.processes().processes["c.0"]
        assert process.entry == "netlab.workloads.interactive:main"
        found = find(world.directory / "pods" / pod["metadata"]["uid"], "c")
        assert found.argv == ("sh", "-i")
        assert found.netns == "kubelet-test.default.web"
        assert found.address == process.argv[1]


@story
async def test_finalizers_keep_the_object_but_not_the_processes(world):
    async with world.running():
        pod = world.pod()
        await world.manager.settled()
        state = world.processes()
        world.registry.update("pods", world.get() | {"metadata": world.get()["metadata"] | {"finalizers": ["a/b"]}})
        world.registry.delete("pods", "web", namespace="default")
        await world.manager.settled()
        assert not state.alive
        assert world.get()["metadata"]["uid"] == pod["metadata"]["uid"]
        assert world.condition("Ready") == "False"
        assert len(world.runtime.created) == 1


@story
async def test_a_configmap_that_no_pod_uses_wakes_no_worker(world):
    world.registry.create("configmaps", {"metadata": {"name": "used"}, "data": {"a": "1"}}, namespace="default")
    world.pod(volumes=[{"name": "v", "configMap": {"name": "used"}}])
    world.pod("other")
    async with world.running():
        await world.until(lambda: all(world.condition("Ready", name) == "True" for name in ("web", "other")))
        await world.manager.settled()
        woken = []
        for worker in world.kubelet._workers.values():
            worker.wake = lambda name=worker.record.name: woken.append(name)
        world.registry.create("configmaps", {"metadata": {"name": "unused"}}, namespace="default")
        await world.manager.settled()
        assert woken == []
        world.registry.patch("configmaps", "used", {"data": {"a": "2"}}, namespace="default")
        await world.manager.settled()
        assert woken == ["web"]
