"""The daemon may die: pods, rules and DNS go on, and the next `up` adopts them as they are."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.topology import names
from tests.lab.traffic import Answer, echo

pytestmark = pytest.mark.lab
LAB = "adoption"

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: netlab/echo, readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: t, port: 80, nodePort: 30500}, {name: u, port: 81, targetPort: 80, protocol: UDP}]
---
apiVersion: v1
kind: Pod
metadata: {name: tools}
spec: {containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]}
"""


def kill_daemon(lab):
    pid = json.loads((names.run_dir(lab.name) / "daemon.json").read_text())[1]
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # ours only if this process started it
        os.waitpid(pid, 0)
    lab.until(lambda: not os.path.exists(f"/proc/{pid}"), "the daemon is dead", limit=5)


@pytest.fixture(autouse=True)
def up_again(lab):
    """The lab runs after each test, whatever happened."""
    yield
    Lab.up(lab.spec).settled()


def pods(lab):
    """What makes a pod the same pod: identity, place, and its containers' runs; in all namespaces."""
    return {(pod["metadata"]["namespace"], pod["metadata"]["name"], pod["metadata"]["uid"], pod["status"]["startTime"],
             pod["status"]["podIP"], json.dumps([(one["containerID"], one["restartCount"], one["state"], one["ready"])
                                                 for one in pod["status"]["containerStatuses"]]))
            for pod in lab.lab.api.get("/api/v1/pods")["items"]}


def counters(lab, node):
    """Each rule of a node with the packets that it has counted; a table that is written anew counts from 0."""
    text = subprocess.run(["ip", "netns", "exec", f"{lab.name}.{node}", "iptables-legacy-save", "-c"],
                          capture_output=True, text=True, check=True).stdout
    return {rule: int(count) for count, rule in re.findall(r"^\[(\d+):\d+\] (.*)$", text, re.MULTILINE)}


def test_connections_and_names_outlive_the_daemon_and_everything_is_adopted(lab):
    tools, address = lab.netns("pod tools"), lab.cluster_ip("web")
    kept = netns.visit(tools, lambda: socket.create_connection((address, 80), timeout=3))
    with kept, lab.load("pod tools", address, 80) as inside, \
            lab.load("client", lab.address("node worker"), 30500) as outside:
        lab.until(lambda: len(inside.pods()) == len(outside.pods()) == 3, "the load reaches all pods")
        before, rules = pods(lab), {node: counters(lab, node) for node in lab.spec.nodes}
        kill_daemon(lab)
        dead = time.monotonic()
        lab.until(lambda: len(inside.pods(dead)) == len(outside.pods(dead)) == 3, "all pods answer without a daemon")
        for name in ("web", "kubernetes.default"):
            subprocess.run(["ip", "netns", "exec", tools, "getent", "hosts", name], check=True, capture_output=True)
        Lab.up(lab.spec).settled()
        adopted = time.monotonic()
        lab.until(lambda: len(inside.pods(adopted)) == len(outside.pods(adopted)) == 3, "and with the next one")
        kept.sendall(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        assert kept.recv(100).startswith(b"HTTP/1.1 200")
        assert pods(lab) == before
        for node, found in rules.items():
            after = counters(lab, node)
            assert after.keys() == found.keys()
            assert all(after[rule] >= count for rule, count in found.items())
        assert sum(rules["worker"].values()) > 100
    assert inside.failures == outside.failures == []


def test_changes_after_the_adoption_take_effect(lab):
    kill_daemon(lab)
    Lab.up(lab.spec)
    lab.command("scale", "deployment/web", "--replicas=1")
    lab.until(lambda: sum(p["metadata"]["name"].startswith("web-") for p in lab.objects("pods")) == 1, "one is left")
    lab.lab.settled()
    assert len({lab.connect("pod tools", lab.cluster_ip("web"), 80, limit=3).pod for _ in range(20)}) == 1
    lab.command("scale", "deployment/web", "--replicas=3")
    lab.until(lab.all_ready, "three again")
    lab.lab.settled()
    assert len({lab.connect("pod tools", lab.cluster_ip("web"), 80, limit=3).pod for _ in range(60)}) == 3


def test_what_broke_while_the_daemon_was_dead_is_mended(lab):
    victim = next(pod["metadata"] for pod in lab.objects("pods") if pod["metadata"]["name"].startswith("web-"))
    kill_daemon(lab)
    subprocess.run(["ip", "netns", "exec", f"{lab.name}.worker", "iptables-legacy", "-t", "nat", "-F"], check=True)
    for pid in workloads_of(lab.netns(f"pod {victim['name']}")):
        os.kill(pid, signal.SIGKILL)
    Lab.up(lab.spec)

    def mended():
        return lab.all_ready() and restarts(lab, victim["name"]) == 1

    lab.until(mended, "the container runs again")
    lab.lab.settled()
    assert isinstance(lab.connect("client", lab.address("node worker"), 30500, limit=3), Answer)


def test_objects_written_just_before_the_daemon_dies_are_there(lab):
    lab.command("apply", "-f", "-", text="{apiVersion: v1, kind: ConfigMap, metadata: {name: late}, data: {a: b}}")
    kill_daemon(lab)
    Lab.up(lab.spec)
    assert lab.object("configmaps", "late")["data"] == {"a": "b"}


def test_a_udp_client_goes_on_through_it_all(lab):
    client = netns.visit(lab.netns("pod tools"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:
        client.settimeout(1)
        client.connect((lab.cluster_ip("web"), 81))
        pod = echo(client).pod
        kill_daemon(lab)
        assert echo(client).pod == pod
        Lab.up(lab.spec).settled()
        assert echo(client).pod == pod


def restarts(lab, name):
    return lab.object("pods", name)["status"]["containerStatuses"][0]["restartCount"]


def workloads_of(network):
    """The processes of a pod's netns that are not its init."""
    inode = os.stat(netns.path(network)).st_ino
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read()
            if os.stat(f"/proc/{entry}/ns/net").st_ino == inode and b"pod init" not in command:
                found.append(int(entry))
        except OSError:
            continue
    assert found, "nothing runs in the pod"
    return found
