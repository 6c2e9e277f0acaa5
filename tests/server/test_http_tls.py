"""The API by TLS: what becomes of garbage, of who has no credential, and of connections that are handed over."""

import contextlib
import random
import re
import shutil
import socket
import ssl

import pytest

from netlab.kernel import keys
from netlab.server import tls
from netlab.server.door import Door
from netlab.server.streams import Takeover
from tests.server.hostile import request_of
from tests.server.test_http import CONFIGMAP, NS, Running, eventually

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
TOKEN = "tester's"
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


class Echo:
    """In the place of the pods' streams: whoever upgrades gets back what he sends."""

    def open(self, request, wanted):
        async def serve(reader, writer):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        return Takeover(HEAD, serve)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys") / "pki"
    keys.make(directory, ["localhost", "127.0.0.1"])
    return directory


@pytest.fixture
def running(tmp_path, pki):
    running = Running(tmp_path)
    running.server.streams = Echo()
    listener = socket.create_server(("127.0.0.1", 0))
    running.port = listener.getsockname()[1]
    door = Door(running.registry, token=TOKEN, hosts=["localhost"])
    running.wait(running.server.start_tls(listener, tls.context(pki / "server.crt", pki / "server.key"), door))
    running.trust = ssl.create_default_context(cafile=pki / "ca.crt")
    yield running
    running.stop()


def connect(running):
    made = socket.create_connection(("127.0.0.1", running.port), 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return running.trust.wrap_socket(made, server_hostname="localhost")


def some(connection):
    data = connection.recv(1 << 16)
    assert data, "the connection has ended"
    return data


def everything(connection):
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        return b"".join(iter(lambda: connection.recv(1 << 20), b""))
    return b""


def test_an_upgraded_connection_gets_every_byte_that_came_with_its_request_and_after_it(running):
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "echo"}]}}
    running.do(running.registry.create, "pods", pod)
    running.do(running.registry.bind, "default", "web", "worker")
    running.do(running.registry.patch, "pods", "web", {"status": {"containerStatuses": [
        {"name": "c", "state": {"running": {}}}]}}, namespace="default", subresource="status")
    early, late = random.Random(1).randbytes(9_000), random.Random(2).randbytes(1_000_000)
    with connect(running) as connection:
        connection.sendall(f"POST {NS}/pods/web/exec?command=x&stdin=1&stdout=1 HTTP/1.1\r\nHost: localhost\r\n"
                           f"Authorization: Bearer {TOKEN}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode()
                           + early)
        answer = b""
        for place in range(0, len(late), 50_000):
            connection.sendall(late[place:place + 50_000])
            answer += some(connection)
        while len(answer) < len(HEAD) + len(early) + len(late):
            answer += some(connection)
    assert answer == HEAD + early + late
    eventually(lambda: running.do(lambda: len(running.server.connections)) == 0)


def test_nobody_without_the_credential_changes_or_reads_anything(running, capfd):
    chance = random.Random(3)
    running.do(running.registry.create, "configmaps", {"metadata": {"name": "precious"}, "data": {"word": "s3cret"}},
               namespace="default")
    before = running.registry.store.revision
    wrong = ["", "Authorization: Bearer \r\n", "Authorization: Bearer x\r\n", f"Authorization: Basic {TOKEN}\r\n",
             f"Authorization: Bearer {TOKEN}x\r\n", "Impersonate-User: system:admin\r\n", "X-Remote-User: admin\r\n",
             "Authorization: Bearer \xff\r\n", f"Cookie: token={TOKEN}\r\n", f"Authorization: {TOKEN}\r\n"]
    for number in range(60):
        data = request_of(chance).replace(b"Host: lab\r\n", f"Host: localhost\r\n{wrong[number % 10]}".encode(), 1)
        with connect(running) as connection:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                connection.sendall(data)
            answer = everything(connection)
        codes = {int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)}
        assert not {code for code in codes if code >= 500 or code in (201, 101)}, (data[:500], answer[:500])
        assert b"s3cret" not in answer
        assert b"precious" not in answer
    assert running.registry.store.revision == before
    with connect(running) as connection:  # the one with the credential still can
        connection.sendall(f"GET {NS}/configmaps HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           f"Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert b"s3cret" in everything(connection)
    quiet(running, capfd)


def test_what_is_no_tls_and_handshakes_that_end_early_disturb_nobody(running, capfd):
    chance = random.Random(4)
    hello = ssl.MemoryBIO()
    half = running.trust.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        half.do_handshake()
    hello = hello.read()
    for number in range(60):
        data = [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", chance.randbytes(chance.randrange(1, 5000)),
                hello[:chance.randrange(1, len(hello))], hello, hello + chance.randbytes(100),
                hello[:20] + chance.randbytes(len(hello) - 20)][number % 6]
        with socket.create_connection(("127.0.0.1", running.port), 10) as connection:
            connection.sendall(data)
            if number % 2:
                connection.shutdown(socket.SHUT_WR)
                everything(connection)
    with connect(running) as connection:
        connection.sendall(f"POST {NS}/configmaps HTTP/1.1\r\nHost: localhost\r\nContent-Length: 28\r\n"
                           f"Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
                           '{"metadata": {"name": "a"}} '.encode())
        assert everything(connection).startswith(b"HTTP/1.1 201"), CONFIGMAP
    quiet(running, capfd)


def quiet(running, capfd):
    eventually(lambda: running.do(lambda: len(running.server.connections)) == 0)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
