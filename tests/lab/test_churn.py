"""Hundreds of quick changes while clients connect: nobody notices, and nothing stale is left on any node."""

import re
import socket
from contextlib import ExitStack

import pytest

from netlab.kernel import netns
from netlab.proxy import MODES
from netlab.server.client import MERGE_PATCH
from tests.lab.in_lab import InLab
from tests.lab.traffic import echo

pytestmark = pytest.mark.lab
CORE, APPS = "/api/v1/namespaces/default", "/apis/apps/v1/namespaces/default"
NODES = ["control-plane", "worker", "worker2"]
ROUNDS = 20
SAVE = {"iptables": ["iptables-save"], "nftables": ["nft", "list", "ruleset"], "userspace": ["iptables-save"]}
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {terminationGracePeriodSeconds: 2, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {tier: front}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: talk}
spec: {selector: {talks: "yes"}, ports: [{port: 53, targetPort: 80, protocol: UDP}]}
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {%s}}
spec: {nodeName: %s, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
"""


@pytest.fixture(scope="module", params=sorted(SAVE.keys() & MODES.keys()))
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def lab(mode):
    made = InLab("churn", nodes=NODES, proxyMode=mode)
    try:
        made.apply(MANIFESTS + POD % ("spare", "tier: none", "worker") + POD % ("asking", "a: b", "worker2")
                   + POD % ("first", 'talks: "yes"', "worker") + POD % ("second", "a: b", "worker2"))
        yield made
    finally:
        made.lab.down()


def patch(lab, path, content):
    lab.api.json("PATCH", path, content, content_type=MERGE_PATCH)


def churn(lab, number):
    """A dozen writes that each change rules, and take no backend away that still has to answer."""
    name = f"passing{number % 3}"
    lab.create(f"{CORE}/services", {"metadata": {"name": name}, "spec": {
        "type": "NodePort", "selector": {"tier": "front"}, "ports": [{"port": 81, "targetPort": 80}]}})
    patch(lab, f"{CORE}/pods/spare", {"metadata": {"labels": {"tier": "front"}}})
    patch(lab, f"{CORE}/services/web", {"spec": {"type": ("LoadBalancer", "NodePort")[number % 2]}})
    patch(lab, f"{CORE}/services/web", {"spec": {"externalIPs": [f"198.51.100.{number + 1}"]}})
    patch(lab, f"{CORE}/services/{name}", {"spec": {"sessionAffinity": "ClientIP"}})
    patch(lab, f"{CORE}/services/{name}", {"spec": {"type": "ClusterIP", "ports": [{"port": 82, "targetPort": 80}]}})
    patch(lab, f"{APPS}/deployments/web", {"spec": {"replicas": 3 + number % 3}})
    patch(lab, f"{CORE}/services/{name}", {"spec": {"internalTrafficPolicy": "Local"}})
    if number % 8 == 4:
        patch(lab, f"{APPS}/deployments/web", {"spec": {"template": {"metadata": {"annotations": {"n": str(number)}}}}})
    patch(lab, f"{CORE}/services/{name}", {"spec": {"selector": {"tier": "nobody"}}})
    patch(lab, f"{CORE}/pods/spare", {"metadata": {"labels": {"tier": "none"}}})
    lab.api.json("DELETE", f"{CORE}/services/{name}")


def test_no_connection_fails_while_everything_changes_and_nothing_stale_is_left(lab, mode):
    address = lab.cluster_ip("web")
    with ExitStack() as stack:
        loads = [stack.enter_context(lab.load(who, *target)) for who, target in (
            ("pod asking", (address, 80)), ("node worker", (address, 80)), ("node control-plane", (address, 80)),
            ("client", (lab.address("node worker2"), 30080)))]
        for number in range(ROUNDS):
            churn(lab, number)
        lab.until(lab.all_ready, "the last rollout is done")
        lab.lab.settled(30)
    assert [load.failures for load in loads] == [[]] * len(loads)
    assert all(len(load.answers) > 50 for load in loads)
    patch(lab, f"{CORE}/services/web", {"spec": {"externalIPs": None, "type": "NodePort"}})
    lab.lab.settled(30)
    ends = {pod["status"]["podIP"] for pod in lab.objects("pods") if pod["metadata"]["labels"].get("tier") == "front"}
    for node in NODES:
        # nftables' chains are emptied at once, and deleted by a later sync, as kube-proxy does it.
        rules = re.sub(r"\tchain \S+ \{\n\t\}\n", "", lab.execute(node, *SAVE[mode]))
        assert "passing" not in rules
        assert "198.51.100." not in rules
        if mode == "iptables":
            web = [line for line in rules.splitlines() if "default/web ->" in line]
            assert {line.partition("-> ")[2].partition(":")[0] for line in web} == ends
            assert rules.count("-A KUBE-SVC-") >= len(ends)


def test_a_udp_flow_of_a_backend_that_went_goes_to_the_next_one_at_once(lab):
    target = lab.cluster_ip("talk"), 53
    client = netns.visit(lab.netns("pod asking"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:  # one port for all of it: one flow
        client.settimeout(0.3)
        client.connect(target)
        assert echo(client).pod == "first"
        for here, there in (("first", "second"), ("second", "first")) * 5:
            patch(lab, f"{CORE}/pods/{there}", {"metadata": {"labels": {"talks": "yes"}}})
            patch(lab, f"{CORE}/pods/{here}", {"metadata": {"labels": {"talks": None}}})
            lab.until(lambda there=there: answers(client) == there, f"{there} answers")


def answers(client):
    try:
        return echo(client).pod
    except OSError:
        return None
