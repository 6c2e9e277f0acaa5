"""A lab with a load balancer: real connections from the client outside, and what the nodes tell about their health."""

import contextlib
import json
import os
import signal

import pytest

from netlab.kernel import netns
from netlab.kernel.iptables import NodeTables
from netlab.lab.lab import Lab
from netlab.netfilter import render
from netlab.topology import names
from tests.lab.in_lab import DROPPED, REFUSED, InLab, is_ready
from tests.lab.traffic import Answer

pytestmark = pytest.mark.lab
FIRST, LAST = "172.18.255.200", "172.18.255.203"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: web}}
spec: {nodeName: %s, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{name: t, port: 80}, {name: u, port: 90, targetPort: 80, protocol: UDP}], %s}
---
"""  # noqa: E501
MANIFESTS = POD % ("here", "worker") + SERVICE % ("cluster", "") + SERVICE % ("local", "externalTrafficPolicy: Local") \
    + SERVICE % ("direct", "allocateLoadBalancerNodePorts: false") \
    + SERVICE % ("guarded", "loadBalancerSourceRanges: [10.9.0.0/16]")


@pytest.fixture(scope="module")
def lab():
    made = InLab("balanced", loadBalancer={"addresses": [f"{FIRST}-{LAST}"]})
    try:
        made.apply(MANIFESTS)
        yield made
    finally:
        made.lab.down()


def address(lab, service):
    return lab.until(lambda: [entry["ip"] for entry in lab.object("services", service)["status"]["loadBalancer"].get(
        "ingress", ())], f"{service} has an address")[0]


@pytest.mark.parametrize(("port", "protocol"), [(80, "TCP"), (90, "UDP")])
@pytest.mark.parametrize(("service", "keeps"), [("cluster", False), ("local", True), ("direct", True)])
def test_the_client_reaches_the_pod_by_the_address(lab, service, keeps, port, protocol):
    """A policy Local, and a way without node ports, keep the client's address; else a node puts its own."""
    for _ in range(6):
        answer = lab.connect("client", address(lab, service), port, protocol, limit=5)
        assert isinstance(answer, Answer), answer
        assert answer.pod == "here"
        assert (answer.client == lab.address("client")) == keeps


def test_clients_out_of_the_source_ranges_get_no_answer(lab):
    assert lab.connect("client", address(lab, "guarded"), 80) == DROPPED


def test_a_port_that_no_service_has_is_refused(lab):
    assert lab.connect("client", address(lab, "cluster"), 81) == REFUSED


def test_node_ports_go_on_working_beside_it(lab):
    port = lab.object("services", "cluster")["spec"]["ports"][0]["nodePort"]
    for node in lab.spec.nodes:
        assert lab.connect("client", lab.address(f"node {node}"), port, limit=5).pod == "here"


def test_pods_reach_the_address_without_the_load_balancer(lab):
    """kube-proxy answers for addresses of ipMode VIP on the node itself, so a pod keeps its own address."""
    answer = lab.connect("pod here", address(lab, "local"), 80, limit=5)
    assert answer.pod == "here"
    netns.delete(names.load_balancer_netns(lab.name))
    assert lab.connect("pod here", address(lab, "local"), 80, limit=5).pod == "here"
    lab.until(lambda: isinstance(lab.connect("client", address(lab, "local"), 80, limit=2), Answer),
              "the load balancer is made anew")


@pytest.mark.parametrize(("node", "code", "endpoints"), [("worker", 200, 1), ("worker2", 503, 0)])
def test_nodes_tell_whether_they_have_endpoints(lab, node, code, endpoints):
    port = lab.object("services", "local")["spec"]["healthCheckNodePort"]
    text = lab.execute("client", "curl", "-si", f"http://{lab.address(f'node {node}')}:{port}/any")
    head, _, body = text.replace("\r", "").partition("\n\n")
    assert head.splitlines()[0].split()[1] == str(code)
    assert f"X-Load-Balancing-Endpoint-Weight: {endpoints}" in head
    assert json.loads(body) == {"service": {"namespace": "default", "name": "local"}, "localEndpoints": endpoints,
                                "serviceProxyHealthy": True}


def test_a_stopped_proxy_answers_no_health_check_and_gets_no_connections(lab):
    place = f"http://{lab.address('node worker2')}:10256/healthz"
    assert json.loads(lab.execute("client", "curl", "-s", place))["nodeEligible"] is True
    assert lab.execute("worker2", "curl", "-s", "http://127.0.0.1:10249/proxyMode") == "iptables"

    def targets():
        text = lab.execute("load-balancer", "iptables-save", "-t", "nat")
        return {line.rpartition(" ")[2].partition(":")[0] for line in text.splitlines()
                if "default/cluster:t" in line and "DNAT" in line}

    both = {lab.address("node worker"), lab.address("node worker2")}
    lab.until(lambda: targets() == both, "both workers are targets")
    lab.lab.api.request("POST", "/netlab/v1/controllers?name=kube-proxy/worker2&action=stop")
    try:
        lab.until(lambda: targets() == {lab.address("node worker")}, "worker2 is taken out")
        lab.execute("client", "curl", "-s", place, code=7)
    finally:
        lab.lab.api.request("POST", "/netlab/v1/controllers?name=kube-proxy/worker2&action=start")
    lab.until(lambda: targets() == both, "worker2 is back")


def test_the_addresses_follow_the_endpoints_of_a_local_policy(lab):
    lab.command("apply", "-f", "-", text=POD % ("there", "worker2"))
    try:
        lab.until(lambda: lab.connect("client", address(lab, "local"), 80, limit=2).pod == "there", "worker2 is asked")
    finally:
        lab.command("delete", "pod", "there")
    lab.until(lambda: all(is_ready(pod) for pod in lab.objects("pods")) and {
        getattr(lab.connect("client", address(lab, "local"), 80, limit=2), "pod", "") for _ in range(8)} == {"here"},
        "worker2 is left alone")


def test_the_rules_and_addresses_are_repaired(lab):
    at = address(lab, "cluster")
    tables = NodeTables(names.load_balancer_netns(lab.name))
    before = tables.save()
    lab.execute("load-balancer", "sh", "-c", f"iptables -t nat -F && ip addr del {at}/32 dev eth0")
    assert not isinstance(lab.connect("client", at, 80), Answer)
    lab.until(lambda: tables.save() == before, "the rules are back")
    assert isinstance(lab.connect("client", at, 80, limit=5), Answer)


def test_with_all_addresses_given_a_service_waits_and_says_why(lab):
    lab.command("apply", "-f", "-", text=SERVICE % ("late", ""))
    try:
        events = lab.until(lambda: [message for _, reason, message in lab.events("late")
                                    if reason == "SyncLoadBalancerFailed"], "the event")
        assert events[0].endswith(f"no address left in the pool {FIRST}-{LAST}")
        assert "<pending>" in lab.command("get", "svc", "late")
        lab.command("delete", "service", "guarded")
        assert address(lab, "late")
        assert isinstance(lab.connect("client", address(lab, "late"), 80, limit=5), Answer)
    finally:
        lab.command("delete", "service", "late")


def test_when_the_daemon_dies_and_comes_again_no_connection_is_lost(lab):
    with lab.load("client", address(lab, "cluster"), 80) as load, lab.load("client", address(lab, "local"), 80) as kept:
        for _ in range(2):
            pid = json.loads((names.run_dir(lab.name) / "daemon.json").read_text())[1]
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # ours only if this process started it
                os.waitpid(pid, 0)
            seen = len(load.answers), len(kept.answers)
            lab.until(lambda s=seen: len(load.answers) > s[0] + 20 and len(kept.answers) > s[1] + 20, "it goes on")
            Lab.up(lab.spec).settled()
    assert load.failures == kept.failures == []


def test_what_we_render_is_what_the_load_balancer_holds(lab):
    from netlab.netfilter import parse

    text = NodeTables(names.load_balancer_netns(lab.name)).save()
    assert render(parse(text)) == text
