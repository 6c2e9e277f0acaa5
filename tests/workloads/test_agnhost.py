import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest

from netlab.workloads import agnhost, connect, netexec


@contextlib.contextmanager
def serving(*args):
    server = netexec.serve(["--http-port=0", "--udp-port=-1", *args])
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server, server.ports()[0]
    finally:
        server.stop()
        thread.join(5)
        assert not thread.is_alive()


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(("path", "answer"), [
    ("/hostname", (200, socket.gethostname())), ("/hostName", (200, socket.gethostname())),
    ("/echo?msg=hello%20you", (200, "hello you")), ("/healthz", (200, "")), ("/readyz", (200, "")),
    ("/header?key=Host", None), ("/nosuch", (404, "404 page not found\n")), ("/echo?msg=a&code=503", (503, "a")),
    ("/shell?cmd=" + quote("echo a; exit 0"), (200, '{"output":"a\\n"}')),
    ("/shell?cmd=" + quote("exit 3"), (417, '{"error":"exit status 3"}')),
    ("/shell?shellCommand=" + quote("echo '<&>'"), (200, '{"output":"\\u003c\\u0026\\u003e\\n"}')),
    ("/dial?host=x", (400, "request parameter not specified. <nil>\n")),
    ("/dial?host=x&port=1&request=a&tries=b",
     (400, 'tries parameter is invalid. strconv.Atoi: parsing "b": invalid syntax\n')),
    ("/dial?host=x&port=1&request=a&protocol=icmp", (400, "unsupported protocol. icmp\n")),
    ("/dial?host=x&port=web&request=a", (400, "host and/or port param are invalid. lookup tcp/web: unknown port\n")),
    ("/echo?msg=a&code=x", (200, "argument 'code' must be an integer or empty, got \"x\"\n")),
    ("/upload", (200, '{"error":"Unable to upload file."}')),
    ("/redirect?location=/hostname", (200, socket.gethostname())),
])
def test_netexec_answers_as_agnhost_does(path, answer):
    with serving() as (_, port):
        assert get(port, path) == (answer or (200, f"127.0.0.1:{port}"))


def test_clientip_is_address_and_port():
    with serving() as (_, port):
        assert get(port, "/clientip")[1].startswith("127.0.0.1:")


def test_dial_asks_another_server():
    with serving() as (_, port), serving() as (_, other):
        code, text = get(port, f"/dial?host=127.0.0.1&port={other}&request=hostname&protocol=http&tries=3")
        assert (code, json.loads(text)) == (200, {"responses": [socket.gethostname()] * 3})


def test_dial_to_nobody_is_an_error():
    with serving() as (_, port), socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        code, text = get(port, f"/dial?host=127.0.0.1&port={closed.getsockname()[1]}&request=x")
        assert (code, json.loads(text)) == (417, {"errors": ["Connection refused"]})


def test_readyz_is_503_while_it_serves_on_after_sigterm():
    with serving("--delay-shutdown=30") as (server, port):
        server.terminate()
        assert get(port, "/readyz")[0] == 503
        assert get(port, "/hostname")[0] == 200


@pytest.mark.parametrize(("command", "answer"), [
    (b"hostname", socket.gethostname()), (b"echo a b\n", "a b"), (b"HostName\n", socket.gethostname()),
    (b"clientip", "10.0.0.1:5"), (b"what", ""),
])
def test_udp_commands(command, answer):
    from netlab.workloads.serving import Server
    assert netexec.NetExec(Server()).udp(command, ("10.0.0.1", 5), ("10.0.0.2", 8081)).decode() == answer


def test_connect_says_what_happened(capsys):
    with serving() as (_, port):
        assert connect.main([f"127.0.0.1:{port}"]) == 0
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert connect.main([f"127.0.0.1:{closed.getsockname()[1]}", "--timeout=1s"]) == 1
        assert capsys.readouterr().err == "REFUSED\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        assert connect.main(["--timeout", "20ms", "--protocol", "udp", target]) == 1
        assert capsys.readouterr().err == "TIMEOUT\n"
    assert connect.main(["nosuch.invalid:80"]) == 1
    assert capsys.readouterr().err.startswith("DNS: ")


def test_an_unknown_command_is_refused_with_those_that_there_are(capsys):
    assert agnhost.main(["nosuch"]) == 1
    assert "netexec" in capsys.readouterr().err
