import pytest

from netlab.scenario.actions import HttpAnswer, Observation
from netlab.scenario.checks import CHECKS
from netlab.scenario.dns_step import answers
from netlab.scenario.http_step import backend, parse
from netlab.scenario.schema import Notes
from netlab.scenario.source import Document


def wrong(check, expected, **seen):
    problems = []
    document = Document(expected, "f", {})
    shaped = CHECKS[check].shape.read(expected, (), Notes(document, problems))
    assert problems == []
    return CHECKS[check].test(shaped, Observation("it", **seen))


def web(*pods):
    return tuple(HttpAnswer(200, {"server": "echo"}, f"Hello\nPod: {pod}\n") for pod in pods)


@pytest.mark.parametrize(("check", "expected", "seen", "words"), [
    ("exitCode", 0, {"exit_code": 0}, ""),
    ("exitCode", 1, {"exit_code": 2, "stderr": "no route"}, 'exit code should be 1, and is 2: "no route"'),
    ("stdout", "a", {"stdout": "bab"}, ""),
    ("stdout", ["a", "c"], {"stdout": "bab"}, 'stdout should contain "c", and is: "bab"'),
    ("stdout", {"not": "a"}, {"stdout": "bab"}, 'stdout should not contain "a", and is: "bab"'),
    ("stdout", {"equals": ""}, {"stdout": "\n"}, ""),
    ("stdout", {"equals": "x"}, {"stdout": ""}, 'stdout should be "x", and is: empty'),
    ("stdout", {"matches": "^b$"}, {"stdout": "a\nb\n"}, ""),
    ("stderr", {"matches": "x+"}, {"stderr": "y"}, 'stderr should match /x+/, and is: "y"'),
    ("json", {".a.b[0]": 1}, {"value": {"a": {"b": [1]}}}, ""),
    ("json", {".a.b[*]": [1, 2]}, {"value": {"a": {"b": [1, 2]}}}, ""),
    ("json", {".a": "1"}, {"value": {"a": 1}}, ""),
    ("json", {".a": 2}, {"value": {"a": 1}}, ".a should be 2, and is 1"),
    ("json", {".x": 2}, {"value": {"a": 1}}, ".x should be 2, and is not there"),
    ("json", {".x": None}, {"value": {"a": 1}}, ""),
    ("json", {".a": {"contains": "b"}}, {"value": {"a": "abc"}}, ""),
    ("json", {".a": {"matches": "^b"}}, {"value": {"a": "abc"}}, '.a should match /^b/, and is: "abc"'),
    ("count", 2, {"value": {"items": [1]}}, "there should be 2, and there are 1"),
    ("rcode", "NXDOMAIN", {"rcode": "NOERROR", "answers": ("1.2.3.4",)},
     "the DNS answer should be NXDOMAIN, and is NOERROR: 1.2.3.4"),
    ("answers", "1.2.3.4", {"answers": ("1.2.3.4",)}, ""),
    ("answers", ["b", "a"], {"answers": ("a", "b")}, ""),
    ("answers", ["a"], {"answers": ("a", "b")}, "the answers should be a, and are a, b"),
    ("answers", {"count": 1, "contains": "x"}, {"answers": ("xy",)}, ""),
    ("answers", {"count": 1}, {"answers": ()}, "there should be 1 answers, and they are none"),
    ("status", 200, {"http": web("a")}, ""),
    ("status", [200, 404], {"http": (HttpAnswer(503, body="no"),)},
     'the status should be 200 or 404, and is 503: "no"'),
    ("status", 200, {"http": (HttpAnswer(error="refused", words="Connection refused"), *web("a"))},
     "1 of 2 requests: the status should be 200, and there was no answer: refused (Connection refused)"),
    ("body", {"contains": "a", "matches": "b"}, {"http": (HttpAnswer(error="timeout"),)},
     'the body should have "a" and /b/, and there was no answer: timeout'),
    ("status", 200, {"http": ()}, "there was no answer"),
    ("body", "Pod: a", {"http": web("a")}, ""),
    ("body", "Pod: b", {"http": web("a")}, 'the body should contain "Pod: b", and is: \nHello\nPod: a'),
    ("headers", {"Server": "echo"}, {"http": web("a")}, ""),
    ("headers", {"Server": "x"}, {"http": web("a")}, 'the header Server should contain "x", and is: "echo"'),
    ("error", "timeout", {"http": (HttpAnswer(error="timeout"),)}, ""),
    ("error", "timeout", {"http": (HttpAnswer(error="refused"),)},
     'should fail with "timeout", and failed with "refused"'),
    ("error", "timeout", {"http": web("a")},
     'should fail with "timeout", and was answered with status 200: \nHello\nPod: a'),
    ("backends", {"count": 2, "min": 2}, {"http": web("a", "b", "a", "b")}, ""),
    ("backends", {"count": 2}, {"http": web("a", "a")}, "2 pods should answer, and these did: a 2x"),
    ("backends", {"min": 2}, {"http": web("a", "a", "b")},
     "each pod should answer at least 2 of 3 requests, and these did: a 2x, b 1x"),
    ("backends", {"names": ["a"]}, {"http": web("b")}, "a should answer, and these did: b 1x"),
    ("backends", {"not": ["b"]}, {"http": web("b")}, "b should not answer, and these did: b 1x"),
    ("rejected", "port", {"rejected": "spec.port: wrong"}, ""),
    ("rejected", "port", {"lines": ("service/a created",)},
     "the API server should refuse it, and did: service/a created"),
    ("rules", "-A KUBE", {"stdout": "-A KUBE-SERVICES"}, ""),
])
def test_a_check_says_what_is_wrong_or_nothing(check, expected, seen, words):
    assert wrong(check, expected, **seen) == words


def test_every_check_has_a_row_above():
    rows = next(mark for mark in test_a_check_says_what_is_wrong_or_nothing.pytestmark).args[1]
    assert {row[0] for row in rows} == set(CHECKS)


CURL = ("HTTP/1.1 200 OK\r\nServer: echo\r\nA:b\r\n\r\nPod: web-1\nmore\n\n"
        "\n@@netlab@@ 200 0 \n"
        "\n@@netlab@@ 000 7 Failed to connect to 10.0.0.1 port 80 after 0 ms: Couldn't connect to server\n"
        "\n@@netlab@@ 000 7 Failed to connect: No route to host\n"
        "\n@@netlab@@ 000 28 Connection timed out after 1001 milliseconds\n")


def test_curls_output_becomes_answers():
    got = parse(CURL)
    assert [(answer.status, answer.error) for answer in got] == [
        (200, ""), (0, "refused"), (0, "no route"), (0, "timeout")]
    assert got[0].headers == {"server": "echo", "a": "b"}
    assert got[0].body == "Pod: web-1\nmore\n\n"
    assert backend(got[0]) == "web-1"


@pytest.mark.parametrize(("body", "pod"), [
    ("Pod: a\n", "a"), ("web-1\n", "web-1"), ("x\nPod:  b \n", "b"), ("two words\n", ""), ("", "")])
def test_the_pod_that_answered_is_found(body, pod):
    assert backend(HttpAnswer(200, {}, body)) == pod


DIG = """;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4
;; flags: qr aa rd; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1

;; ANSWER SECTION:
web.default.svc.cluster.local. 30 IN A 10.244.2.4
web.default.svc.cluster.local. 30 IN A 10.244.1.3
"""


@pytest.mark.parametrize(("output", "expected"), [
    (DIG, ("10.244.1.3", "10.244.2.4")),
    ("a. 5 IN CNAME b.\nb. 5 IN A 1.2.3.4\n", ("A 1.2.3.4", "CNAME b.")),
    ("_http._tcp.a. 30 IN SRV 0 50 80 x.a.\n", ("0 50 80 x.a.",)),
    (";; nothing\n", ()),
])
def test_digs_output_becomes_answers(output, expected):
    assert answers(output) == expected
