"""Probes over loopback: the netns of the machine stands in for the node's."""

import asyncio
import contextlib
import socket
import threading

import pytest

from netlab.controllers.kubelet import probing
from netlab.controllers.kubelet.launching import is_interactive
from netlab.controllers.kubelet.probes import probes_of
from netlab.workloads.http import Response
from netlab.workloads.serving import Server


@pytest.fixture(autouse=True)
def _own_netns(monkeypatch):
    def tcp(netns, family=socket.AF_INET):
        return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    monkeypatch.setattr(probing.sockets, "tcp", tcp)


@contextlib.contextmanager
def serving(code=200):
    seen = []
    server = Server()
    server.http(0, lambda request: seen.append(request) or Response("x", code), "127.0.0.1")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.ports()[0], seen
    finally:
        server.stop()
        thread.join(5)


def attempt(**target):
    container = {"name": "c", "ports": target.pop("ports", ()), "livenessProbe": target}
    (one,) = probes_of(container).values()
    return asyncio.run(probing.probe(one, container, netns="", address="127.0.0.1", handle=lambda: None))


@pytest.mark.parametrize(("code", "outcome"), [
    (200, True), (302, True), (399, True), (404, False), (500, False),
])
def test_an_http_probe_takes_200_to_399(code, outcome):
    with serving(code) as (port, _):
        success, text = attempt(httpGet={"port": port})
    assert success is outcome
    assert outcome or text == f"HTTP probe failed with statuscode: {code}"


def test_an_http_probe_asks_as_the_kubelet_does():
    with serving() as (port, seen):
        attempt(httpGet={"port": "web", "path": "/up?a=b", "httpHeaders": [{"name": "Host", "value": "h"}]},
                ports=[{"name": "web", "containerPort": port}])
    assert (seen[0].target, seen[0].header("user-agent"), seen[0].header("host")) == ("/up?a=b", "kube-probe/1.33", "h")


def test_what_does_not_listen_is_refused_in_gos_words():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert attempt(tcpSocket={"port": port}) == \
            (False, f"dial tcp 127.0.0.1:{port}: connect: connection refused")
        assert attempt(httpGet={"port": port}) == \
            (False, f'Get "http://127.0.0.1:{port}/": dial tcp 127.0.0.1:{port}: connect: connection refused')


def test_what_does_not_answer_in_time_fails():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert attempt(tcpSocket={"port": port}) == (True, "")
        assert attempt(httpGet={"port": port}, timeoutSeconds=0.05) == (
            False, f'Get "http://127.0.0.1:{port}/": context deadline exceeded '
                   "(Client.Timeout exceeded while awaiting headers)")


def test_a_port_name_that_there_is_not_is_said():
    assert attempt(httpGet={"port": "web"}) == (False, 'couldn\'t find port: "web"')


@pytest.mark.parametrize(("argv", "waits"), [
    (("sh",), True), (("/bin/bash", "-l"), True), (("sh", "-c", "sleep 9"), False), (("nslookup", "web"), False),
    (("sleep", "infinity"), False), (("python3", "x.py"), False),
])
def test_only_bare_shells_wait_for_somebody_to_attach(argv, waits):
    assert is_interactive({"stdin": True, "tty": True}, argv) is waits
    assert is_interactive({"stdin": True}, argv) is waits
    assert not is_interactive({"tty": True}, argv)


def test_what_kubectl_run_starts_with_stdin_waits_for_it():
    assert is_interactive({"stdin": True, "stdinOnce": True}, ("nslookup", "web"))
    assert not is_interactive({"stdinOnce": True}, ("nslookup", "web"))
