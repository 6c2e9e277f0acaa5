"""Pods in a lab live, end and are told of as on a cluster."""

import os
import re

import pytest

from tests.lab.in_lab import InLab, row

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab():
    running = InLab("pods", nodes=2)
    yield running
    running.down()


@pytest.mark.parametrize(("policy", "script", "phase", "word"), [
    ("Never", "exit 0", "Succeeded", "Completed"),
    ("Never", "exit 3", "Failed", "Error"),
    ("Never", "kill -9 $$", "Failed", "Error"),
    ("OnFailure", "exit 0", "Succeeded", "Completed"),
    ("OnFailure", "exit 3", "Running", "CrashLoopBackOff"),
    ("Always", "exit 0", "Running", "CrashLoopBackOff"),
    ("Always", "sleep 100", "Running", "Running"),
])
def test_every_restart_policy_ends_as_on_a_cluster(lab, policy, script, phase, word):
    name = f"{policy.lower()}-{abs(hash(script)) % 10000}"
    lab.pod(name, script, restartPolicy=policy)
    lab.until(lambda: row(lab.netlab("get", "pods")[1], name)[2] == word, f"{name} is {word}")
    assert lab.status(name)["phase"] == phase
    restarts = int(row(lab.netlab("get", "pods")[1], name)[3])
    assert (restarts > 0) == (word == "CrashLoopBackOff")


def test_exit_codes_and_the_log_of_a_pod_that_failed_are_there(lab):
    lab.pod("failed", "echo to stdout; echo to stderr >&2; exit 7", restartPolicy="Never")
    _, ended = lab.until(lambda: (s := lab.state("failed"))[0] == "terminated" and s, "it has ended")
    assert (ended["exitCode"], ended["reason"]) == (7, "Error")
    assert lab.netlab("logs", "failed") == (0, "to stdout\nto stderr\n", "")
    assert lab.netlab("logs", "failed", "--tail=1")[1] == "to stderr\n"
    assert lab.netlab("logs", "failed", "-p")[0] == 2
    code, _, words = lab.netlab("exec", "failed", "--", "true")
    assert code == 4
    assert "has no processes (phase Failed)" in words


def test_the_previous_log_is_that_of_the_run_before(lab):
    lab.pod("again", {"name": "c", "image": "busybox", "volumeMounts": [{"name": "d", "mountPath": "/data"}],
                      "command": ["sh", "-c", "echo x >> /data/n; wc -l < /data/n; "
                                              "test $(wc -l < /data/n) -gt 1 && exec sleep 100"]},
            volumes=[{"name": "d", "emptyDir": {}}])
    lab.until(lambda: lab.state("again")[0] == "running"
              and lab.status("again")["containerStatuses"][0]["restartCount"] == 1, "the second run")
    lab.until(lambda: lab.netlab("logs", "again")[1] == "2\n", "its log")
    assert lab.netlab("logs", "again", "-p")[1] == "1\n"


def test_a_log_is_followed_to_its_end(lab):
    lab.pod("ticks", "for i in 1 2 3; do echo tick $i; sleep 0.1; done", restartPolicy="Never")
    lab.until(lambda: lab.state("ticks")[0] in ("running", "terminated"), "it runs")
    assert lab.netlab("logs", "-f", "ticks") == (0, "tick 1\ntick 2\ntick 3\n", "")


def test_a_program_that_is_not_there_is_a_start_error(lab):
    lab.pod("lost", {"name": "c", "image": "busybox", "command": ["nosuchprogram"]}, restartPolicy="Never")
    _, ended = lab.until(lambda: (s := lab.state("lost"))[0] == "terminated" and s, "it has ended")
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert 'exec: "nosuchprogram": executable file not found in $PATH' in ended["message"]
    assert any(event[:2] == ("Warning", "Failed") for event in lab.events("lost"))


def test_an_unknown_image_is_backed_off_and_its_event_says_how_to_add_it(lab):
    lab.pod("unknown", {"name": "c", "image": "example.com/foo/bar:1"})
    lab.until(lambda: lab.state("unknown")[1].get("reason") == "ImagePullBackOff", "the back-off")
    assert [reason for _, reason, _ in lab.events("unknown")] == [
        "Scheduled", "Pulling", "Failed", "Failed", "BackOff", "Failed"]
    failed = next(text for _, reason, text in lab.events("unknown") if reason == "Failed")
    assert "images: [{name: example.com/foo/bar, command:" in failed
    code, _, words = lab.netlab("exec", "unknown", "--", "true")
    assert (code, words) == (4, "error: container c of pod default/unknown does not run (ImagePullBackOff)\n"
                                "try: netlab get events -n default\n")
    assert lab.netlab("logs", "unknown")[2] == (
        'Error from server (BadRequest): container "c" in pod "unknown" is waiting to start: ImagePullBackOff\n')


def test_init_containers_run_one_after_the_other_and_share_volumes(lab):
    mount = [{"name": "w", "mountPath": "/shared"}]
    lab.pod("inits", {"name": "main", "image": "busybox", "command": ["sh", "-c", "cat /shared/a; exec sleep 100"],
                      "volumeMounts": mount}, volumes=[{"name": "w", "emptyDir": {}}],
            initContainers=[
                {"name": "one", "image": "busybox", "command": ["sh", "-c", "echo one > /shared/a"],
                 "volumeMounts": mount},
                {"name": "two", "image": "busybox", "command": ["sh", "-c", "cat /shared/a; echo two >> /shared/a"],
                 "volumeMounts": mount}])
    lab.until(lambda: row(lab.netlab("get", "pods")[1], "inits")[1] == "1/1", "it is ready")
    lab.until(lambda: lab.netlab("logs", "inits")[1] == "one\ntwo\n", "its log")
    assert lab.netlab("logs", "inits")[2] == 'Defaulted container "main" out of: main, one (init), two (init)\n'
    assert lab.netlab("logs", "inits", "-c", "two")[1] == "one\n"


def test_a_failing_init_container_holds_the_pod_and_counts_its_restarts(lab):
    lab.pod("noinit", "sleep 100", initContainers=[
        {"name": "i", "image": "busybox", "command": ["sh", "-c", "exit 7"]}])
    lab.until(lambda: row(lab.netlab("get", "pods")[1], "noinit")[2:4] ==
              ["Init:CrashLoopBackOff", "1"], "the back-off")
    assert lab.status("noinit")["phase"] == "Pending"


def test_a_sidecar_runs_before_the_container_and_ends_after_it(lab):
    lab.pod("helped", {"name": "main", "image": "busybox", "command": [
        "sh", "-c", "until curl -s -o /dev/null 127.0.0.1; do sleep 0.05; done; echo helped"]}, restartPolicy="Never",
        initContainers=[{"name": "side", "image": "nginx", "restartPolicy": "Always"}])
    lab.until(lambda: lab.status("helped")["phase"] == "Succeeded", "it is over")
    assert lab.netlab("logs", "helped", "-c", "main")[1] == "helped\n"
    side = lab.status("helped")["initContainerStatuses"][0]
    assert "terminated" in side["state"]
    assert side["restartCount"] == 0
    assert row(lab.netlab("get", "pods")[1], "helped")[1:3] == ["0/2", "Completed"]
    assert ("Normal", "Killing", "Stopping container side") in lab.events("helped")


def test_environment_and_files_come_from_config_maps_and_from_the_pod_itself(lab):
    lab.create("/api/v1/namespaces/default/configmaps",
               {"metadata": {"name": "conf"}, "data": {"A": "1", "file": "from the file\n"}})
    lab.pod("told", {
        "name": "c", "image": "busybox", "args": ["$(A)-$(NOT)-$$(A)"],
        "command": ["sh", "-c", "echo $B $NODE $IP $LABEL $CPU $P_A $0; cat /conf/file; cat /info/labels"],
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "conf"}}],
        "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "A"}}},
                {"name": "B", "value": "b$(A)"},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
        "volumeMounts": [{"name": "conf", "mountPath": "/conf"}, {"name": "info", "mountPath": "/info"}]},
        restartPolicy="Never", labels={"app": "told"}, volumes=[
            {"name": "conf", "configMap": {"name": "conf"}},
            {"name": "info", "downwardAPI": {"items": [
                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}])
    lab.until(lambda: lab.status("told")["phase"] == "Succeeded", "it is over")
    pod = lab.get("/api/v1/namespaces/default/pods/told")
    node, ip = pod["spec"]["nodeName"], pod["status"]["podIP"]
    assert lab.netlab("logs", "told")[1] == \
        f'b1 {node} {ip} told {os.cpu_count()} 1 1-$(NOT)-$(A)\nfrom the file\napp="told"'


def test_a_missing_config_map_holds_the_container_until_it_comes(lab):
    lab.pod("needs", {"name": "c", "image": "busybox", "command": ["sleep", "100"],
                      "envFrom": [{"configMapRef": {"name": "later"}}]})
    lab.until(lambda: lab.state("needs")[1].get("reason") == "CreateContainerConfigError", "the error")
    assert ("Warning", "Failed", 'Error: configmap "later" not found') in lab.events("needs")
    lab.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "later"}})
    lab.until(lambda: lab.state("needs")[0] == "running", "it runs")


def test_containers_of_a_pod_share_its_network_and_not_their_processes_output(lab):
    lab.pod("pair", {"name": "web", "image": "nginx"},
            {"name": "side", "image": "curlimages/curl", "command": ["sleep", "100"]})
    lab.until(lambda: row(lab.netlab("get", "pods")[1], "pair")[1] == "2/2", "both are ready")
    code, out = lab.run("pair", "curl -s localhost", container="side")
    assert code == 0
    assert "nginx" in out
    assert lab.netlab("exec", "pair", "-c", "none", "--", "true")[0] == 4
    assert lab.netlab("logs", "pair")[2] == 'Defaulted container "web" out of: web, side\n'


@pytest.mark.parametrize(("probe", "mend", "told"), [
    ({"exec": {"command": ["cat", "/tmp/ok"]}}, "touch /tmp/ok", "cat: /tmp/ok: No such file or directory"),
    ({"tcpSocket": {"port": 9}}, "", "connect: connection refused"),
    ({"httpGet": {"port": 80, "path": "/missing"}}, "", "HTTP probe failed with statuscode: 404"),
])
def test_readiness_probes_of_all_kinds_hold_a_pod_back(lab, probe, mend, told):
    name = f"ready-{next(iter(probe)).lower()}"
    lab.pod(name, {"name": "c", "image": "nginx", "readinessProbe": probe | {"periodSeconds": 1}})
    lab.until(lambda: any(
        reason == "Unhealthy" and text.startswith("Readiness probe failed: ") and told in text
        for _, reason, text in lab.events(name)), "the failure is told")
    assert row(lab.netlab("get", "pods")[1], name)[1:3] == ["0/1", "Running"]
    if mend:
        assert lab.run(name, mend)[0] == 0
        lab.until(lambda: row(lab.netlab("get", "pods")[1], name)[1] == "1/1", "it is ready")


def test_a_failed_liveness_probe_restarts_the_container(lab):
    lab.pod("sick", {"name": "c", "image": "busybox", "command": [
        "sh", "-c", "touch /tmp/ok; trap 'exit 0' TERM; while :; do sleep 0.1; done"],
        "livenessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}})
    lab.until(lambda: lab.state("sick")[0] == "running", "it runs")
    assert lab.run("sick", "rm /tmp/ok")[0] == 0
    lab.until(lambda: lab.status("sick")["containerStatuses"][0]["restartCount"] == 1, "the restart")
    assert ("Normal", "Killing", "Container c failed liveness probe, will be restarted") in lab.events("sick")


def test_a_pre_stop_hook_comes_before_sigterm_and_a_deaf_program_is_killed(lab):
    lab.pod("polite", {"name": "c", "image": "busybox", "command": [
        "sh", "-c", "trap 'echo TERM; exit 0' TERM; while :; do sleep 0.05; done"],
        "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /tmp/hook; cat /tmp/hook"]}}}},
        terminationGracePeriodSeconds=10)
    lab.pod("deaf", "trap '' TERM; while :; do sleep 0.05; done")
    for name in ("polite", "deaf"):
        lab.until(lambda name=name: lab.state(name)[0] == "running", "it runs")
    assert lab.netlab("delete", "pod", "polite", "deaf")[:2] == (0, 'pod "polite" deleted\npod "deaf" deleted\n')
    for name in ("polite", "deaf"):
        assert lab.find(f"/api/v1/namespaces/default/pods/{name}") is None
        assert ("Normal", "Killing", "Stopping container c0" if name == "deaf" else "Stopping container c") \
            in lab.events(name)


def test_exec_gives_the_programs_exit_code(lab):
    lab.pod("shell", "sleep 100")
    lab.until(lambda: lab.state("shell")[0] == "running", "it runs")
    for script, code in (("true", 0), ("exit 9", 9), ("kill -9 $$", 137), ("nosuchprogram", 127)):
        assert lab.netlab("exec", "shell", "--", "sh", "-c", script)[0] == code
    assert lab.netlab("exec", "nopod", "--", "true")[0] == 4
    assert lab.netlab("exec", "shell")[0] == 2


def test_a_pod_that_fits_nowhere_says_why(lab):
    lab.pod("homeless", "sleep 1", nodeSelector={"disk": "ssd"})
    lab.until(lambda: lab.events("homeless"), "the event")
    kind, reason, text = lab.events("homeless")[0]
    assert (kind, reason) == ("Warning", "FailedScheduling")
    assert re.match(r"0/2 nodes are available: .*didn't match Pod's node affinity/selector", text)
    assert row(lab.netlab("get", "pods")[1], "homeless")[1:3] == ["0/1", "Pending"]
