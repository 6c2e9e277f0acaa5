"""Images of tutorials run in pods, and answer through Services with what they answer on a cluster."""

import os
import socket

import pytest

from netlab.kernel.bin_directory import which
from netlab.workloads.serving import IPPROTO_SCTP
from tests.lab.in_lab import InLab

pytestmark = pytest.mark.lab

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
PORTS = [("SERVE_PORT_80", "plain"), ("SERVE_TLS_PORT_443", "secret"), ("SERVE_UDP_PORT_53", "datagram"),
         ("SERVE_SCTP_PORT_99", "message")]
PODS = {  # name: (image, args, environment, port)
    "hello": ("gcr.io/google-samples/hello-app:2.0", [], [], 8080),
    "echo": ("hashicorp/http-echo", ["-listen=:8000", "-text=hi there"], [], 8000),
    "who": ("traefik/whoami:v1.10", ["-port", "8001", "-name", "joe"], [], 8001),
    "bootcamp": ("gcr.io/google-samples/kubernetes-bootcamp:v1", [], [], 8080),
    "kic": ("kicbase/echo-server:1.0", [], [("PORT", "8002")], 8002),
    "apache": ("httpd:2.4", [], [], 80),
    "page": ("nginx:1.27", [], [], 80),
    "coffee": ("ansilh/demo-coffee", [], [], 9090),
    "named": (AGNHOST, ["serve-hostname"], [], 9376),
    "files": (AGNHOST, ["test-webserver"], [], 80),
    "ealen": ("ealen/echo-server:latest", [], [], 80),
    "porter": (AGNHOST, ["porter"], PORTS, 80),
    "netexec": (AGNHOST, ["netexec", "--tls-cert-file=/localhost.crt", "--tls-private-key-file=/localhost.key"], [],
                8080),
    "redis": ("redis:7", [], [], 6379),
    "redis-leader": ("docker.io/redis:6.0.5", [], [], 6379),
    "redis-follower": ("us-docker.pkg.dev/google-samples/containers/gke/gb-redis-follower:v2", [], [], 6379),
    "front": ("us-docker.pkg.dev/google-samples/containers/gke/gb-frontend:v5", [], [("GET_HOSTS_FROM", "dns")], 80),
    "old": ("registry.k8s.io/echoserver:1.4", [], [], 8080),
    "snake": ("python:3.12-alpine", ["python", "-m", "http.server", "8000"], [], 8000),
}
ANSWERS = [
    ("http://hello/", "Hello, world!\nVersion: 2.0.0\nHostname: hello\n"), ("http://echo/", "hi there\n"),
    ("http://who/", "Name: joe\nHostname: who\n"), ("http://who/api", '"name":"joe"'),
    ("http://bootcamp/", "Hello Kubernetes bootcamp! | Running on: bootcamp | v=1\n"),
    ("http://kic/a", "Request served by kic\n\nGET /a HTTP/1.1\n"), ("http://apache/", "<h1>It works!</h1>"),
    ("http://page/", "<h1>Welcome to nginx!</h1>"), ("http://page/nosuch", "<center><h1>404 Not Found</h1></center>"),
    ("http://coffee/", "Pod: coffee\n"), ("http://named/", "named"), ("http://files/etc/hostname", "files\n"),
    ("http://ealen/x?y=1", '"originalUrl":"/x?y=1"'), ("http://porter/", "plain"), ("https://porter/", "secret"),
    ("https://netexec:8080/hostname", "netexec"), ("http://snake/etc/hostname", "snake\n"),
    ("http://old/", "command=GET\nreal path=/\nquery=nil\n"), ("http://front/", "<title>Guestbook</title>"),
]


@pytest.fixture(scope="module")
def lab():
    running = InLab("img", nodes=1)
    try:
        for name, (image, args, env, port) in PODS.items():
            variables = [{"name": key, "value": value} for key, value in env]
            running.pod(name, {"name": "c", "image": image, "args": args, "env": variables}, labels={"app": name})
            ports = [{"name": "web", "port": 6379 if port == 6379 else 80, "targetPort": port}]
            if name == "porter":
                ports += [{"name": "tls", "port": 443}, {"name": "udp", "port": 53, "protocol": "UDP"},
                          {"name": "sctp", "port": 99, "protocol": "SCTP"}]
            if name == "netexec":
                ports.append({"name": "own", "port": 8080})
            running.create("/api/v1/namespaces/default/services", {
                "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}})
        running.pod("tools", "sleep infinity")
        running.until(running.all_ready, "every pod is ready")
        running.lab.settled(30)
        yield running
    finally:
        running.down()


@pytest.mark.parametrize(("url", "answer"), ANSWERS)
def test_an_image_answers_through_its_service(lab, url, answer):
    got = lab.until(lambda: lab.run("tools", f"curl -sk --max-time 5 '{url}'")[1], f"an answer of {url}")
    assert answer in got


def test_datagrams_are_answered_through_a_service(lab):
    ask = f"/dial?host={lab.cluster_ip('porter')}&port=53&protocol=udp&request=x&tries=2"
    assert lab.execute("tools", "curl", "-sk", f"https://netexec:8080{ask}") == '{"responses":["datagram","datagram"]}'


def test_associations_are_answered_or_the_log_says_that_the_kernel_has_none(lab):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP).close()
    except OSError:
        assert 'sctp server on port "99" failed: this kernel has no SCTP' in lab.netlab("logs", "porter")[1]
        return
    ask = f"/dial?host={lab.cluster_ip('porter')}&port=99&protocol=sctp&request=x"
    assert lab.execute("tools", "curl", "-sk", f"https://netexec:8080{ask}") == '{"responses":["message"]}'


def test_redis_keeps_what_it_is_told_by_another_pod(lab):
    script = "redis-cli -h redis SET k v; redis-cli -h redis INCR n; redis-cli -u redis://redis:6379/0 GET k"
    assert lab.run("tools", script) == (0, "OK\n1\nv\n")


def test_pages_can_be_written_and_configurations_checked_from_a_shell(lab):
    assert lab.run("page", "echo blue > /usr/share/nginx/html/blue.html && nginx -t 2>&1")[0] == 0
    assert lab.run("tools", "curl -s http://page/blue.html") == (0, "blue\n")
    assert '"GET /blue.html HTTP/1.1" 200 5 "-" "curl/' in lab.netlab("logs", "page")[1]


@pytest.mark.skipif(which("nginx") is not None, reason="the machine has an nginx of its own, and its configuration")
def test_an_nginx_that_is_told_to_reads_its_configuration_again(lab):
    script = "sed -i 's/listen 80;/listen 80; listen 8090;/' /etc/nginx/conf.d/default.conf && nginx -s reload"
    assert lab.run("page", script)[0] == 0
    address = lab.status("page")["podIP"]
    assert "<h1>Welcome to nginx!</h1>" in lab.until(
        lambda: lab.run("tools", f"curl -s http://{address}:8090/")[1], "an answer at the new port")


def test_what_is_written_into_the_guestbook_is_read_from_a_follower(lab):
    page = "http://front/guestbook.php?key=messages"
    written = lab.until(lambda: lab.run("tools", f"curl -sf '{page}&cmd=set&value=,hello'")[1], "it is written")
    assert written == '{"message": "Updated"}'
    lab.until(lambda: lab.run("tools", f"curl -s '{page}&cmd=get'")[1] == '{"data": ",hello"}', "a follower has it")
    lab.until(lambda: "connected_slaves:1" in lab.run("tools", "redis-cli -h redis-leader info replication")[1],
              "the leader knows its follower")


def test_ports_can_be_looked_at_with_nc(lab):
    code, out = lab.run("tools", "nc -zv -w2 redis 6379 2>&1; printf 'PING\\r\\n' | nc -w1 redis 6379")
    assert code == 0
    assert "6379" in out
    assert "+PONG" in out


def test_an_upload_is_a_file_in_the_pod(lab):
    got = lab.run("tools", "echo content >/tmp/f; curl -sk -F file=@/tmp/f https://netexec:8080/upload")[1]
    assert got.startswith('{"output":"/uploads/upload')
    assert lab.execute("netexec", "cat", got.split('"')[3]) == "content\n"


def test_a_shell_starts_web_servers_of_its_image(lab):
    script = "mkdir -p /tmp/www; echo hi >/tmp/www/index.html; httpd -p 8099 -h /tmp/www; echo started"
    if os.path.exists("/usr/sbin/httpd"):
        pytest.skip("the machine has an httpd of its own, which is not hidden")
    assert lab.run("tools", script) == (0, "started\n")
    assert lab.until(lambda: lab.run("tools", "curl -s localhost:8099")[1], "the page") == "hi\n"


def test_a_proxy_waits_in_crashes_until_its_back_end_has_a_name(lab):
    def proxy(name):
        conf = {"default.conf": "server { listen 80; location /x/ { proxy_pass http://late/y/; } }"}
        lab.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": conf})
        mounts = [{"name": "v", "mountPath": "/etc/nginx/conf.d"}]
        lab.pod(name, {"name": "c", "image": "nginx", "volumeMounts": mounts},
                volumes=[{"name": "v", "configMap": {"name": name}}])

    proxy("early")
    lab.until(lambda: lab.state("early")[1].get("reason") == "CrashLoopBackOff", "the crash")
    assert lab.netlab("logs", "early", "-p")[1] == (
        'nginx: [emerg] host not found in upstream "late" in /etc/nginx/conf.d/default.conf:1\n')
    lab.create("/api/v1/namespaces/default/services", {
        "metadata": {"name": "late"},
        "spec": {"selector": {"app": "who"}, "ports": [{"port": 80, "targetPort": 8001}]}})
    lab.until(lambda: lab.run("tools", "getent hosts late")[0] == 0, "the name")
    proxy("timely")
    address = lab.until(lambda: lab.state("timely")[0] == "running" and lab.address("pod timely"), "it runs")
    got = lab.until(lambda: lab.run("tools", f"curl -s http://{address}/x/z?q=1")[1], "an answer")
    assert "GET /y/z?q=1 HTTP/1.1\r\nHost: late\r\n" in got
