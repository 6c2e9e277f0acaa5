"""What well-known images answer: request by request, byte by byte."""

import json
import re

import pytest

from netlab.workloads import echoers, gb_frontend, greeters, http_echo, json_echoers
from netlab.workloads.http import Response
from netlab.workloads.identity import Identity
from netlab.workloads.whoami import Whoami
from tests.workloads.asking import ME, get

WHO = Whoami("web-1", ("127.0.0.1", "10.244.1.2"))
CURL = "Host: shop:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
SEEN = "Hostname: web-1\nIP: 127.0.0.1\nIP: 10.244.1.2\nRemoteAddr: 10.244.2.9:40000\n"


@pytest.mark.parametrize(("answer", "expected"), [
    (greeters.hello_app(get(), ME), "Hello, world!\nVersion: 2.0.0\nHostname: web-1\n"),
    (greeters.hello_app(get(), Identity("a")), "Hello, world!\nVersion: 1.0.0\nHostname: a\n"),
    (greeters.node_hello(get(), ME), "Hello Kubernetes!"),
    (greeters.bootcamp(get(), ME), "Hello Kubernetes bootcamp! | Running on: web-1 | v=1\n"),
    (greeters.bootcamp(get(), Identity("a", tag="v2")), "Hello Kubernetes bootcamp! | Running on: a | v=2\n"),
    (greeters.kubia(get(), Identity("a")), "You've hit a\n"),
    (greeters.kubia(get(), Identity("a", tag="v2")), "This is v2 running in pod a\n"),
    (echoers.echoserver(get("/a"), Identity("a", tag="1.4"), {}),
     "CLIENT VALUES:\nclient_address=10.244.2.9\ncommand=GET\nreal path=/a\nquery=nil\nrequest_version=1.1\n"
     "request_uri=http://shop:8080/a\n\nSERVER VALUES:\nserver_version=nginx: 1.10.0 - lua: 10001\n\n"
     "HEADERS RECEIVED:\naccept=*/*\nhost=shop:8080\nuser-agent=curl/8.5.0\nBODY:\n-no body in request-"),
    (greeters.hello_go(get(), ME), '{"message":"Hello"}\n'),
    (greeters.multitool(get(), ME), "WBITT Network MultiTool (with NGINX) - web-1 - 10.244.1.2 - HTTP: 80 , HTTPS: 443 "
                                    ". (Formerly praqma/network-multitool)\n"),
    (http_echo.answer(get("/any"), text="banana"), "banana\n"),
    (http_echo.answer(get("/health"), text="banana", code=503), '{"status":"ok"}\n'),
    (WHO.answer(get()), f"{SEEN}GET / HTTP/1.1\r\n{CURL}"),
    (WHO.answer(get("/a?b=c", ("x-request-id", "7"), ("accept", "text/html"))),
     f"{SEEN}GET /a?b=c HTTP/1.1\r\nHost: shop:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: text/html\r\n"
     "X-Request-Id: 7\r\n\r\n"),
    (Whoami("a", (), "joe").answer(get()),
     f"Name: joe\nHostname: a\nRemoteAddr: 10.244.2.9:40000\nGET / HTTP/1.1\r\n{CURL}"),
    (WHO.answer(get("/api")), '{"hostname":"web-1","ip":["127.0.0.1","10.244.1.2"],"headers":{"Accept":["*/*"],'
                              '"User-Agent":["curl/8.5.0"]},"url":"/api","host":"shop:8080","method":"GET",'
                              '"remoteAddr":"10.244.2.9:40000"}\n'),
    (WHO.answer(get("/bench")), "1"), (WHO.answer(get("/health")), ""),
    (echoers.kicbase(get("/x"), ME, {}), "Request served by web-1\n\nGET /x HTTP/1.1\n\nHost: shop:8080\n"
                                         "Accept: */*\nUser-Agent: curl/8.5.0\n"),
    (echoers.kicbase(get(method="POST", body=b"hi"), ME, {"SEND_SERVER_HOSTNAME": "false"}),
     "POST / HTTP/1.1\n\nHost: shop:8080\nAccept: */*\nUser-Agent: curl/8.5.0\n\nhi"),
    (echoers.echoserver(get("/a?b=1"), ME, {}), """

Hostname: web-1

Pod Information:
\t-no pod information available-

Server values:
\tserver_version=nginx: 1.13.3 - lua: 10008

Request Information:
\tclient_address=10.244.2.9
\tmethod=GET
\treal path=/a?b=1
\tquery=b=1
\trequest_version=1.1
\trequest_scheme=http
\trequest_uri=http://shop:8080/a?b=1

Request Headers:
\taccept=*/*
\thost=shop:8080
\tuser-agent=curl/8.5.0

Request Body:
\t-no body in request-

"""),
    (json_echoers.httpenv(get(), {"B": "2", "A": "1"}), '{"A":"1","B":"2"}'),
    (json_echoers.ealen(get("/?echo_body=amazing&echo_code=404"), {}), '"amazing"'),
    (json_echoers.ealen(get("/?echo_env_body=HOSTNAME"), {"HOSTNAME": "web-1"}), '"web-1"'),
])
def test_the_body_of_an_answer(answer, expected):
    assert answer.body == expected


@pytest.mark.parametrize(("answer", "code"), [
    (http_echo.answer(get(), text="a", code=503), 503), (http_echo.answer(get("/health"), text="a", code=503), 200),
    (json_echoers.ealen(get("/", ("X-ECHO-CODE", "404-300")), {}), 404),
    (json_echoers.mendhak(get("/?x-set-response-status-code=418"), ME), 418), (json_echoers.mendhak(get(), ME), 200),
])
def test_the_status_of_an_answer(answer, code):
    assert answer.code == code


@pytest.mark.parametrize(("answer", "header"), [
    (http_echo.answer(get(), text="a"), ("X-App-Name", "http-echo")),
    (echoers.kicbase(get(), ME, {"SEND_HEADER_X_A": "b"}), ("X-A", "b")),
    (json_echoers.ealen(get("/?echo_header=One:1,%20Two:2"), {}), ("Two", "2")),
    (echoers.nginx_hello(get(), ME), ("Cache-Control", "no-cache")),
])
def test_a_header_of_an_answer(answer, header):
    assert header in answer.headers


def test_echoserver_tells_of_its_pod_what_the_manifest_gave_it():
    env = {"POD_NAME": "p", "NODE_NAME": "n", "POD_NAMESPACE": "s"}
    assert "Pod Information:\n\tnode name:\tn\n\tpod name:\tp\n\tpod namespace:\ts\n\tpod IP:\tN/A\n\nServer" in \
        echoers.echoserver(get(), ME, env).body


def test_whoami_has_the_health_that_it_was_told():
    who = Whoami("a", ())
    assert who.answer(get("/health", method="POST", body=b"503")) == Response("")
    assert who.answer(get("/health")).code == 503
    assert who.answer(get("/health", method="POST", body=b"ill")).code == 400


def test_whoami_gives_data_of_the_size_that_is_asked_for():
    assert [len(WHO.answer(get(f"/data?size={query}")).body) for query in ("0", "1", "100", "2&unit=KB")] == \
        [0, 1, 100, 2048]


@pytest.mark.parametrize(("tag", "expected"), [
    ("plain-text", r"Server address: 10\.244\.1\.2:8080\nServer name: web-1\n"
                   r"Date: \d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\nURI: /x\nRequest ID: [0-9a-f]{32}\n"),
    ("latest", r"(?s).*<p><span>Server&nbsp;name:</span> <span>web-1</span></p>.*<span>/x</span>.*"),
])
def test_nginx_hello_is_a_page_or_lines_by_its_tag(tag, expected):
    assert re.fullmatch(expected, echoers.nginx_hello(get("/x"), Identity("web-1", tag=tag)).body)


def test_ealen_shows_host_request_and_environment():
    form = ("Content-Type", "application/x-www-form-urlencoded")
    found = json.loads(json_echoers.ealen(get("/a?b=1", form, method="POST", body=b"c=2"), {"D": "3"}).body)
    assert found["host"] == {"hostname": "shop", "ip": "::ffff:10.244.2.9", "ips": []}
    assert found["http"] == {"method": "POST", "baseUrl": "", "originalUrl": "/a?b=1", "protocol": "http"}
    assert (found["request"]["query"], found["request"]["body"]) == ({"b": "1"}, {"c": "2"})
    assert found["environment"] == {"D": "3"}


def test_mendhak_shows_the_request_and_who_answers():
    headers = (("X-Forwarded-For", "1.2.3.4, 5.6.7.8"), ("Content-Type", "application/json"))
    found = json.loads(json_echoers.mendhak(get("/a", *headers, body=b'{"x":1}'), ME).body)
    assert (found["path"], found["hostname"], found["os"]) == ("/a", "shop", {"hostname": "web-1"})
    assert (found["ip"], found["ips"], found["json"]) == ("1.2.3.4", ["1.2.3.4", "5.6.7.8"], {"x": 1})


@pytest.mark.parametrize(("command", "tag", "env", "host"), [
    ("set", "v5", {}, "redis-leader"), ("get", "v5", {"GET_HOSTS_FROM": "dns"}, "redis-follower"),
    ("set", "v4", {}, "redis-master"), ("get", "v3", {}, "redis-slave"),
    ("get", "v5", {"GET_HOSTS_FROM": "env", "REDIS_FOLLOWER_SERVICE_HOST": "10.96.0.9"}, "10.96.0.9"),
])
def test_where_the_guestbooks_front_end_looks_for_redis(command, tag, env, host):
    assert gb_frontend.redis_host(command, tag, env) == host


def test_the_guestbooks_front_end_asks_redis():
    asked = []

    def ask(*words):
        asked.append(words)
        if words[2] == "GET":
            raise ConnectionRefusedError(111, "Connection refused")

    found = gb_frontend.answer(get("/guestbook.php?cmd=set&key=messages&value=,hi"), tag="v5", env={}, ask=ask)
    assert (found.code, found.body, found.content_type) == (200, '{"message": "Updated"}', "application/json")
    assert asked == [("redis-leader", 6379, "SET", "messages", ",hi")]
    assert gb_frontend.answer(get("/guestbook.php?cmd=get&key=messages"), tag="v5", env={}, ask=ask).code == 500
    assert "guestbook.php?key=messages" in str(gb_frontend.answer(get("/"), tag="v5", env={}, ask=ask).body)


def test_a_colour_is_that_of_the_pods_name():
    body = json_echoers.color(get("/x"), Identity("green-5", "blue")).body
    assert "🔵🟢This is pod blue/green-5 on linux/" in body
    assert ", serving /x for 10.244.2.9:40000.\n" in body
