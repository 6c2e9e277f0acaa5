"""The userspace mode's listeners in a netns: what becomes of connections when Services change."""

import os
import socket
import subprocess
import threading
from functools import partial

import pytest

from netlab.kernel import netns, sockets
from netlab.proxy.backends import Backend
from netlab.proxy.frontends import CLUSTER_IP, NODE_PORT, Frontend
from netlab.proxy.userspace import Listener, Userspace
from netlab.server.userspace import UserspaceTables

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
NAME = f"nltuser{os.getpid()}"


class Server:
    """Echoes in the netns until it is closed; "reset" resets the connection."""

    def __init__(self, protocol="TCP"):
        self.protocol = protocol
        self.socket = netns.visit(NAME, lambda: socket.socket(
            socket.AF_INET, socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM))
        self.socket.bind(("127.0.0.1", 0))
        self.backend = Backend(*self.socket.getsockname())
        if protocol == "TCP":
            self.socket.listen()
        threading.Thread(target=self._tcp if protocol == "TCP" else self._udp, daemon=True).start()

    def close(self):
        if self.protocol == "TCP" and self.socket.fileno() >= 0:
            self.socket.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self.socket.close()

    def _tcp(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            while data := client.recv(100):
                if data == b"reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    return
                client.sendall(data)

    def _udp(self):
        self.socket.settimeout(20)
        while True:
            try:
                self.socket.sendto(*self.socket.recvfrom(100))
            except OSError:
                return


@pytest.fixture
def node():
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    tables = UserspaceTables(NAME)
    try:
        subprocess.run(["ip", "-n", NAME, "link", "set", "lo", "up"], check=True)
        yield tables
    finally:
        tables.close()
        subprocess.run(["ip", "netns", "del", NAME], check=True)


@pytest.fixture
def server():
    made = Server()
    yield made
    made.close()


def web(name, *backends, protocol="TCP", node_port=0):
    rows = [Frontend(CLUSTER_IP, "10.96.0.50", 80, protocol, "Cluster")]
    rows += [Frontend(NODE_PORT, "", node_port, protocol, "Cluster")] if node_port else []
    return Listener(name, protocol, tuple(rows), backends)


def write(node, *listeners):
    """Writes them; the ports of the listeners, as the rules lead there."""
    node.replace(Userspace(listeners, "127.0.0.1", "IPv4"))
    text = subprocess.run(["ip", "netns", "exec", NAME, "iptables-legacy-save", "-t", "nat"], capture_output=True,
                          text=True, check=True).stdout
    found = [line for line in text.splitlines() if "-j REDIRECT" in line and "-d 10.96.0.50" in line]
    return [int(line.rpartition(" ")[2]) for line in found]


def connect(port, kind=socket.SOCK_STREAM):
    client = netns.visit(NAME, partial(socket.socket, socket.AF_INET, kind))
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    return client


def asks(client, text=b"?"):
    client.sendall(text)
    return client.recv(100)


def test_a_connection_goes_on_when_its_service_has_gone_and_new_ones_are_refused(node, server):
    (port,) = write(node, web("a/web", server.backend))
    with connect(port) as client:
        assert asks(client) == b"?"
        (other,) = write(node, web("a/web:http", server.backend))
        assert other != port
        assert asks(client) == b"?"
        with connect(other) as second:
            assert asks(second) == b"?"
        with pytest.raises(ConnectionRefusedError):
            connect(port)


def test_node_ports_come_and_go_and_connections_stay(node, server):
    (port,) = write(node, web("a/web", server.backend))
    with connect(port) as client:
        assert write(node, web("a/web", server.backend, node_port=30080)) == [port]
        assert connect(30080).close() is None
        assert write(node, web("a/web", server.backend, node_port=30081)) == [port]
        with pytest.raises(ConnectionRefusedError):
            connect(30080)
        assert asks(client) == b"?"


def test_a_node_port_goes_over_to_another_service_in_one_write(node, server):
    write(node, web("a/one", server.backend, node_port=30080), web("a/two", server.backend))
    write(node, web("a/one", server.backend), web("a/two", server.backend, node_port=30080))
    with connect(30080) as client:
        assert asks(client) == b"?"
    write(node, web("a/three", server.backend, node_port=30080))
    with connect(30080) as client:
        assert asks(client) == b"?"


def test_a_node_port_that_another_program_holds_is_taken_when_it_is_free(node, server):
    with sockets.listen(NAME, "0.0.0.0", 30080):
        write(node, web("a/web", server.backend, node_port=30080))
    write(node, web("a/web", server.backend, node_port=30080))
    with connect(30080) as client:
        assert asks(client) == b"?"


def test_a_reset_ends_the_connection_and_no_other_one(node, server):
    (port,) = write(node, web("a/web", server.backend))
    with connect(port) as staying:
        for _ in range(20):
            with connect(port) as client:
                client.sendall(b"reset")
                assert client.recv(100) == b""
        assert asks(staying) == b"?"


def test_the_end_of_the_proxy_ends_connections_of_services_that_have_gone_too(node, server):
    (port,) = write(node, web("a/web", server.backend))
    with connect(port) as client:
        assert asks(client) == b"?"
        write(node)
        assert asks(client) == b"?"
        node.close()
        assert client.recv(100) == b""


def test_datagrams_of_one_client_go_to_the_next_backend_when_theirs_is_gone(node):
    servers = Server("UDP"), Server("UDP")
    first, second = (web("a/dns", one.backend, protocol="UDP") for one in servers)
    (port,) = write(node, first)
    with connect(port, socket.SOCK_DGRAM) as client:
        for listener in (first, second) * 5:
            assert write(node, listener) == [port]
            assert asks(client) == b"?"
            client.sendall(b"!")  # whoever answers it, the answer comes
            write(node, second if listener is first else first)
            assert client.recv(100) == b"!"
    for one in servers:
        one.close()


def test_a_single_backend_that_refuses_is_tried_again_before_the_client_is_sent_away(node, server, monkeypatch):
    tries, make = [], sockets.tcp
    monkeypatch.setattr(sockets, "tcp", lambda *where: tries.append(where) or make(*where))
    server.close()
    (port,) = write(node, web("a/web", server.backend))
    with connect(port) as client:
        assert client.recv(100) == b""
    assert len(tries) == 4
