"""Labs whose first family is IPv6: names, Services, node ports, probes and the API are reached by it."""

import os

import pytest

from tests.lab.in_lab import InLab

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root")]
FAMILIES = {"iptables": ["IPv6"], "nftables": ["IPv6", "IPv4"]}
FLUSH = {"iptables": ["ip6tables", "-t", "nat", "-F"], "nftables": ["nft", "delete", "table", "ip6", "kube-proxy"]}
SHOW = {"iptables": ["ip6tables-save"], "nftables": ["nft", "list", "table", "ip6", "kube-proxy"]}
OBJECTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: worker
  containers:
  - {name: c, image: agnhost, args: [netexec], readinessProbe: {httpGet: {path: /healthz, port: 8080}}}
---
apiVersion: v1
kind: Pod
metadata: {name: tools}
spec:
  containers: [{name: c, image: netshoot, command: [sleep, infinity]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {selector: {app: none}, ports: [{port: 80}]}
"""


@pytest.fixture(scope="module", params=FAMILIES)
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def host(mode):
    made = InLab("six", nodes=2, ipFamilies=FAMILIES[mode], proxyMode=mode)
    try:
        made.apply(OBJECTS)
        made.until(made.all_ready, "pods are ready")
        yield made
    finally:
        made.lab.down()


def test_a_service_answers_by_its_name_and_the_pod_sees_the_client(host):
    pod = host.object("pods", "tools")["status"]["podIP"]
    assert ":" in pod
    assert host.execute("tools", "curl", "-s", "http://web/clientip").startswith(f"[{pod}]:")


def test_a_node_port_is_open_on_the_nodes_address_and_not_on_the_loopback_one(host):
    for node in host.lab.spec.nodes:
        assert host.execute("client", "curl", "-sg", f"http://[{host.lab.spec.node_ip(node)}]:30080/hostname") == "web"
    assert host.execute("worker", "curl", "-sg", "http://[::1]:30080/hostname", code=7) == ""


def test_kube_proxys_health_is_told_by_ipv6(host):
    url = f"http://[{host.lab.spec.node_ip('worker')}]:10256/healthz"
    assert "nodeEligible" in host.execute("client", "curl", "-sg", url)


def test_a_service_without_endpoints_refuses(host):
    host.execute("tools", "curl", "-s", "--max-time", "10", "http://empty/", code=7)


def test_pods_reach_the_api_by_its_service(host):
    url = "https://kubernetes.default.svc/healthz"
    ca = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    assert host.execute("tools", "curl", "-s", "--cacert", ca, url) == "ok"
    assert host.object("services", "kubernetes")["spec"]["ipFamilies"] == ["IPv6"]


def test_rules_that_somebody_deleted_come_back_when_services_change(host, mode):
    host.execute("worker", *FLUSH[mode])
    host.apply(OBJECTS.replace("name: empty", "name: other"))
    host.until(lambda: "default/web" in host.lab.run("worker", SHOW[mode])[1].decode(), "the rules are back", 40.0)
