"""Ways out of the cluster, host ports, pods on the host network: real connections, and iptables as if nothing was."""

import contextlib
import socket
import threading

import pytest

from netlab.kernel import netns
from netlab.netfilter import parse, render
from tests.lab.in_lab import REFUSED
from tests.lab.traffic import Answer

pytestmark = pytest.mark.lab
LAB = "podnet"
MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: held}
spec:
  nodeName: worker
  containers:
  - name: c
    image: netlab/echo
    ports:
    - {containerPort: 80, hostPort: 8080}
    - {containerPort: 80, hostPort: 8081, protocol: UDP}
    - {containerPort: 80, hostPort: 8082, hostIP: 127.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: other}
spec: {nodeName: worker2, containers: [{name: c, image: netlab/echo}]}
---
apiVersion: v1
kind: Pod
metadata: {name: onhost}
spec: {nodeName: control-plane, hostNetwork: true, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 8088}]}]}
"""  # noqa: E501


@contextlib.contextmanager
def listening(lab):
    """A server at the client outside; gives its port and the addresses that it has seen."""
    server = netns.visit(lab.netns("client"), lambda: socket.create_server(("0.0.0.0", 0)))
    seen = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, address = server.accept()
                seen.append(address[0])
                connection.sendall(b"hello")
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], seen
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def ask(lab, who, port):
    client = netns.visit(lab.netns(who), lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    with client:
        client.settimeout(10)
        client.connect((lab.address("client"), port))
        return client.recv(100)


def test_a_pod_reaches_the_client_outside_with_its_nodes_address(lab):
    with listening(lab) as (port, seen):
        assert ask(lab, "pod other", port) == b"hello"
        assert seen == [lab.address("node worker2")]


@pytest.mark.parametrize("who", ["client", "node worker", "node worker2", "pod other", "pod held"])
@pytest.mark.parametrize(("port", "protocol"), [(8080, "TCP"), (8081, "UDP")])
def test_a_host_port_leads_to_the_pod(lab, who, port, protocol):
    answer = lab.connect(who, lab.address("node worker"), port, protocol, limit=5)
    assert isinstance(answer, Answer), answer
    assert answer.pod == "held"
    if who in ("client", "pod other"):
        assert answer.client == lab.address(who)


def test_a_host_port_is_the_pods_own_nodes_only(lab):
    assert lab.connect("client", lab.address("node worker2"), 8080) == REFUSED


def test_a_host_port_at_loopback_is_for_its_node(lab):
    assert lab.connect("node worker", "127.0.0.1", 8082, limit=5).pod == "held"
    assert lab.connect("client", lab.address("node worker"), 8082) == REFUSED


def test_a_pod_on_the_host_network_has_the_nodes_address(lab):
    node = lab.address("node control-plane")
    assert lab.object("pods", "onhost")["status"]["podIP"] == node
    assert lab.connect("client", node, 8088, limit=5).pod == "onhost"
    assert lab.connect("pod other", node, 8088, limit=5) == Answer("onhost", f"{node}:8088", lab.address("pod other"))


def test_iptables_shows_kube_proxys_rules_only(lab):
    text = lab.lab.rules("worker")
    assert "8080" not in text
    assert render(parse(text)) == text


def test_a_table_that_somebody_removed_comes_back(lab):
    lab.execute("worker", "nft", "delete", "table", "inet", "cni")
    assert lab.connect("client", lab.address("node worker"), 8080) == REFUSED
    lab.command("apply", "-f", "-", text=MANIFESTS.split("---")[0].replace("held", "more").replace("808", "809"))
    try:
        lab.until(lambda: isinstance(lab.connect("client", lab.address("node worker"), 8080), Answer), "it is repaired")
        lab.until(lambda: isinstance(lab.connect("client", lab.address("node worker"), 8090), Answer), "and has more")
    finally:
        lab.command("delete", "pod", "more")
    lab.until(lambda: lab.connect("client", lab.address("node worker"), 8090) == REFUSED, "it goes with its pod")
