"""The DNS server and its Corefile: other servers, metrics, the query log, edits. Processes and sockets on loopback."""

import os
import re
import signal
import socket
import struct
import threading

import pytest
from dnslib import QTYPE, RCODE, RR, TXT, A, DNSHeader, DNSQuestion, DNSRecord
from test_dns_server import WEB, FakeApi, Server, free_ports, namespace, question, service, until

pytestmark = pytest.mark.slow


class Upstream:
    """Another DNS server, over UDP and TCP: www is an address, big is only whole over TCP, mute has no answer."""

    def __init__(self):
        (self.port,) = free_ports(1)
        self.udp, self.tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for each in (self.udp, self.tcp):
            each.bind(("127.0.0.1", self.port))
        self.tcp.listen()
        self.asked = []
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _answer(self, data, transport):
        asked = DNSRecord.parse(data)
        name = str(asked.q.qname)
        self.asked.append((transport, name, QTYPE.get(asked.q.qtype)))
        reply = asked.reply(ra=1, aa=0)
        if name.startswith("mute"):
            return None
        if name.startswith("big") and transport == "udp":
            reply.header.tc = 1
        elif name.startswith(("www", "big")):
            reply.add_answer(RR(name, QTYPE.A, rdata=A("192.0.2.80"), ttl=300))
        elif name.startswith("text"):
            reply.add_answer(RR(name, QTYPE.TXT, rdata=TXT([b"one", b"two"]), ttl=60))
        elif name != ".":
            reply.header.rcode = RCODE.NXDOMAIN
        return reply.pack()

    def _serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(4096)
                if not data:
                    return  # shut down
                if answer := self._answer(data, "udp"):
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                size = int.from_bytes(stream.read(2), "big")
                if answer := self._answer(stream.read(size), "tcp"):
                    client.sendall(struct.pack("!H", len(answer)) + answer)

    def close(self):
        for each in (self.udp, self.tcp):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.close()


@pytest.fixture
def serve(tmp_path):
    """Starts a server with something more in its Corefile."""
    api = FakeApi(tmp_path / "api.sock")
    api.put("namespaces", namespace())
    api.put("services", service("web", "10.96.0.5"))
    api.start()
    started = []

    def start(extra="", **more):
        started.append(Server(api.path, extra, **more))
        until(lambda: started[-1].http(started[-1].ready_port, "/ready")[0] == 200, "ready")
        return started[-1]

    yield start
    for server in started:
        server.kill()
    api.stop()


def asked(server, name, kind="A", *, tcp=False, ident=4711):
    data = bytes(DNSRecord(DNSHeader(id=ident, bitmap=0x0100), q=DNSQuestion(name, getattr(QTYPE, kind))).pack())
    if not tcp:
        return DNSRecord.parse(server.udp(data, 20))
    with socket.create_connection(("127.0.0.1", server.port), 20) as client, client.makefile("rb") as stream:
        client.sendall(struct.pack("!H", len(data)) + data)
        client.shutdown(socket.SHUT_WR)
        return DNSRecord.parse(stream.read(int.from_bytes(stream.read(2), "big")))


@pytest.mark.parametrize("tcp", [False, True])
def test_other_names_are_the_other_servers_answers(serve, upstream, tcp):
    server = serve(f"forward . 127.0.0.1:{upstream.port}")
    got = asked(server, "www.example.com", tcp=tcp)
    assert ([str(rr) for rr in got.rr], got.header.id, got.header.ra, got.header.aa) == (
        ["www.example.com.        300     IN      A       192.0.2.80"], 4711, 1, 0)
    assert asked(server, "nix.example.com", tcp=tcp).header.rcode == RCODE.NXDOMAIN
    assert str(asked(server, "text.example.com", "TXT", tcp=tcp).rr[0].rdata) == '"one","two"'
    assert {transport for transport, _, _ in upstream.asked} == {"tcp" if tcp else "udp"}


@pytest.mark.parametrize(("option", "transports", "cut"), [
    ("", ["udp"], True), ("prefer_udp", ["udp", "tcp"], False), ("force_tcp", ["tcp"], False)])
def test_which_transport_other_servers_are_asked_by(serve, upstream, option, transports, cut):
    got = asked(serve(f"forward . 127.0.0.1:{upstream.port} {{\n {option}\n }}"), "big.example.com")
    assert (bool(got.header.tc), len(got.rr)) == (cut, 0 if cut else 1)
    assert [transport for transport, _, _ in upstream.asked] == transports


def test_nobody_to_ask_is_servfail_at_once_and_said_in_the_log(serve, tmp_path):
    (tmp_path / "resolv.conf").write_text("# nobody\n")
    server = serve(f"forward . {tmp_path}/resolv.conf")
    assert asked(server, "www.example.com").header.rcode == RCODE.SERVFAIL
    server.until_said("[ERROR] plugin/errors: 2 www.example.com. A: no healthy proxies: no server is named\n")


@pytest.fixture
def closed():
    """A port that refuses for sure: nobody else can take it, and its socket takes nothing from others."""
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.connect(("127.0.0.1", 9))
        yield holder.getsockname()[1]


def test_a_server_that_refuses_is_no_hang_and_the_next_one_is_asked(serve, upstream, closed):
    server = serve(f"forward lonely 127.0.0.1:{closed}\n forward . 127.0.0.1:{closed} 127.0.0.1:{upstream.port} {{\n"
                   " policy sequential\n }")
    assert asked(server, "www.example.com").header.rcode == RCODE.NOERROR
    assert asked(server, "www.lonely").header.rcode == RCODE.SERVFAIL
    server.until_said(f"->127.0.0.1:{closed}: read: connection refused\n")
    until(lambda: f'coredns_proxy_healthcheck_failures_total{{proxy_name="forward",to="127.0.0.1:{closed}"}}'
          in server.http(server.metrics_port, "/metrics")[1], "a failed check is counted", 20)


def test_a_mute_server_keeps_only_its_own_questions_waiting(serve, upstream):
    server = serve(f"forward . 127.0.0.1:{upstream.port} {{\n max_concurrent 1\n }}")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", server.port))
        client.settimeout(30)
        client.send(question("mute.example.com", 1))
        until(lambda: upstream.asked, "the question arrives")
        assert server.addresses(WEB) == ["10.96.0.5"]
        assert asked(server, "www.example.com").header.rcode == RCODE.REFUSED  # one at a time is allowed
        late = DNSRecord.parse(client.recv(512))
        assert (late.header.id, late.header.rcode) == (1, RCODE.SERVFAIL)
    server.until_said("plugin/errors: 2 mute.example.com. A: read udp 127.0.0.1:")
    assert b"i/o timeout" in server.said
    assert "coredns_forward_max_concurrent_rejects_total 1\n" in server.http(server.metrics_port, "/metrics")[1]


def test_an_alias_is_followed_to_the_other_server(serve, upstream, tmp_path):
    server = serve(f"rewrite name there.example www.example.com\n cache\n forward . 127.0.0.1:{upstream.port}")
    assert [str(rr.rdata) for rr in asked(server, "there.example").rr] == ["192.0.2.80"]
    assert [str(rr.rname) for rr in asked(server, "there.example").rr] == ["there.example."]
    assert len(upstream.asked) == 1  # the second came from the cache


LINE = r'\[INFO\] 127\.0\.0\.1:\d+ - {id} "A IN {name}\. {proto} \d+ false 512" {rcode} {flags} \d+ 0\.\d+s\n'


def test_each_question_has_a_line_in_the_log(serve):
    server = serve("log")
    for _ in range(3):
        asked(server, WEB)
    asked(server, "nix.default.svc.cluster.local", ident=7)
    server.until_said("nix.default")
    found = server.said.decode()
    assert len(re.findall(LINE.format(id=4711, name=WEB, proto="udp", rcode="NOERROR", flags="qr,aa,rd"), found)) == 3
    assert re.search(LINE.format(id=7, name="nix.default.svc.cluster.local", proto="udp", rcode="NXDOMAIN",
                                 flags="qr,aa,rd"), found)


def test_classes_of_the_log(serve):
    server = serve("log {\n class denial\n }")
    asked(server, WEB)
    asked(server, "nix.default.svc.cluster.local")
    server.until_said("nix.default")
    assert f" {WEB}. ".encode() not in server.said


def test_questions_are_counted_those_of_kept_answers_too(serve):
    server = serve()
    for _ in range(50):
        asked(server, WEB)
    asked(server, WEB, tcp=True)
    asked(server, "nix.default.svc.cluster.local")
    text = server.http(server.metrics_port, "/metrics")[1]
    where = f'server="dns://:{server.port}",zone=".",view=""'
    for line in (f'coredns_dns_requests_total{{{where},proto="udp",family="1",type="A"}} 51',
                 f'coredns_dns_requests_total{{{where},proto="tcp",family="1",type="A"}} 1',
                 f'coredns_dns_responses_total{{{where},rcode="NOERROR",plugin="kubernetes"}} 51',
                 f'coredns_dns_responses_total{{{where},rcode="NXDOMAIN",plugin="kubernetes"}} 1',
                 f"coredns_dns_request_duration_seconds_count{{{where}}} 52",
                 f'coredns_dns_request_duration_seconds_bucket{{{where},le="+Inf"}} 52',
                 f'coredns_dns_response_size_bytes_count{{{where},proto="udp"}} 51',
                 f'coredns_plugin_enabled{{{where},name="kubernetes"}} 1', "coredns_panics_total 0"):
        assert line + "\n" in text


def test_an_edited_corefile_takes_effect_and_a_wrong_one_does_not(serve, upstream):
    server = serve()
    assert asked(server, "www.example.com").header.rcode == RCODE.SERVFAIL
    server.write(f"forward . 127.0.0.1:{upstream.port}")
    server.until_said("[INFO] Reloading complete\n")
    assert asked(server, "www.example.com").header.rcode == RCODE.NOERROR
    server.write("nonsense")
    server.until_said(f"[ERROR] plugin/reload: Corefile changed but reload failed: {server.corefile}:12 - "
                      "Error during parsing: Unknown directive 'nonsense'\n")
    assert asked(server, "www.example.com").header.rcode == RCODE.NOERROR
    assert server.addresses(WEB) == ["10.96.0.5"]
    assert "coredns_reload_failed_total 1\n" in server.http(server.metrics_port, "/metrics")[1]


def test_a_reload_changes_ports_and_options(serve):
    server = serve()
    old = server.port
    assert server.addresses("10-1-2-3.default.pod.cluster.local") == ["10.1.2.3"]
    while b"[INFO] Reloading complete\n" not in server.said:
        server.said = b""
        (server.port,) = free_ports(1)
        server.write(text=".:{port} {{\n ready :{ready}\n kubernetes cluster.local\n reload\n}}\n")
        os.kill(server.process.pid, signal.SIGUSR1)  # as good as waiting
        # Somebody else may have asked for any port meanwhile.
        server.until_said("[INFO] Reloading complete\n", "reload failed: listen ")
    assert server.rcode("10-1-2-3.default.pod.cluster.local") == RCODE.NXDOMAIN
    until(lambda: server.addresses(WEB) == ["10.96.0.5"], "the Service")
    server.port = old
    with pytest.raises(OSError, match=r"refused|timed out"):
        server.udp(question(WEB), 1)
    with pytest.raises(OSError, match="refused"):
        server.http(server.health_port, "/health")


def test_a_server_that_forwards_to_itself_gives_up(serve):
    server = serve()
    server.write(f"loop\n forward . 127.0.0.1:{server.port}")
    server.until_said("[FATAL] plugin/loop: Loop (127.0.0.1:")
    assert server.process.wait(10) == 1
    assert b'detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ' in server.said


def test_late_answers_come_over_tcp_out_of_order(serve, upstream):
    server = serve(f"forward . 127.0.0.1:{upstream.port}")
    with socket.create_connection(("127.0.0.1", server.port), 20) as client, client.makefile("rb") as stream:
        for ident, name in ((1, "mute.example.com"), (2, WEB), (3, "www.example.com")):
            data = question(name, ident)
            client.sendall(struct.pack("!H", len(data)) + data)
        got = [DNSRecord.parse(stream.read(int.from_bytes(stream.read(2), "big"))).header.id for _ in range(3)]
    assert (got[0], sorted(got)) == (2, [1, 2, 3])
