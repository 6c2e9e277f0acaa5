"""The proxy subresources against real backends on loopback; links of pages."""

import asyncio
import contextlib
import json
import socket
import threading

import pytest

from netlab.api.registry import Registry
from netlab.api.response import ProxyRequest
from netlab.model.lab_spec import LabSpec
from netlab.server.http import ApiServer
from netlab.server.proxy import Proxy
from netlab.server.proxy_links import Place
from netlab.store import Store

PREFIX = "/api/v1/namespaces/default/pods/web/proxy"
PAGE = b'<html><a href="/x">x</a><img alt="/no" src=\'/y.png\'><a href="z">z</a> href="/text"</html>'


class Backend:
    """Answers each connection with the same bytes, and keeps what it was asked."""

    def __init__(self, answer, *, more=None):
        self.answer, self.more, self.asked = answer, more, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    connection.settimeout(5)
                    while b"\r\n\r\n" not in self.asked:
                        self.asked += connection.recv(65536)
                    head, _, body = self.asked.partition(b"\r\n\r\n")
                    size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                                 if line.lower().startswith(b"content-length")), 0)
                    while len(body) < size:
                        body += connection.recv(65536)
                        self.asked = head + b"\r\n\r\n" + body
                    connection.sendall(self.answer)
                    if self.more:
                        self.more(connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


def through(tmp_path, port, sent, *, after=None):
    """What a client gets that sends these bytes to an API server with one pod at 127.0.0.1:port."""
    async def run():
        registry = Registry(Store(), LabSpec())
        server = ApiServer(registry, proxy=Proxy(lambda family: _nonblocking(family)))
        server.api.handle = lambda request: ProxyRequest("http", "127.0.0.1", port, request.target.removeprefix(PREFIX),
                                                         PREFIX)
        await server.start(tmp_path / "api.sock")
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "api.sock"))
        writer.write(sent)
        async with asyncio.timeout(10):
            got = b""
            if after:
                while after[0] not in got:
                    got += await reader.read(65536)
                writer.write(after[1])
            got += await reader.read()
        writer.close()
        await server.close()
        return got

    return asyncio.run(run())


def _nonblocking(family):
    made = socket.socket(family)
    made.setblocking(False)
    return made


def get(path, *headers, method="GET", body=b""):
    size = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} {PREFIX}{path} HTTP/1.1", "Host: lab", "Connection: close", *headers, *size, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(("answer", "head", "body"), [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", b"X-A: b\r\nContent-Length: 5", b"hello"),
    (b"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
     b"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked", b"hello"),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"Transfer-Encoding: chunked", b"until the end"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content", b""),
    (b"HTTP/1.1 302 Found\r\nLocation: /there?a=b\r\nContent-Length: 0\r\n\r\n",
     f"Location: {PREFIX}/there?a=b".encode(), b""),
    (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/there\r\nContent-Length: 0\r\n\r\n",
     b"Location: http://elsewhere/there", b""),
])
def test_a_backends_answer_is_passed_on(tmp_path, answer, head, body):
    backend = Backend(answer)
    try:
        got = through(tmp_path, backend.port, get("/a"))
    finally:
        backend.close()
    said, _, rest = got.partition(b"\r\n\r\n")
    if b"chunked" in said:
        assert rest.endswith(b"0\r\n\r\n")
        parts = rest.split(b"\r\n")
        rest = b"".join(parts[1::2])
    assert head in said
    assert rest == body


def test_the_backend_sees_the_request_without_our_credentials(tmp_path):
    backend = Backend(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    try:
        through(tmp_path, backend.port, get("/a?b=%2F", "Authorization: Bearer secret", "X-Mine: 1", method="PATCH",
                                            body=b"x" * 100_000))
    finally:
        backend.close()
    head, _, body = backend.asked.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[:2] == ["PATCH /a?b=%2F HTTP/1.1", f"Host: 127.0.0.1:{backend.port}"]
    assert "x-mine: 1" in lines
    assert f"X-Forwarded-Uri: {PREFIX}/a" in lines
    assert "X-Forwarded-Host: lab" in lines
    assert "secret" not in head.decode()
    assert body == b"x" * 100_000


def test_an_upgraded_connection_goes_through_both_ways(tmp_path):
    def echo(connection):
        connection.sendall(connection.recv(100).upper())

    backend = Backend(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst",
                      more=echo)
    try:
        got = through(tmp_path, backend.port, get("/ws", "Upgrade: websocket").replace(b"close", b"Upgrade"),
                      after=(b"first", b"hello"))
    finally:
        backend.close()
    assert got.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert got.endswith(b"\r\n\r\nfirstHELLO")
    assert b"Upgrade: websocket" in backend.asked


def test_who_cannot_be_reached_is_said_as_upstream_says_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as made:
        port = made.getsockname()[1]
    got = through(tmp_path, port, get("/"))
    assert got.startswith(b"HTTP/1.1 503 ")
    status = json.loads(got.partition(b"\r\n\r\n")[2])
    assert (status["reason"], status["message"]) == (
        "ServiceUnavailable", f"error trying to reach service: dial tcp 127.0.0.1:{port}: connect: connection refused")


def test_a_backend_that_stops_in_the_middle_is_seen_to_do_so(tmp_path):
    backend = Backend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    try:
        got = through(tmp_path, backend.port, get("/"))
    finally:
        backend.close()
    assert not got.endswith(b"0\r\n\r\n")


def test_links_of_a_page_lead_through_the_proxy(tmp_path):
    backend = Backend(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE))
    try:
        got = through(tmp_path, backend.port, get("/"))
    finally:
        backend.close()
    prefix = PREFIX.encode()
    assert (b'<a href="%b/x">x</a><img alt="/no" src=\'%b/y.png\'><a href="z">z</a> href="/text"' % (prefix, prefix)
            ) in got


@pytest.mark.parametrize(("link", "seen"), [
    ("/a/b/?c=d#e", f"{PREFIX}/a/b/?c=d#e"), ("/", f"{PREFIX}/"), ("a", "a"), ("../a", "../a"), ("#x", "#x"),
    ("http://10.244.1.2/a", f"{PREFIX}/a"), ("http://10.244.1.2:8080/a", f"{PREFIX}/a"),
    ("http://other/a", "http://other/a"), (f"{PREFIX}/a", f"{PREFIX}/a"), ("mailto:a@b", "mailto:a@b"),
])
def test_links(link, seen):
    place = Place(ProxyRequest("http", "10.244.1.2", 8080, "/", PREFIX), "127.0.0.1:6443")
    assert place.rewrite(link) == seen
