import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import threading
import time

import pytest

from netlab.api.registry import Registry
from netlab.api.response import Response
from netlab.model.errors import ApiError, LabError
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import ObjectKey
from netlab.server.client import ApiClient
from netlab.server.http import ApiServer
from netlab.store import Store

NS = "/api/v1/namespaces/default"
CONFIGMAP = {"metadata": {"name": "a"}, "data": {"x": "y"}}


async def logs(wanted):
    if wanted.container == "refused":
        raise ApiError(400, "BadRequest", "no log")
    for number in range(wanted.tail_lines or 3):
        yield f"{wanted.pod} {number}\n".encode()


async def hello(request):
    if request.text("fail"):
        raise RuntimeError("boom")
    return Response(200, b"hello " + request.body, "text/plain")


class Running:
    """A server on a loop of its own thread; the registry may be touched by `do` only."""

    def __init__(self, directory, *, durable=False):
        self.path = directory / "api.sock"
        self.read_only = directory / "ro.sock"
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        store = self.wait(self._store(directory / "state.db")) if durable else Store()
        self.registry = self.do(Registry, store, LabSpec())
        self.server = ApiServer(self.registry, logs=logs, extra_routes={"/netlab/v1/hello": hello})
        self.wait(self.server.start(self.path))
        self.wait(self.server.start(self.read_only, read_only=True))

    async def _store(self, path):
        return Store(path)  # SQLite wants to be used by the thread that has opened it

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def do(self, function, *arguments, **options):
        async def call():
            return function(*arguments, **options)
        return self.wait(call())

    def raw(self, data, *, limit=5.0):
        """Everything that the server says to these bytes until it closes the connection."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit)
            connection.connect(str(self.path))
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stop(self):
        self.wait(self.server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path)
    yield running
    if not running.loop.is_closed():
        running.stop()


@pytest.fixture
def client(running):
    client = ApiClient(running.path, timeout=5)
    yield client
    client.close()


def eventually(condition, limit=5.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        threading.Event().wait(0.005)


def test_a_client_creates_reads_changes_and_deletes(client):
    made = client.json("POST", f"{NS}/configmaps", CONFIGMAP)
    assert client.get(f"{NS}/configmaps/a") == made
    client.json("PATCH", f"{NS}/configmaps/a", {"data": {"z": "1"}}, content_type="application/merge-patch+json")
    assert client.get(f"{NS}/configmaps")["items"][0]["data"] == {"x": "y", "z": "1"}
    client.json("DELETE", f"{NS}/configmaps/a")
    with pytest.raises(ApiError, match='configmaps "a" not found') as caught:
        client.get(f"{NS}/configmaps/a")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")


def test_one_connection_serves_many_requests(running, client):
    for _ in range(20):
        client.get("/version")
    assert running.do(lambda: len(running.server.connections)) == 1


def test_a_watch_follows_the_store(running, client):
    events = client.watch("/api/v1/configmaps", timeout=5)
    client.json("POST", f"{NS}/configmaps", CONFIGMAP)
    first = next(events)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
    client.json("DELETE", f"{NS}/configmaps/a")
    assert next(events)["type"] == "DELETED"
    events.close()
    eventually(lambda: running.do(lambda: len(running.server.connections)) == 1)
    assert running.do(lambda: sum(map(len, running.registry.store._subscribers.values()))) == 0


def test_a_watch_ends_after_its_timeout_and_the_connection_goes_on(running):
    target = f"GET {NS}/configmaps?watch=true&timeoutSeconds=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    version = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = running.raw((target + version).encode())
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.endswith(b"\r\n\r\nok")


def test_a_hundred_watchers_get_one_change(running, client):
    watchers = [ApiClient(running.path).watch("/api/v1/configmaps", timeout=10) for _ in range(100)]
    client.json("POST", f"{NS}/configmaps", CONFIGMAP)
    assert [next(events)["type"] for events in watchers] == ["ADDED"] * 100
    for events in watchers:
        events.close()


def test_a_watcher_that_does_not_read_costs_no_memory(running, client):
    with socket.socket(socket.AF_UNIX) as lazy:
        lazy.connect(str(running.path))
        lazy.sendall(f"GET {NS}/configmaps?watch=true HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        eventually(lambda: running.do(lambda: bool(running.registry.store._subscribers["configmaps"])))
        big = {"metadata": {"name": "big", "namespace": "default"}, "data": {"x": "y" * 500_000}}
        running.do(running.registry.create, "configmaps", big)
        for number in range(50):
            changed = big | {"data": {"x": "y" * 500_000, "n": str(number)}}
            running.do(running.registry.update, "configmaps", changed)
            client.get("/version")  # the server goes on
        kept = running.do(lambda: max(c._out.transport.get_write_buffer_size() for c in running.server.connections))
        assert kept < 4_000_000


def test_pipelined_requests_whose_answers_nobody_reads_cost_no_memory_and_are_answered_in_the_end(running):
    big = {"metadata": {"name": "big"}, "data": {"x": "y" * 500_000}}
    running.do(running.registry.create, "configmaps", big)
    request = f"GET {NS}/configmaps HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    last = f"GET {NS}/configmaps HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
    with socket.socket(socket.AF_UNIX) as lazy:
        lazy.settimeout(10)
        lazy.connect(str(running.path))
        lazy.sendall(request * 199 + last)
        eventually(lambda: running.do(lambda: any(c._waiting for c in running.server.connections)))
        kept = running.do(lambda: max(c._out.transport.get_write_buffer_size() for c in running.server.connections))
        assert kept < 2_000_000
        answers = b"".join(iter(lambda: lazy.recv(1 << 20), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == 200


def test_ten_thousand_events_reach_every_watcher_in_order(running):
    begin = running.do(lambda: running.registry.store.revision)
    path = f"/api/v1/configmaps?resourceVersion={begin}"
    watchers = [ApiClient(running.path).watch(path, timeout=60) for _ in range(4)]

    def burst():
        for number in range(10_000):
            running.registry.store.put(ObjectKey("configmaps", "default", f"c{number}"),
                                       {"metadata": {"name": f"c{number}", "namespace": "default"}})
    running.do(burst)
    for events in watchers:
        assert [int(next(events)["object"]["metadata"]["name"][1:]) for _ in range(10_000)] == list(range(10_000))
        events.close()


def test_logs_come_in_pieces_or_as_a_status(running, client):
    containers = [{"name": name, "image": "echo"} for name in ("c", "refused")]
    running.do(running.registry.create, "pods", {"metadata": {"name": "web"}, "spec": {"containers": containers}})
    running.do(running.registry.bind, "default", "web", "worker")
    states = [{"name": name, "state": {"running": {}}} for name in ("c", "refused")]
    running.do(running.registry.patch, "pods", "web", {"status": {"containerStatuses": states}}, namespace="default",
               subresource="status")
    assert b"".join(client.stream(f"{NS}/pods/web/log?container=c&tailLines=2")) == b"web 0\nweb 1\n"
    with pytest.raises(ApiError, match="no log"):
        list(client.stream(f"{NS}/pods/web/log?container=refused"))
    with pytest.raises(ApiError, match="a container name must be specified for pod web, choose one of"):
        list(client.stream(f"{NS}/pods/web/log"))


def test_extra_routes_are_served_and_their_bugs_told(client, capfd):
    assert client.request("POST", "/netlab/v1/hello", {"a": 1}) == b'hello {"a": 1}'
    with pytest.raises(ApiError, match="RuntimeError: boom"):
        client.request("GET", "/netlab/v1/hello?fail=1")
    assert "boom" in capfd.readouterr().err


def test_the_read_only_socket_only_reads(running, client):
    client.json("POST", f"{NS}/configmaps", CONFIGMAP)
    reader = ApiClient(running.read_only)
    assert reader.get(f"{NS}/configmaps/a")["data"] == {"x": "y"}
    assert next(reader.watch("/api/v1/configmaps", timeout=5))["type"] == "ADDED"
    for method, path in (("POST", f"{NS}/configmaps"), ("PUT", f"{NS}/configmaps/a"), ("PATCH", f"{NS}/configmaps/a"),
                         ("DELETE", f"{NS}/configmaps/a"), ("DELETE", f"{NS}/configmaps"), ("GET", "/netlab/v1/hello")):
        with pytest.raises(ApiError) as caught:
            reader.request(method, path, CONFIGMAP if method in ("POST", "PUT") else None)
        assert caught.value.code == 403
    reader.close()


def test_sockets_are_private_and_go_with_the_server(running):
    assert stat.S_IMODE(os.stat(running.path).st_mode) == 0o600
    running.stop()
    assert not running.path.exists()
    assert not running.read_only.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_respected(tmp_path, running):
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    running.wait(running.server.start(stale))
    assert ApiClient(stale).get("/version")
    with pytest.raises(LabError, match="a server listens at"):
        running.wait(running.server.start(running.path))
    plain = tmp_path / "file"
    plain.touch()
    with pytest.raises(LabError, match="is no socket"):
        running.wait(running.server.start(plain))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_users_of_the_machine_are_refused(running):
    os.chmod(running.path, 0o666)
    os.chmod(running.path.parent, 0o755)
    handle = os.open(running.path.parent, os.O_RDONLY)
    program = ("import os, socket, sys; s = socket.socket(socket.AF_UNIX); os.setuid(65534); "
               f"s.connect('/proc/self/fd/{handle}/api.sock'); "
               "print(s.recv(4096).decode())")
    try:
        found = subprocess.run([shutil.which("python3"), "-c", program], pass_fds=[handle], capture_output=True,
                               text=True,
                               timeout=10, check=False)
    finally:
        os.close(handle)
    assert found.stdout.startswith("HTTP/1.1 403 Forbidden"), found.stderr


@pytest.mark.parametrize(("data", "start"), [
    (b"zap\r\n\r\n", b"HTTP/1.1 400"), (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 400"),
    (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.1 413"),
    (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 431"),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b"HTTP/1.1 431"),
    (b"GET /?" + b"&".join([b"a=b"] * 300) + b" HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
    (b"GET /version HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
    (b"GET /version HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0", b"HTTP/1.1 200"),
    (b"HEAD /version HTTP/1.1\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200"),
])
def test_odd_bytes_get_one_answer_and_the_end(running, data, start):
    answer = running.raw(data)
    assert answer.startswith(start)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_chunked_bodies_and_pipelined_requests_are_answered_in_order(running):
    body = json.dumps(CONFIGMAP).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:])) + b"0\r\n\r\n"
    post = f"POST {NS}/configmaps HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks
    get = f"GET {NS}/configmaps/a HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
    answer = running.raw(post + get)
    assert answer.startswith(b"HTTP/1.1 201 Created")
    assert answer.count(b"HTTP/1.1 ") == 2


def test_a_client_that_waits_for_100_continue_gets_it(running):
    head = f"POST {NS}/configmaps HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(running.path))
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(4096).startswith(b"HTTP/1.1 422")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_speaks_to_it(running, tmp_path):
    def curl(*arguments):
        return subprocess.run(["curl", "-sS", "-i", "--unix-socket", running.path, *arguments], capture_output=True,
                              text=True,
                              timeout=20, check=True).stdout

    service = json.dumps({"metadata": {"name": "web"}, "spec": {"clusterIP": "None", "sessionAffinity": "ClientIP",
                                                                "ports": [{"port": 80}]}})
    made = curl("-d", service, "-H", "Content-Type: application/json", f"http://lab{NS}/services")
    assert "201 Created" in made
    assert 'Warning: 299 - "spec.SessionAffinity is ignored for headless services"' in made
    assert json.loads(curl(f"http://lab{NS}/services").split("\n\n", 1)[1])["kind"] == "ServiceList"
    big = tmp_path / "big"
    big.write_bytes(b"x" * 4_000_000)
    assert "413 Request Entity Too Large" in curl("--data-binary", f"@{big}", f"http://lab{NS}/services")
