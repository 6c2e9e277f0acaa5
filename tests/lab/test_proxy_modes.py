"""Labs whose kube-proxy runs in another mode than the usual one, and kube-proxies that stop and start."""

import pytest

from netlab.proxy import MODES
from tests.lab.in_lab import REFUSED, InLab

pytestmark = pytest.mark.lab
SHOWS = {"iptables": (["iptables-save"], "KUBE-SVC"), "nftables": (["nft", "list", "ruleset"], "table ip kube-proxy"),
         "userspace": (["iptables-save"], "KUBE-PORTALS-CONTAINER")}
FLUSH = {"iptables": ["iptables", "-t", "nat", "-F"], "userspace": ["iptables", "-t", "nat", "-F"],
         "nftables": ["nft", "delete", "table", "ip", "kube-proxy"]}
MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: one}}
spec: {nodeName: worker, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: one}
spec: {type: NodePort, selector: {app: one}, ports: [{port: 80, nodePort: 30080}]}
"""
LATER = """
apiVersion: v1
kind: Service
metadata: {name: later}
spec: {type: NodePort, selector: {app: one}, ports: [{port: 80, nodePort: 30081}]}
"""


@pytest.fixture(scope="module", params=sorted(SHOWS.keys() & MODES.keys()))
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def lab(mode):
    period = {"syncPeriod": "200ms", "minSyncPeriod": "0s"}
    section = "nftables" if mode == "nftables" else "iptables"
    made = InLab("modes", nodes=["control-plane", "worker"], proxyMode=mode, kubeProxy={section: period})
    try:
        made.apply(MANIFESTS)
        yield made
    finally:
        made.lab.down()


@pytest.mark.parametrize(("words", "text"), [
    (["stop", "kube-prox"], 'there is no part "kube-prox" to stop (did you mean "kube-proxy"?)'),
    (["start", "coredns"], "try: netlab scale deployment coredns -n kube-system --replicas=0"),
    (["stop", "kube-proxy", "woker"], "try: one of: control-plane, worker"),
    (["stop", "cni", "woker"], "try: one of: control-plane, worker"),
])
def test_a_part_that_is_not_there_is_told_with_what_there_is(lab, words, text):
    code, _, error = lab.netlab(*words)
    assert code == 4
    assert text in error


def rules(lab, mode, node="worker"):
    return lab.execute(node, *SHOWS[mode][0])


def test_services_answer_and_the_rules_can_be_seen(lab, mode):
    node = lab.address("node worker")
    assert lab.connect("client", node, 30080).pod == "one"
    assert lab.connect("pod one", lab.cluster_ip("one"), 80).pod == "one"
    assert lab.connect("node control-plane", lab.cluster_ip("one"), 80).client == lab.address("node control-plane")
    assert SHOWS[mode][1] in rules(lab, mode)


def test_who_listens_is_seen(lab, mode):
    """Node ports are rules; only the userspace proxy has sockets for them, and for every Service a random one."""
    sockets = lab.execute("worker", "ss", "-ltn")
    assert (":30080 " in sockets) == (mode == "userspace")


def test_rules_flushed_by_hand_come_back_within_the_sync_period(lab, mode):
    node = lab.address("node worker")
    lab.execute("worker", *FLUSH[mode])
    lab.until(lambda: getattr(lab.connect("client", node, 30080), "pod", "") == "one", "the rules are back")
    assert SHOWS[mode][1] in rules(lab, mode)


def test_a_stopped_proxy_leaves_its_rules_and_a_started_one_follows_again(lab, mode):
    node = lab.address("node worker")
    try:
        assert lab.command("stop", "kube-proxy", "worker") == "kube-proxy/worker stopped\n"
        lab.apply(LATER)
        if mode == "userspace":
            assert lab.connect("client", node, 30080) == REFUSED  # the rules lead to nobody now
        else:
            assert lab.connect("client", node, 30080).pod == "one"
        assert lab.connect("client", node, 30081) == REFUSED
        assert lab.command("stop", "kube-proxy", "worker", "--cleanup").endswith("its rules are gone\n")
        assert lab.connect("client", node, 30080) == REFUSED
        assert SHOWS[mode][1] not in rules(lab, mode)
        assert SHOWS[mode][1] in rules(lab, mode, "control-plane")
    finally:
        assert lab.command("start", "kube-proxy", "worker") == "kube-proxy/worker started\n"
    lab.lab.settled(30)
    assert lab.connect("client", node, 30080).pod == "one"
    assert lab.connect("client", node, 30081).pod == "one"
