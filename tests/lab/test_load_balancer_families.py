"""A dual-stack lab with a load balancer: real connections of each family, one address of each in Services' status."""

import json

import pytest

from netlab.kernel.iptables import NodeTables
from netlab.netfilter import parse, render
from netlab.topology import names
from tests.lab.in_lab import DROPPED, REFUSED, InLab
from tests.lab.traffic import Answer

pytestmark = pytest.mark.lab
FAMILIES = ["IPv4", "IPv6"]
POOL = ["172.18.255.200-172.18.255.220", "fc00:f853:ccd:e793::ff00/120"]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: here, labels: {app: web}}
spec: {nodeName: worker, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec:
  type: LoadBalancer
  selector: {app: web}
  ipFamilyPolicy: PreferDualStack
  ports: [{name: t, port: 80}, {name: u, port: 90, targetPort: 80, protocol: UDP}]
  %s
---
"""
MANIFESTS = POD + SERVICE % ("cluster", "ipFamilies: [IPv6, IPv4]") \
    + SERVICE % ("local", "externalTrafficPolicy: Local") \
    + SERVICE % ("direct", "allocateLoadBalancerNodePorts: false") \
    + SERVICE % ("guarded", 'loadBalancerSourceRanges: [172.18.0.0/16, "fd00:9::/64"]')


@pytest.fixture(scope="module", params=["VIP", "Proxy"])
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def lab(mode):
    made = InLab("families", nodes=3, ipFamilies=FAMILIES, loadBalancer={"addresses": POOL, "ipMode": mode})
    try:
        made.apply(MANIFESTS)
        yield made
    finally:
        made.lab.down()


def addresses(lab, service):
    return lab.until(lambda: [entry["ip"] for entry in lab.object("services", service)["status"]["loadBalancer"].get(
        "ingress", ())], f"{service} has addresses")


def address(lab, service, family):
    return next(one for one in addresses(lab, service) if (":" in one) == (family == "IPv6"))


def test_the_status_has_an_address_of_each_family_in_the_services_order(lab):
    assert [":" in one for one in addresses(lab, "cluster")] == [True, False]
    assert [":" in one for one in addresses(lab, "local")] == [False, True]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("port", "protocol"), [(80, "TCP"), (90, "UDP")])
@pytest.mark.parametrize(("service", "keeps"), [("cluster", False), ("local", True), ("direct", True)])
def test_the_client_reaches_the_pod_by_each_address(lab, mode, service, keeps, port, protocol, family):
    """The client's address is kept as in a lab of one family; a Proxy puts its own in its place."""
    balancer = str(lab.spec.load_balancer_ips[FAMILIES.index(family)])
    seen = balancer if mode == "Proxy" else lab.address("client", family)
    for _ in range(6):
        answer = lab.connect("client", address(lab, service, family), port, protocol, limit=5)
        assert isinstance(answer, Answer), answer
        assert answer.pod == "here"
        assert (answer.client == seen) == keeps


@pytest.mark.parametrize(("family", "reached"), [("IPv4", True), ("IPv6", False)])
def test_source_ranges_count_for_their_family(lab, family, reached):
    answer = lab.connect("client", address(lab, "guarded", family), 80, limit=5 if reached else 1)
    assert isinstance(answer, Answer) if reached else answer == DROPPED


@pytest.mark.parametrize("family", FAMILIES)
def test_a_port_that_no_service_has_is_refused(lab, family):
    assert lab.connect("client", address(lab, "cluster", family), 81) == REFUSED


@pytest.mark.parametrize("family", FAMILIES)
def test_pods_reach_both_addresses(lab, family):
    assert lab.connect("pod here", address(lab, "local", family), 80, limit=5).pod == "here"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("node", "code", "endpoints"), [("worker", 200, 1), ("worker2", 503, 0)])
def test_nodes_tell_their_endpoints_by_each_family(lab, node, code, endpoints, family):
    port = lab.object("services", "local")["spec"]["healthCheckNodePort"]
    at = lab.address(f"node {node}", family)
    text = lab.execute("client", "curl", "-sig", f"http://{f'[{at}]' if ':' in at else at}:{port}/")
    head, _, body = text.replace("\r", "").partition("\n\n")
    assert head.split()[1] == str(code)
    assert json.loads(body)["localEndpoints"] == endpoints


def test_rules_and_addresses_of_ipv6_are_repaired(lab):
    at = address(lab, "cluster", "IPv6")
    tables = NodeTables(names.load_balancer_netns(lab.name))
    before = tables.save("IPv6")
    lab.execute("load-balancer", "sh", "-c", f"ip6tables -t nat -F && ip -6 addr del {at}/128 dev eth0")
    lab.until(lambda: tables.save("IPv6") == before, "the rules are back")
    lab.until(lambda: isinstance(lab.connect("client", at, 80, limit=2), Answer), "the address is back")
    assert render(parse(before, family="IPv6")) == before


def test_a_service_without_a_family_any_more_gives_its_address_back(lab):
    kept, gone = address(lab, "direct", "IPv4"), address(lab, "direct", "IPv6")
    lab.command("kubectl", "patch", "service", "direct", "--type=merge", "-p", json.dumps({"spec": {
        "ipFamilyPolicy": "SingleStack"}}))
    lab.until(lambda: addresses(lab, "direct") == [kept], "one address is left")
    lab.until(lambda: gone not in lab.execute("load-balancer", "ip", "-6", "addr"), "the load balancer has it no more")
    assert isinstance(lab.connect("client", kept, 80, limit=5), Answer)
