"""A dual-stack lab in the userspace mode: a proxy for each family, beside what others wrote into the tables."""

import pytest

from tests.lab.in_lab import REFUSED, InLab

pytestmark = pytest.mark.lab
FAMILIES = ["IPv4", "IPv6"]
PROGRAMS = {"IPv4": "iptables", "IPv6": "ip6tables"}
POD = """
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: one}}
spec: {nodeName: worker, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec:
  type: NodePort
  ipFamilyPolicy: PreferDualStack
  selector: {app: one}
  ports: [{name: t, port: 80, nodePort: %s}, {name: u, port: 90, targetPort: 80, nodePort: %s, protocol: UDP}]
"""


@pytest.fixture(scope="module")
def lab():
    made = InLab("user", nodes=["control-plane", "worker"], proxyMode="userspace", ipFamilies=FAMILIES,
                 kubeProxy={"iptables": {"syncPeriod": "200ms", "minSyncPeriod": "0s"}})
    try:
        made.apply(f"{POD}---{SERVICE % ('one', 30080, 30090)}")
        yield made
    finally:
        made.lab.down()


def cluster_ip(lab, family):
    spec = lab.object("services", "one")["spec"]
    return spec["clusterIPs"][spec["ipFamilies"].index(family)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("port", "protocol"), [(0, "TCP"), (10, "UDP")])
def test_services_answer_by_each_family_and_the_pod_sees_the_node(lab, family, port, protocol):
    found = lab.connect("client", lab.address("node control-plane", family), 30080 + port, protocol, limit=5)
    assert (found.pod, found.client) == ("one", lab.address("node control-plane", family))
    for who in ("pod one", "node control-plane", "node worker"):
        assert lab.connect(who, cluster_ip(lab, family), 80 + port, protocol, limit=5).pod == "one"


def test_each_family_has_listeners_of_its_own(lab):
    found = [line.split()[3] for line in lab.execute("worker", "ss", "-ltn").splitlines()]
    assert {"0.0.0.0:30080", "[::]:30080"} <= set(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_rules_of_others_stay_when_services_come_and_go(lab, family):
    program = PROGRAMS[family]
    mine = "-A INPUT -p tcp -m tcp --dport 7777 -j DROP"
    lab.execute("worker", program, *mine.split())
    lab.command("apply", "-f", "-", text=SERVICE % ("later", 30081, 30091))
    try:
        node = lab.address("node worker", family)
        lab.until(lambda: getattr(lab.connect("client", node, 30081), "pod", "") == "one", "the new Service answers")
        assert mine in lab.execute("worker", f"{program}-save")
        lab.execute("worker", program, "-t", "nat", "-F", "KUBE-PORTALS-CONTAINER")
        lab.until(lambda: "default/one" in lab.execute("worker", program, "-t", "nat", "-S", "KUBE-PORTALS-CONTAINER"),
                  "the rules are back")
        assert mine in lab.execute("worker", f"{program}-save")
    finally:
        lab.command("delete", "service", "later")
    lab.until(lambda: lab.connect("client", node, 30081) == REFUSED, "the Service is gone")
    assert mine in lab.execute("worker", f"{program}-save")
