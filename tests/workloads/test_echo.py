import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from netlab.workloads import echo
from netlab.workloads.echo import Options, parse
from netlab.workloads.http import KEEPS, Request, Response
from netlab.workloads.identity import Identity

ME = Identity("web-1", "default", "worker", "10.244.1.2")
ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def serving(options=None):
    """The port of a server on all addresses of this machine, in a thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = echo.serve(replace(options or Options(), ports=(port,)), ME)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join(5)
        assert not thread.is_alive()


def get(port, path="/", headers=(), data=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers), data=data)
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read().decode()


def test_the_answer_says_who_answers_and_whom_it_saw():
    with serving() as port:
        lines = get(port, "/x?y=1", {"X-Test": "a"}).splitlines()
    assert lines[:4] == ["Pod: web-1", "Namespace: default", "Node: worker", "Pod IP: 10.244.1.2"]
    assert lines[4].startswith("Client: 127.0.0.1:")
    assert "Request: GET /x?y=1 HTTP/1.1" in lines
    assert "X-Test: a" in lines


@pytest.mark.parametrize(("path", "headers"), [("/?format=json", {}), ("/", {"Accept": "application/json"})])
def test_json_is_given_where_it_is_asked_for(path, headers):
    with serving() as port:
        found = json.loads(get(port, path, headers))
    assert (found["pod"], found["node"], found["podIP"], found["clientIP"]) == \
        ("web-1", "worker", "10.244.1.2", "127.0.0.1")


def test_a_connection_serves_many_requests_one_after_the_other():
    with serving() as port, socket.create_connection(("127.0.0.1", port)) as made, made.makefile("rb") as stream:
        for _ in range(3):
            made.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            stream.read(length)


@pytest.mark.parametrize(("headers", "version", "lines"), [
    ((), "HTTP/1.1", []), ((KEEPS,), "HTTP/1.1", [b"Connection: keep-alive"]),
    ((), "HTTP/1.0", [b"Connection: keep-alive"]), ((("Connection", "close"),), "HTTP/1.1", []),
])
def test_only_some_servers_say_that_a_connection_stays_open(headers, version, lines):
    shown = Response("x", headers=headers).render(head_only=False, keep_alive=True, version=version)
    assert [line for line in shown.split(b"\r\n") if line.startswith(b"Connection")] == lines


def test_a_path_may_begin_with_two_slashes():
    request = Request("GET", "//a/b?c=d", "HTTP/1.1", ())
    assert (request.path, request.raw_query, request.query("c")) == ("//a/b", "c=d", "d")


def test_big_bodies_are_read_to_their_end():
    with serving() as port:
        found = json.loads(get(port, "/?format=json", data=b"x" * 5_000_000))
    assert found["bodyLength"] == 5_000_000


def test_chunked_bodies_are_read():
    with serving() as port, socket.create_connection(("127.0.0.1", port)) as made, made.makefile("rb") as stream:
        made.sendall(b"POST /?format=json HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                     b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        assert b'"body": "hello world"' in stream.read()


def test_many_connections_are_served_at_once():
    with serving() as port, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(100)]
        assert get(port).startswith("Pod: web-1")
        idle[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert idle[0].makefile("rb").read().startswith(b"HTTP/1.1 200 OK")


def test_datagrams_are_answered_on_the_same_port():
    with serving() as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(5)
        made.connect(("127.0.0.1", port))
        made.send(b"hello")
        answer = made.recv(65535).decode()
    assert answer.startswith("pod=web-1 node=worker podIP=10.244.1.2 client=127.0.0.1:")
    assert answer.endswith("\nhello")


@pytest.mark.parametrize(("bad", "status"), [
    (b"nonsense\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
    (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 60000 + b"\r\nB: " + b"x" * 60000 + b"\r\n\r\n", b"431"),
])
def test_what_is_no_request_is_refused(bad, status):
    with serving() as port, socket.create_connection(("127.0.0.1", port)) as made:
        made.sendall(bad)
        assert made.makefile("rb").readline().split()[1] == status
        assert get(port).startswith("Pod:")


@pytest.mark.parametrize(("args", "environment", "ports"), [
    ([], {}, (80,)), (["--default-port=8080"], {}, (8080,)),
    (["--default-port=80", "--port", "8080"], {}, (8080,)), (["--default-port=5678", "-listen=:7000"], {}, (7000,)),
    (["--default-port=8080", "--port-from=PORT"], {"PORT": "9000"}, (9000,)),
    (["--default-port=80", "--default-port=443"], {}, (80, 443)),
    (["--default-port=80", "--nosuch", "x"], {}, (80,)),
])
def test_ports_of_the_user_replace_those_of_the_image(args, environment, ports):
    assert parse(args, environment).ports == ports


@pytest.fixture
def program():
    started = []

    def start(code, **env):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                                   env=os.environ | env)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_sigterm_ends_it_with_0_after_the_request_under_way(program):
    process = program("import sys; from netlab.workloads.echo import main; sys.exit(main(['--port', '0']))",
                      NETLAB_POD="web-9")
    assert process.stdout.readline().startswith("web-9 listens")
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0


def test_a_taken_port_is_said_and_ends_it_with_1(program):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = program(f"import sys; from netlab.workloads.echo import main; sys.exit(main(['-p', '{port}']))")
        assert process.stdout.readline() == f"error: cannot listen on port {port}: address already in use\n"
        assert process.wait(5) == 1


def test_nothing_heavy_is_imported(program):
    process = program("import sys, netlab.workloads.echo, netlab.workloads.agnhost, netlab.workloads.interactive\n"
                      "print(sorted({'asyncio', 'ssl', 'yaml', 'logging', 'email'} & set(sys.modules)))")
    assert process.stdout.readline() == "[]\n"
