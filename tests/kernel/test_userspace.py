"""The userspace mode's own sockets: connections that outlive their Service, and backends that do not answer."""

import os
import socket

import pytest

from netlab.kernel import netns
from netlab.proxy import MODES
from netlab.proxy.snapshot import Snapshots
from tests.kernel.service_net import ServiceNet
from tests.proxy import flows
from tests.proxy.manifests import endpoint_slice, port, service

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
PORT, ADDRESS, CLIENT = 9090, "10.96.45.60", "10.244.1.5"
LIMIT = 10


@pytest.fixture(scope="module")
def net():
    with ServiceNet() as made:
        yield made


@pytest.fixture
def tables(net):
    yield net.tables_of["userspace"]["n1"]
    net.tables_of["userspace"]["n1"].close()
    net.tables_of["userspace"]["n1"].replace(compiled())


def compiled(*ends, node_port=0):
    ports = [{"name": "", "port": PORT, "protocol": "TCP"}]
    kind = "NodePort" if node_port else "ClusterIP"
    services = [service("kept", ADDRESS, port(node_port=node_port), type=kind)] if ends else []
    services.append(service("other", "10.96.45.61"))  # without any rule that translates, the kernel tracks nothing
    slices = [endpoint_slice("kept", *map(flows.at, ends), ports=ports)]
    return MODES["userspace"](Snapshots().take(services, slices), flows.view("n1"))


def server(net, pod):
    made = netns.visit(net.names[pod], socket.socket)
    made.bind((pod, PORT))
    made.listen()
    made.settimeout(LIMIT)
    return made


def connected(net):
    client = netns.visit(net.names[CLIENT], socket.socket)
    client.settimeout(LIMIT)
    client.connect((ADDRESS, 80))
    return client


def test_connections_do_not_end_with_their_service_but_with_the_proxy(net, tables):
    tables.replace(compiled(flows.A))
    with server(net, flows.A) as listening, connected(net) as client:
        behind, _ = listening.accept()
        with behind:
            behind.settimeout(LIMIT)
            for then in (compiled(flows.A, node_port=30099), compiled()):  # the Service changes, then it is gone
                tables.replace(then)
                client.sendall(b"still")
                assert behind.recv(100) == b"still"
                behind.sendall(b"there")
                assert client.recv(100) == b"there"
            assert net.connect(CLIENT, ADDRESS, 80, "TCP") == flows.DROP
            tables.close()
            assert client.recv(100) == b""


def test_the_next_backend_is_tried_when_one_refuses_and_one_alone_is_tried_again(net, tables):
    tables.replace(compiled(flows.A, flows.C))
    with server(net, flows.C) as listening:
        for _ in range(3):
            with connected(net) as client:
                client.sendall(b"?")
                behind, _ = listening.accept()
                behind.close()
    tables.replace(compiled(flows.A))
    with connected(net) as client:
        assert client.recv(100) == b""  # accepted, tried four times, closed
