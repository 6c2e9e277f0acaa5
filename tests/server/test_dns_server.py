"""The DNS server as a process, with an API that the test plays, asked by dig and by raw sockets."""

import contextlib
import json
import os
import queue
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from dnslib import DNSHeader, DNSQuestion, DNSRecord

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PATHS = {"/api/v1/namespaces": "namespaces", "/api/v1/services": "services",
         "/apis/discovery.k8s.io/v1/endpointslices": "endpointslices"}

# Every import after the module's own is refused: in a pod there is no Python to load from.
PROGRAM = """
import os, sys
import netlab.server.dns as dns
class Refused:
    def find_spec(self, name, path=None, target=None):
        os.write(2, f"imported too late: {name}\\n".encode())
        raise ImportError(name)
sys.meta_path.insert(0, Refused())
status = dns.main(sys.argv[1:])
sys.meta_path.pop(0)
os._exit(status)
"""


class FakeApi:
    """Lists and watches over a unix socket, as the real server sends them; told what to hold by the test."""

    def __init__(self, path):
        self.path = path
        self.objects = {"namespaces": {}, "services": {}, "endpointslices": {}}
        self.revision = 1
        self.lists = 0
        self.watches = []  # (resource, queue of events, socket)
        self.lock = threading.Lock()
        self.listener = None

    def start(self):
        Path(self.path).unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As when the daemon is killed: no new connections, and the present ones end."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            watches, self.watches = self.watches, []
        for _, events, _ in watches:
            events.put(None)

    def put(self, resource, manifest, *, silently=False):
        with self.lock:
            self.revision += 1
            manifest["metadata"]["resourceVersion"] = str(self.revision)
            key = (manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
            kind = "MODIFIED" if key in self.objects[resource] else "ADDED"
            self.objects[resource][key] = manifest
            if not silently:
                self._send(resource, kind, manifest)

    def delete(self, resource, name, namespace="default"):
        with self.lock:
            self._send(resource, "DELETED", self.objects[resource].pop((namespace, name)))

    def send_error(self, resource):
        with self.lock:
            self._send(resource, "ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})

    def _send(self, resource, kind, manifest):
        for watched, events, _ in self.watches:
            if watched == resource:
                events.put({"type": kind, "object": manifest})

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client, client.makefile("rb") as lines:  # who asks may end at any moment
            while first := lines.readline():
                while lines.readline() not in (b"\r\n", b""):
                    pass
                path, _, query = first.split()[1].decode().partition("?")
                resource = PATHS[path]
                if "watch=true" in query:
                    self._watch(client, resource)
                    return
                with self.lock:
                    self.lists += 1
                    body = json.dumps({"metadata": {"resourceVersion": str(self.revision)},
                                       "items": list(self.objects[resource].values())}).encode()
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def _watch(self, client, resource):
        events = queue.Queue()
        with self.lock:
            self.watches.append((resource, events, client))
        try:
            client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while event := events.get():
                line = json.dumps(event).encode() + b"\n"
                client.sendall(b"%x\r\n%s\r\n" % (len(line), line))
        except OSError:
            return  # the server under test has gone


def namespace(name="default"):
    return {"metadata": {"name": name}}


def service(name, ip):
    return {"metadata": {"name": name, "namespace": "default"},
            "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}}


def slice_of(name, *addresses):
    return {"metadata": {"name": f"{name}-x", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [{"addresses": [address]} for address in addresses],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}


def free_ports(count):
    """Ports that are free for TCP and UDP."""
    held, ports = [], []
    while len(ports) < count:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        held += [tcp, udp]
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            continue
        ports.append(tcp.getsockname()[1])
    for each in held:
        each.close()
    return ports


def until(condition, what, limit=5.0):
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {limit} s"
        select.select([], [], [], 0.002)
    return found


COREFILE = """.:{port} {{
    errors
    health :{health} {{
        lameduck 50ms
    }}
    ready :{ready}
    prometheus :{metrics}
    kubernetes cluster.local 10.96.0.0/12 10.244.0.0/16 {{
        pods insecure
        ttl 30
    }}
    {extra}
    reload
    loadbalance
}}
"""


class Server:
    """A DNS server process on loopback; `extra` is put into its Corefile."""

    def __init__(self, socket_path, extra="", text=COREFILE):
        self.corefile = Path(f"{socket_path}.Corefile")
        self.said = b"bind: address already in use"
        while b"address already in use" in self.said:  # by somebody who asked for any port meanwhile
            self.port, self.ready_port, self.health_port, self.metrics_port = free_ports(4)
            self.write(extra, text)
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "--api-socket", str(socket_path), "-conf", str(self.corefile)],
                cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                bufsize=0)
            self.said = self.process.stdout.readline()  # the ports are taken before anything is said

    def write(self, extra="", text=COREFILE):
        """Makes the Corefile another one."""
        new = self.corefile.with_suffix(".new")
        new.write_text(text.format(port=self.port, ready=self.ready_port, health=self.health_port,
                                   metrics=self.metrics_port, extra=extra))
        new.rename(self.corefile)

    def until_said(self, *texts):
        """Waits for a line in the log that has one of the texts."""
        def said():
            if select.select([self.process.stdout], [], [], 0)[0]:
                self.said += os.read(self.process.stdout.fileno(), 65536)
            return any(text.encode() in self.said for text in texts)

        try:
            until(said, f"the log says {texts}", 20)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says:\n{self.said.decode()}") from None

    def udp(self, data, limit=5.0):
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(limit)
            client.connect(("127.0.0.1", self.port))
            client.send(data)
            return client.recv(65535)

    def rcode(self, name):
        return DNSRecord.parse(self.udp(question(name))).header.rcode

    def addresses(self, name):
        return [str(rr.rdata) for rr in DNSRecord.parse(self.udp(question(name))).rr]

    def http(self, port, path):
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            with client.makefile("rb") as answer:
                head, _, body = answer.read().decode().partition("\r\n\r\n")
        return int(head.split()[1]), body

    def end(self):
        """(exit code, stdout, stderr) after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, (self.said + out).decode(), err.decode()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=10)


def question(name, ident=4711):
    return bytes(DNSRecord(DNSHeader(id=ident, bitmap=0x0100), q=DNSQuestion(name)).pack())


@pytest.fixture
def api(tmp_path):
    made = FakeApi(tmp_path / "api.sock")
    made.put("namespaces", namespace())
    made.put("services", service("web", "10.96.0.5"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def server(api):
    made = Server(api.path)
    until(lambda: made.http(made.ready_port, "/ready")[0] == 200, "ready")
    yield made
    made.kill()


WEB = "web.default.svc.cluster.local"
NEW = "new.default.svc.cluster.local"


def test_the_view_follows_the_api(api, server):
    assert server.addresses(WEB) == ["10.96.0.5"]
    assert server.rcode(NEW) == 3
    until(lambda: len(api.watches) == 3, "all watched")
    began = time.monotonic()
    api.put("services", service("new", "10.96.0.6"))
    until(lambda: server.addresses(NEW) == ["10.96.0.6"], "the new Service")
    assert time.monotonic() - began < 1
    api.put("services", service("new", "10.96.0.7"))
    until(lambda: server.addresses(NEW) == ["10.96.0.7"], "the changed Service")
    api.delete("services", "new")
    until(lambda: server.rcode(NEW) == 3, "the deleted Service")
    api.put("services", service("db", "None"))
    api.put("endpointslices", slice_of("db", "10.244.1.1", "10.244.1.2", "10.244.1.3"))
    until(lambda: len(server.addresses("db.default.svc.cluster.local")) == 3, "the endpoints")
    firsts = {server.addresses("db.default.svc.cluster.local")[0] for _ in range(6)}
    assert firsts == {"10.244.1.1", "10.244.1.2", "10.244.1.3"}


def test_answers_go_on_while_the_api_is_away_and_follow_it_when_it_is_back(api, server):
    until(lambda: len(api.watches) == 3, "all watched")
    api.stop()
    assert server.addresses(WEB) == ["10.96.0.5"]
    assert server.http(server.ready_port, "/ready") == (200, "OK")
    api.delete("services", "web")
    api.put("services", service("new", "10.96.0.6"))
    api.start()
    until(lambda: server.addresses(NEW) == ["10.96.0.6"], "what was written meanwhile")
    assert server.rcode(WEB) == 3


def test_an_error_event_makes_it_list_again(api, server):
    until(lambda: len(api.watches) == 3, "all watched")
    api.put("services", service("new", "10.96.0.6"), silently=True)  # lies before what the watch can tell
    api.send_error("services")
    until(lambda: server.addresses(NEW) == ["10.96.0.6"], "what only a list can tell")


def test_without_an_api_it_is_alive_but_not_ready_and_says_servfail(tmp_path):
    server = Server(tmp_path / "none.sock")
    try:
        assert server.rcode(WEB) == 2
        assert server.http(server.ready_port, "/ready") == (503, "kubernetes")
        assert server.http(server.health_port, "/health") == (200, "OK")
        assert server.http(server.health_port, "/other")[0] == 404
        code, out, err = server.end()
        assert (code, err) == (0, "")
        assert out.startswith(f".:{server.port}\n[INFO] plugin/reload: Running configuration SHA512 = ")
        assert '[INFO] plugin/ready: Plugins not ready: "kubernetes"\n' in out
    finally:
        server.kill()


def test_tcp_takes_several_queries_on_one_connection_and_pieces_of_them(server):
    with socket.create_connection(("127.0.0.1", server.port), 5) as client, client.makefile("rb") as answers:
        two = b"".join(struct.pack("!H", len(data)) + data for data in (question(WEB, 1), question(NEW, 2)))
        client.sendall(two[:20])
        assert server.addresses(WEB) == ["10.96.0.5"]  # a slow client keeps nobody else waiting
        with socket.create_connection(("127.0.0.1", server.port), 5) as other, other.makefile("rb") as swift:
            other.sendall(struct.pack("!H", len(question(WEB))) + question(WEB))
            assert swift.read(2)
        client.sendall(two[20:])
        got = [DNSRecord.parse(answers.read(int.from_bytes(answers.read(2), "big"))) for _ in range(2)]
        assert [(g.header.id, g.header.rcode) for g in got] == [(1, 0), (2, 3)]
        client.sendall(b"\x00\x03abc")  # not even a header: the connection ends
        assert answers.read() == b""


def test_malformed_packets_do_no_harm(server):
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.port))
        for data in (b"", b"\x00", question(WEB)[:11], bytes(4096), b"\xff" * 5000,
                     question(WEB)[:12] + b"\xc0\x0c" * 900):
            client.send(data)
    assert server.addresses(WEB) == ["10.96.0.5"]
    code, _, err = server.end()
    assert (code, err) == (0, "")


@pytest.mark.skipif(not shutil.which("dig"), reason="dig is not installed (package bind9-dnsutils)")
@pytest.mark.parametrize(("args", "expected"), [
    (["+short", WEB], "10.96.0.5"),
    (["+short", "+tcp", WEB], "10.96.0.5"),
    (["+short", "-x", "10.96.0.5"], f"{WEB}."),
    (["+noall", "+answer", "+additional", "SRV", f"_http._tcp.{WEB}"],
     f"_http._tcp.{WEB}. 30\tIN SRV\t0 100 80 {WEB}.\n{WEB}. 30 IN\tA\t10.96.0.5"),
    (["+noall", "+comments", "+nocookie", "www.example.com"], "status: SERVFAIL"),
    (["+noall", "+comments", NEW], "status: NXDOMAIN"),
    (["+noall", "+comments", WEB], "flags: qr aa rd;"),
])
def test_dig_prints(server, args, expected):
    out = subprocess.run(["dig", "@127.0.0.1", "-p", str(server.port), "+time=2", "+tries=1", *args],
                         capture_output=True, text=True, check=True, timeout=20).stdout
    assert " ".join(expected.split()) in " ".join(out.split())


def test_wrong_flags_and_taken_ports_are_said(tmp_path):
    (port,) = free_ports(1)
    (tmp_path / "Corefile").write_text(f".:{port} {{\n errors\n}}\n")
    (tmp_path / "Wrong").write_text(".:53 {\n errors\n foo\n}\n")
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", port))
        for flags, code, text in (
                (["-conf", f"{tmp_path}/Corefile"], 1, f"listen udp :{port}: bind: address already in use"),
                (["-conf", f"{tmp_path}/Wrong"], 1,
                 f"{tmp_path}/Wrong:3 - Error during parsing: Unknown directive 'foo'"),
                (["-conf=/gone"], 1, "loading Caddyfile via flag: open /gone: no such file or directory"),
                (["--nonsense", "1"], 2, "flag provided but not defined: --nonsense"),
                (["-conf"], 2, "flag needs an argument: -conf")):
            done = subprocess.run([sys.executable, "-c", PROGRAM, *flags], cwd=ROOT, capture_output=True, text=True,
                                  timeout=20, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
            assert (done.returncode, done.stderr) == (code, "")
            assert text in done.stdout


def test_importing_the_server_is_cheap():
    script = "import sys, netlab.server.dns; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=20,
                         env=os.environ | {"PYTHONPATH": str(ROOT)}).stdout
    assert not {"asyncio", "ssl", "yaml", "logging", "iptc", "pyroute2", "http.client"} & set(out.split())
