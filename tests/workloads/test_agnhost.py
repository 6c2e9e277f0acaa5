import contextlib
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest

from netlab.workloads import agnhost, connect, dial, go_http, netexec, netexec_answers
from tests.workloads import asking


@contextlib.contextmanager
def serving(*args):
    server = netexec.serve(["--http-port=0", "--udp-port=0", *args])
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
    ("/echo?msg=hello%20you", (200, "hello you")), ("/healthz", (200, "")), ("/readyz", (200, "ok")),
    ("/header?key=Host", None), ("/./x/..//hostname", (200, socket.gethostname())),
    ("/echo?msg=a&code=503", (503, "a")),
    ("/shell?cmd=" + quote("echo a; exit 0"), (200, '{"output":"a\\n"}')),
    ("/shell?cmd=" + quote("exit 3"), (417, '{"error":"exit status 3"}')),
    ("/shell?shellCommand=" + quote("echo '<&>'"), (200, '{"output":"\\u003c\\u0026\\u003e\\n"}')),
    ("/dial?host=x", (400, "request parameter not specified. <nil>\n")),
    ("/dial?host=x&port=1&request=a&tries=b",
     (400, 'tries parameter is invalid. strconv.Atoi: parsing "b": invalid syntax\n')),
    ("/dial?host=x&port=1&request=a&protocol=icmp", (400, "unsupported protocol. icmp\n")),
    ("/dial?host=x&port=web&request=a", (400, "host and/or port param are invalid. lookup tcp/web: unknown port\n")),
    ("/echo?msg=a&code=x", (200, "argument 'code' must be an integer or empty, got \"x\"\n")),
    ("/dial?host=127.0.0.1&port=70000&request=a",
     (400, "host and/or port param are invalid. address 70000: invalid port\n")),
    ("/shell?cmd=" + quote("kill -9 $$"), (417, '{"error":"signal: killed"}')),
    ("/exit?wait=soon", (200, "argument 'wait' must be a valid golang duration or empty, got \"soon\"\n")),
    ("/exit?code=a", (200, "argument 'code' must be an integer [0-127] or empty, got \"a\"\n")),
    ("/redirect?code=a", (200, "argument 'code' must be an integer or empty, got \"a\"\n")),
    ("/upload", (200, '{"error":"Unable to upload file."}')),
    ("/redirect?location=/hostname", (200, socket.gethostname())),
])
def test_netexec_answers_as_agnhost_does(path, answer):
    with serving() as (_, port):
        assert get(port, path) == (answer or (200, f"127.0.0.1:{port}"))


def test_any_other_path_tells_the_time():
    with serving() as (_, port):
        code, text = get(port, "/no/such/path")
        assert code == 200
        assert re.fullmatch(r"NOW: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} \+0000 UTC m=\+\d+\.\d{9}", text)


def test_without_a_udp_server_netexec_is_never_healthy():
    with serving("--udp-port=-1") as (_, port):
        assert [get(port, path)[0] for path in ("/healthz", "/readyz", "/hostname")] == [412, 412, 200]


def test_an_override_answers_every_request():
    with serving("--http-override=/echo?msg=mine&code=202") as (_, port):
        assert get(port, "/hostname") == (202, "mine")


@pytest.mark.parametrize(("args", "refusal"), [
    (["--nosuch"], "unknown flag: --nosuch"), (["word"], "accepts at most 0"), (["--udp-port=x"], "strconv.ParseInt"),
    (["--udp-listen-addresses=127.0.0.1,x"], "parseAddress: invalid address x"),
])
def test_netexec_refuses_wrong_options_in_cobras_words(args, refusal):
    with pytest.raises(ValueError, match=refusal):
        netexec.serve(args)


def test_netexec_names_the_port_that_is_taken():
    with serving() as (_, port), pytest.raises(OSError, match=rf"listen tcp :{port}: bind: address already in use"):
        netexec.serve([f"--http-port={port}"])


@pytest.mark.parametrize(("location", "path", "target"), [
    ("/echo?msg=a", "/redirect", "/echo?msg=a"), ("hostname", "/redirect", "/hostname"), ("", "/redirect", "/"),
    ("http://a/b", "/redirect", "http://a/b"), ("../x/", "/a/b/redirect", "/a/x/"),
])
def test_redirects_are_absolute_paths(location, path, target):
    found = go_http.redirect(asking.get(path), location, 302)
    assert (found.code, dict(found.headers)["Location"], found.content_type) == (302, target, go_http.HTML)


@pytest.mark.parametrize(("body", "kind"), [
    (b"web-1", "text/plain; charset=utf-8"), (b'{"a":1}', "text/plain; charset=utf-8"),
    (b'<a href="/rewriteme">test</a>', "text/html; charset=utf-8"), (b" \n<!doctype html>", "text/html; charset=utf-8"),
    (b"<abbr>", "text/plain; charset=utf-8"), (b"<?xml version", "text/xml; charset=utf-8"),
    (b"\0\1", "application/octet-stream"),
])
def test_the_type_of_an_answer_is_guessed_as_go_guesses_it(body, kind):
    assert go_http.sniffed(body) == kind


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
        assert (code, json.loads(text)) == (417, {"errors": [
            f'Get "http://127.0.0.1:{closed.getsockname()[1]}/x": dial tcp 127.0.0.1:{closed.getsockname()[1]}: '
            "connect: connection refused"]})


def test_dial_follows_redirects_and_doubled_slashes():
    with serving() as (_, port):
        asked = quote("/redirect?location=/echo?msg=there")
        assert get(port, f"/dial?host=localhost&port={port}&request={asked}") == (200, '{"responses":["there"]}')


def test_dial_by_udp_says_which_way_had_no_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    found = dial.dial("127.0.0.1", str(port), "hostname", protocol="udp")
    assert not found.last_ok
    assert re.fullmatch(rf"reading from udp connection failed. err:'read udp 127.0.0.1:\d+->127.0.0.1:{port}: "
                        r"read: connection refused'", found.found["errors"][0])


def test_readyz_is_503_while_it_serves_on_after_sigterm():
    with serving("--delay-shutdown=30") as (server, port):
        server.terminate()
        assert get(port, "/readyz") == (503, "shutting down")
        assert get(port, "/hostname")[0] == 200


@pytest.mark.parametrize(("command", "answer"), [
    (b"hostname", socket.gethostname()), (b"echo a b\n", "a b"), (b"HostName\n", socket.gethostname()),
    (b"clientip", "10.0.0.1:5"), (b"what", ""), (b"hostname please", ""),
])
def test_udp_commands(command, answer):
    from netlab.workloads.serving import Server
    assert netexec_answers.NetExec(Server()).udp(command, ("10.0.0.1", 5), ("10.0.0.2", 8081)).decode() == answer


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


def test_connect_wants_one_address_with_a_port(capsys):
    assert agnhost.main(["connect"]) == 1
    assert capsys.readouterr().err == "Error: accepts 1 arg(s), received 0\n"
    assert agnhost.main(["connect", "web"]) == 1
    assert capsys.readouterr().err == "UNKNOWN: address web: missing port in address\n"


def test_an_unknown_command_is_refused_with_those_that_there_are(capsys):
    assert agnhost.main(["nosuch"]) == 1
    assert "netexec" in capsys.readouterr().err
