"""What agnhost's smaller commands answer and print."""

import json
import random
import re
import socket
import threading

import pytest

from netlab.workloads import agnhost, go_http, guestbook, hostnames, liveness, log_lines, net, netexec_answers, porter
from netlab.workloads.http import Request
from tests.workloads.asking import get


@pytest.mark.parametrize(("env", "servers"), [
    ({"SERVE_PORT_80": "a", "HOME": "/"}, [("http", 80, "a")]),
    ({"SERVE_TLS_PORT_443": "t", "SERVE_SCTP_PORT_9": "s", "SERVE_UDP_PORT_53": "u", "SERVE_TCP_PORT_81": "c"},
     [("sctp", 9, "s"), ("http", 81, "c"), ("https", 443, "t"), ("udp", 53, "u")]),
    ({"SERVE_PORT_web": "a", "SERVE_PORTS_80": "b"}, []),
])
def test_porter_serves_what_the_environment_names(env, servers):
    assert porter.wanted(env) == servers


def test_porters_answer_is_the_value_or_an_object_with_the_method():
    assert porter.answer(get("/any", method="POST"), "value").body == b"value"
    assert porter.answer(get("/any", method="POST"), "value", as_json=True).body == '{"Method":"POST","Body":"value"}'


@pytest.mark.parametrize(("path", "age", "answer"), [
    ("/healthz", 9.9, (200, "ok")), ("/healthz", 12.5, (500, "error: 12.5")), ("/started", 1.5, (200, "1.500000000s")),
    ("/redirect?loc=http%3A%2F%2Fa%2F", 0, (302, "")), ("/sleep-headers?code=503", 0, (503, "Slept for 0 secs\n")),
    ("/slow-response?code=200&size=1", 0, (200, "0" * 1024)), ("/nosuch", 0, (404, "404 page not found\n")),
])
def test_liveness_is_healthy_for_ten_seconds(path, age, answer):
    found = liveness.answer(get(path), age)
    assert (found.code, found.body) == answer


class Town:
    """Guestbooks that reach each other by name."""

    def __init__(self):
        self.books = {}
        for name in ("agnhost-primary", "agnhost-replica", "front"):
            self.books[name] = guestbook.Guestbook(self.ask)

    def ask(self, host, target):
        if host not in self.books:
            raise ConnectionRefusedError(111, "Connection refused")
        return self.books[host].answer(get(target)).body

    def tell(self, host, target):
        found = self.books[host].answer(get(target))
        return found.code, found.body.strip()


def test_a_guestbook_writes_to_its_primary_and_reads_from_a_replica():
    town = Town()
    assert town.tell("agnhost-primary", "/register?host=agnhost-replica") == (200, '{"data":{}}')
    assert town.tell("front", "/guestbook?cmd=set&key=a&value=x%20y") == (200, '{"message":"Updated"}')
    assert town.tell("front", "/guestbook?cmd=get&key=a") == (200, '{"data":"x y"}')
    assert town.tell("agnhost-replica", "/get") == (200, '{"data":{"a":"x y"}}')
    assert town.tell("agnhost-replica", "/get?key=none") == (200, '{"data":""}')


@pytest.mark.parametrize(("host", "target", "answer"), [
    ("front", "/guestbook?cmd=drop", (400, "unsupported cmd: 'drop'")),
    ("front", "/guestbook?cmd=set", (400, "cannot set with empty key.")),
    ("agnhost-primary", "/set?value=1", (400, "cannot set with empty key.")),
    ("front", "/", (404, "404 page not found")),
])
def test_what_a_guestbook_refuses(host, target, answer):
    assert Town().tell(host, target) == answer


def test_a_guestbook_says_which_replica_it_cannot_reach():
    town = Town()
    town.tell("agnhost-primary", "/register?host=gone")
    assert town.tell("agnhost-primary", "/set?key=a&value=b") == (
        417, "encountered error while propagating to replica 'gone': [Errno 111] Connection refused")


def test_log_lines_have_their_number_and_an_api_servers_form(capsys):
    pattern = r"7 (GET|POST|PUT) /api/v1/namespaces/(kube-system|default|ns)/pods/[a-z]{3,4} [2-5]\d\d"
    assert re.fullmatch(pattern, log_lines.line(7, random.Random(1)))
    assert log_lines.main(["--log-lines-total=3", "--run-duration", "3ms"]) == 0
    assert [line.split("] ")[1].split()[0] for line in capsys.readouterr().out.splitlines()] == ["0", "1", "2"]
    assert log_lines.main(["-t", "3"]) == 255


@pytest.mark.parametrize(("args", "refusal"), [
    (["--tcp"], "at the same time"), (["--udp", "--port=1"], "at the same time"),
])
def test_serve_hostname_has_no_two_manners_at_once(args, refusal):
    with pytest.raises(ValueError, match=refusal):
        hostnames.serve(args)


def test_serve_hostname_gives_the_bare_name_by_tcp():
    server = hostnames.serve(["--http=false", "--tcp", "--port=0"])
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", server.ports()[0]), 5) as made:
            assert b"".join(iter(lambda: made.recv(100), b"")).decode() == socket.gethostname()
    finally:
        server.stop()
        thread.join(5)


def test_entrypoint_tester_prints_the_command_line(capsys):
    assert agnhost.main(["entrypoint-tester", "foo", "bar"]) == 0
    assert capsys.readouterr().out == "[/agnhost entrypoint-tester foo bar]\n"


def test_an_unknown_runner_of_net_is_refused(capsys):
    assert net.main(["--runner", "nosuch"]) == 1
    assert "nat-closewait-client" in capsys.readouterr().err
    assert net.answer(get("/run/nosuch", method="POST")).code == 404


FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nline 1\r\nline 2\r\n--b--\r\n'


@pytest.mark.parametrize(("kind", "body", "content"), [
    ("multipart/form-data; boundary=b", FORM, b"line 1\r\nline 2"),
    ("multipart/form-data; boundary=b", FORM.replace(b'"file"', b'"other"'), None),
    ("multipart/form-data", FORM, None), ("text/plain", b"x", None),
])
def test_the_file_of_an_upload_is_found(kind, body, content):
    assert netexec_answers.uploaded(get("/upload", ("Content-Type", kind), method="POST", body=body)) == content


def test_an_upload_that_was_not_kept_whole_is_none():
    headers = (("Content-Type", "multipart/form-data; boundary=b"),)
    request = Request("POST", "/upload", "HTTP/1.1", headers, body=FORM, body_length=10**7)
    assert netexec_answers.uploaded(request) is None


def test_json_is_written_as_go_writes_it():
    assert go_http.dumps({"b": "<ü&>", "a": 1}) == '{"a":1,"b":"\\u003cü\\u0026\\u003e"}'
    assert json.loads(go_http.dumps({"a": "<"})) == {"a": "<"}
