"""A lab with an outside world: real hosts, real names, and what they and the cluster see of each other."""

import os
import signal

import pytest

from netlab.kernel import process, sweep
from netlab.lab.lab import Lab
from netlab.topology import names
from tests.lab.in_lab import NO_ROUTE, InLab
from tests.lab.traffic import Answer

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root")]
EXTERNAL = "203.0.113.7"
INTERNET = {
    "hosts": [{"name": "shop", "names": ["shop.example.com", "pool.example.com"]},
              {"name": "spare", "names": ["pool.example.com", "*.apps.example.com"], "ports": [80, 8080]}],
    "records": ["www.example.com CNAME shop.example.com", 'example.com 60 TXT "hello world"'],
    "routes": [{"to": EXTERNAL, "via": "worker"}],
}
MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {nodeName: worker2, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {externalIPs: [203.0.113.7], selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: inherits}
spec: {dnsPolicy: Default, containers: [{name: c, image: busybox, command: [sleep, infinity]}]}
"""


@pytest.fixture(scope="module")
def lab():
    made = InLab("internet", internet=INTERNET)
    try:
        made.apply(MANIFESTS)
        yield made
    finally:
        made.lab.down()
        assert sweep.leftovers(made.name) == []


def dig(lab, who, *question):
    return sorted(lab.execute(who, "dig", "+short", "+time=2", *question).split("\n")[:-1])


@pytest.mark.parametrize("who", ["client", "worker", "shop", "inherits"])
def test_everybody_who_is_no_pod_resolves_the_worlds_names(lab, who):
    assert dig(lab, who, "www.example.com") == ["198.51.100.10", "shop.example.com."]
    assert dig(lab, who, "+tcp", "pool.example.com") == ["198.51.100.10", "198.51.100.11"]
    assert dig(lab, who, "example.com", "TXT") == ['"hello world"']
    assert dig(lab, who, "-x", "198.51.100.10") == ["shop.example.com."]
    assert "198.51.100.11" in lab.execute(who, "getent", "hosts", "any.apps.example.com")
    assert "status: NXDOMAIN" in lab.execute(who, "dig", "nowhere.example.net")


@pytest.mark.parametrize(("who", "port", "protocol", "seen_as"), [
    ("client", 80, "TCP", "client"), ("client", 80, "UDP", "client"), ("node worker", 80, "TCP", "node worker"),
    ("pod web", 80, "TCP", "node worker2"), ("pod web", 80, "UDP", "node worker2"),
])
def test_hosts_outside_see_a_pods_node_in_place_of_the_pod(lab, who, port, protocol, seen_as):
    answer = lab.connect(who, "198.51.100.10", port, protocol, limit=5)
    assert isinstance(answer, Answer), answer
    assert (answer.pod, answer.client) == ("shop", lab.address(seen_as))


def test_a_host_listens_on_the_ports_that_the_file_says(lab):
    assert lab.connect("client", "198.51.100.11", 8080, limit=5).pod == "spare"


def test_external_ips_of_a_service_are_reached_from_outside_by_a_route_to_a_node(lab):
    """The node that the world sends them to forwards to the pod, and puts its own address in place of the host's."""
    for who in ("shop", "client"):
        assert f"Client: {lab.address('node worker')}:" in lab.execute(who, "curl", "-s", "-m", "5",
                                                                       f"http://{EXTERNAL}/")


def test_nobody_outside_has_a_way_to_pods(lab):
    for who in ("client", "shop"):
        assert lab.connect(who, lab.address("pod web"), 80, limit=2) == NO_ROUTE


def inits(lab):
    return {name: process.read_record(names.outside_dir(lab.name, name) / "init.json")
            for name in ("internet-dns", "shop", "spare")}


def test_a_killed_host_is_started_again(lab):
    before = inits(lab)["shop"]
    os.kill(before[0], signal.SIGKILL)
    lab.until(lambda: inits(lab)["shop"] not in (None, before), "the host has a new init")
    lab.until(lambda: lab.run("client", "curl -s -m 2 http://shop.example.com/")[0] == 0, "it answers")


def test_the_world_outlives_the_daemon_and_is_adopted(lab):
    before = inits(lab)
    daemon = process.read_record(names.run_dir(lab.name) / "daemon.json")
    process.kill(*daemon)
    assert dig(lab, "client", "shop.example.com") == ["198.51.100.10"]
    assert "shop" in lab.execute("client", "curl", "-s", "http://shop.example.com/")
    Lab.up(lab.spec)
    lab.lab.settled(30)
    assert inits(lab) == before


@pytest.fixture(scope="module")
def dual():
    made = InLab("internet6", ipFamilies=["IPv6", "IPv4"], loadBalancer={"addresses": ["172.18.255.200"]},
                 internet={"hosts": [{"name": "shop", "names": ["shop.example.com"]}],
                           "routes": [{"to": "2001:db8:aa::7", "via": "worker"}]})
    try:
        made.apply("""
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {nodeName: worker, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: PreferDualStack
  externalTrafficPolicy: Local
  externalIPs: ["2001:db8:aa::7"]
  selector: {app: web}
  ports: [{port: 80}]
""")
        yield made
    finally:
        made.lab.down()


@pytest.mark.parametrize(("who", "url", "seen_as"), [
    ("client", "-6 http://shop.example.com/", "[fc00:f853:ccd:e793::5]:"),
    ("web", "-6 http://shop.example.com/", "[fc00:f853:ccd:e793::3]:"),
    ("web", "-4 http://shop.example.com/", "172.18.0.3:"),
    ("shop", "http://172.18.255.200/", "198.51.100.10:"),
    ("shop", "-g http://[2001:db8:aa::7]/", "[2001:db8:51:100::a]:"),
])
def test_both_families_lead_out_and_in_and_a_load_balancer_keeps_the_outer_address(dual, who, url, seen_as):
    dual.until(lambda: f"Client: {seen_as}" in dual.run(who, f"curl -s -m 3 {url}")[1], f"{who} is seen as {seen_as}")
