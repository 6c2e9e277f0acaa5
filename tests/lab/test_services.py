"""Services of a lab behave as on a cluster: real connections from pods, nodes and the client outside."""

import socket
import subprocess
import time
from collections import Counter
from ipaddress import IPv4Address

import pytest

from netlab.kernel import netns
from netlab.kernel.iptables import normalise
from netlab.model.endpoints import parse_endpoint_slice
from netlab.netfilter import Packet, render, trace
from netlab.proxy import MODES
from netlab.proxy.snapshot import NodeView, Snapshots
from netlab.topology.plan import pod_link
from tests.lab.in_lab import DROPPED, NO_ROUTE, REFUSED
from tests.lab.traffic import Answer, echo

pytestmark = pytest.mark.lab
LAB = "services"

# Three web pods where the scheduler puts them; the others have their places, so that rows can speak of them.
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: netlab/echo
        ports: [{name: http, containerPort: 80}, {name: talk, containerPort: 80, protocol: UDP}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports:
  - {name: http, port: 8000, targetPort: http, nodePort: 30500}
  - {name: talk, port: 9000, targetPort: talk, protocol: UDP, nodePort: 30501}
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: one}}
spec: {nodeName: worker, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: single}
spec: {selector: {app: one}, ports: [{name: t, port: 80}, {name: u, port: 81, targetPort: 80, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: near}
spec: {internalTrafficPolicy: Local, selector: {app: one}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: kept}
spec: {type: NodePort, externalTrafficPolicy: Local, selector: {app: one}, ports: [{port: 80, nodePort: 30520}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec:
  type: NodePort
  selector: {app: nobody}
  ports: [{name: t, port: 80, nodePort: 30510}, {name: u, port: 90, protocol: UDP, nodePort: 30511}]
---
apiVersion: v1
kind: Pod
metadata: {name: on-host, labels: {app: on-host}}
spec: {hostNetwork: true, nodeName: worker2, containers: [{name: c, image: netlab/echo, args: ["--port=9999"]}]}
---
apiVersion: v1
kind: Service
metadata: {name: host}
spec: {type: NodePort, selector: {app: on-host}, ports: [{port: 80, targetPort: 9999, nodePort: 30530}]}
---
apiVersion: v1
kind: Service
metadata: {name: manual}
spec: {ports: [{name: x, port: 80, targetPort: 1}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: manual-1, labels: {kubernetes.io/service-name: manual}}
addressType: IPv4
ports: [{name: x, port: 9999}]
endpoints: [{addresses: [172.18.0.4]}]
---
apiVersion: v1
kind: Service
metadata: {name: mirrored}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: mirrored}
subsets: [{addresses: [{ip: 172.18.0.4}], ports: [{port: 9999}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {nodeName: worker, containers: [{name: c, image: netshoot, command: [sleep, infinity]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b}
spec: {nodeName: worker2, containers: [{name: c, image: netshoot, command: [sleep, infinity]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: c}
spec: {nodeName: control-plane, containers: [{name: c, image: busybox, command: [sleep, infinity]}]}
"""

# Who connects, where to, port, protocol. "SERVICE" alone is its ClusterIP.
FLOWS = [
    *((who, "web", 8000, "TCP") for who in ("pod a", "pod b", "pod c", "node control-plane", "node worker2")),
    *((who, "web", 9000, "UDP") for who in ("pod a", "pod c", "node worker")),
    ("pod a", "web", 8001, "TCP"),  # a port that it has not
    ("pod a", "web", 8000, "UDP"),
    *((who, "node worker", 30500, "TCP") for who in ("client", "pod a", "pod b", "node worker", "node worker2")),
    *((who, "node control-plane", 30500, "TCP") for who in ("client", "pod b")),
    ("node worker", "127.0.0.1", 30500, "TCP"),
    *((who, "node worker2", 30501, "UDP") for who in ("client", "pod a", "node worker2")),
    *((who, "headless", 80, "TCP") for who in ("pod a", "pod c")),
    ("pod b", "headless", 80, "UDP"),
    *((who, "pod one", 80, "TCP") for who in ("pod a", "pod b", "node control-plane", "client")),
    *((who, "single", 80, "TCP") for who in ("pod one", "pod a", "pod b", "node worker")),  # the first: hairpin
    ("pod one", "single", 81, "UDP"),
    *((who, "near", 80, "TCP") for who in ("pod a", "pod b", "node worker", "node worker2")),
    *((who, "node worker", 30520, "TCP") for who in ("client", "pod b", "node worker")),
    *((who, "node worker2", 30520, "TCP") for who in ("client", "pod b")),
    *((who, "nobody", 80, "TCP") for who in ("pod a", "node worker", "client")),
    *((who, "nobody", 90, "UDP") for who in ("pod b", "node worker2")),
    *((who, "node worker", 30510, "TCP") for who in ("client", "pod a", "node worker")),
    *((who, "node worker", 30511, "UDP") for who in ("client", "pod b")),
    *((who, "host", 80, "TCP") for who in ("pod a", "pod b", "node worker")),
    *((who, "node worker", 30530, "TCP") for who in ("client", "pod a")),
    *((who, service, 80, "TCP") for service in ("manual", "mirrored") for who in ("pod a", "node control-plane")),
]


def compiled(lab):
    """The rules of each node, from what the API has at present."""
    api = lab.lab.api
    rows = Snapshots().take(api.get("/api/v1/services")["items"],
                            api.get("/apis/discovery.k8s.io/v1/endpointslices")["items"])
    return {node: MODES["iptables"](rows, NodeView(node, (str(lab.spec.node_ip(node)),), "", str(lab.spec.pod_cidr)))
            for node in lab.spec.nodes}


def saved(lab, node):
    command = ["ip", "netns", "exec", f"{lab.name}.{node}", "iptables-legacy-save"]
    return normalise(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(autouse=True)
def rules_are_as_rendered(lab):
    """After each test every node holds what its objects compile to, byte for byte as the program prints it."""
    yield
    lab.until(lab.all_ready, "every pod is ready")
    lab.lab.settled()
    for node, ruleset in compiled(lab).items():
        assert saved(lab, node) == render(ruleset)


def test_a_node_shows_its_rules_to_whoever_asks(lab):
    assert "KUBE-SVC-" in lab.execute("worker", "iptables", "-t", "nat", "-S")
    by_hand = subprocess.run(["ip", "netns", "exec", f"{lab.name}.worker", "iptables-legacy", "-t", "nat", "-S"],
                             capture_output=True, text=True, check=True).stdout
    assert "KUBE-NODEPORTS -p tcp" in by_hand


# The tracer and the kernel

def expected(lab, rules, who, address, port, protocol):
    """(verdicts, what the tracer says can be reached, the client's address that is seen there) for a connection."""
    nodes = {str(lab.spec.node_ip(node)): node for node in lab.spec.nodes}
    source = lab.address(who)
    if who.startswith("pod"):
        node = lab.node_of(who)
        link = pod_link(lab.spec, node=node, address=IPv4Address(source))[0]
    elif who == "client":
        if address not in nodes:
            return {NO_ROUTE}, {}, {}
        node, link = nodes[address], "eth0"
    else:
        node, link = lab.node_of(who), ""
        source = "127.0.0.1" if address.startswith("127.") else source
    packet = Packet(source, address, port, protocol.lower(), link)
    seen = {}
    found = trace(rules[node], packet, addresses=own(lab, node))
    if found.verdicts == {"accept"} and nodes.get(address, node) != node and set(found.destinations) == {
            f"{address}:{port}"}:  # another node's address: that node decides
        node = nodes[address]
        found = trace(rules[node], packet._replace(in_interface="eth0"), addresses=own(lab, node))
    pods = lab.spec.node_pod_cidr(node)
    for end in found.outcomes:
        if end.verdict == "accept":  # masquerading takes the address of the interface that the packet leaves by
            egress = pods[1] if IPv4Address(end.address) in pods else lab.spec.node_ip(node)
            seen[f"{end.address}:{end.port}"] = str(egress) if end.masqueraded else source
    return found.verdicts, found.destinations, seen


def own(lab, node):
    return {str(lab.spec.node_ip(node)), str(lab.spec.node_pod_cidr(node)[1])}


def places(lab, name):
    """The addresses that a row's destination means."""
    if name[0].isdigit():
        return [name]
    if " " in name:
        return [lab.address(name)]
    address = lab.cluster_ip(name)
    if address != "None":
        return [address]
    return lab.execute("default/a", "dig", "+short", f"{name}.default.svc.cluster.local").split()


def test_there_are_enough_rows():
    assert len(FLOWS) == len(set(FLOWS)) >= 50


@pytest.mark.parametrize("row", FLOWS, ids=lambda row: f"{row[0]} to {row[1]}:{row[2]}-{row[3]}")
def test_the_tracer_and_a_real_connection_agree(lab, row):
    who, name, port, protocol = row
    rules = compiled(lab)
    for address in places(lab, name):
        verdicts, reachable, seen = expected(lab, rules, who, address, port, protocol)
        if verdicts != {"accept"}:
            (verdict,) = verdicts
            wanted = {"reject": REFUSED, "drop": DROPPED, NO_ROUTE: NO_ROUTE}[verdict]
            assert lab.connect(who, address, port, protocol) == wanted
            continue
        if not any(place.rpartition(":")[0] in known(lab) for place in reachable):
            assert lab.connect(who, address, port, protocol) == DROPPED  # nobody has that address
            continue
        met = set()
        for _ in range(40 * len(reachable)):  # three backends: all but 1 in 10 million times each one is met
            answer = lab.connect(who, address, port, protocol, limit=5)
            assert isinstance(answer, Answer), answer
            assert answer.at in reachable
            assert answer.client == seen[answer.at], answer
            met.add(answer.at)
            if met == set(reachable):
                break
        assert met == set(reachable)


def known(lab):
    """Addresses that somebody has."""
    return {pod["status"]["podIP"] for pod in lab.objects("pods")} | {str(lab.spec.node_ip(n)) for n in lab.spec.nodes}


# What users see

def test_three_hundred_requests_are_spread_over_three_pods(lab):
    address = lab.cluster_ip("web")
    count = Counter(lab.connect("pod a", address, 8000, limit=5).pod for _ in range(300))
    assert len(count) == 3
    assert min(count.values()) > 60, count  # five standard deviations below 100


@pytest.mark.parametrize("who", ["pod a", "node worker", "client"])
def test_a_service_without_endpoints_refuses_at_once(lab, who):
    tcp, udp = (lab.address("node worker"), 30510), (lab.address("node worker"), 30511)
    if who != "client":
        address = lab.cluster_ip("nobody")
        tcp, udp = (address, 80), (address, 90)
    for place, protocol in ((tcp, "TCP"), (udp, "UDP")):
        start = time.monotonic()
        assert [lab.connect(who, *place, protocol) for _ in range(20)] == [REFUSED] * 20
        assert time.monotonic() - start < 2


def test_the_client_outside_has_no_way_to_pods_and_cluster_ips(lab):
    for address in (lab.address("pod one"), lab.cluster_ip("web"), "10.96.0.10"):
        assert lab.connect("client", address, 80) == NO_ROUTE


def test_a_pod_that_is_deleted_costs_no_connection(lab):
    """Two rounds, with clients inside and outside; the built-in servers end at SIGTERM, without any preStop hook."""
    with lab.load("pod a", lab.cluster_ip("web"), 8000) as inside, \
            lab.load("client", lab.address("node control-plane"), 30500) as outside:
        for _ in range(2):
            victim = next(pod["metadata"]["name"] for pod in lab.objects("pods")
                          if pod["metadata"].get("labels", {}).get("app") == "web")
            lab.until(lambda v=victim: v in inside.pods() and v in outside.pods(), "both reach the pod")
            lab.command("delete", "pod", victim)
            gone = time.monotonic()
            lab.until(lambda: lab.all_ready() and len(inside.pods(gone)) == len(outside.pods(gone)) == 3,  # noqa: B023
                      "another one takes its place")
            assert victim not in inside.pods(gone) | outside.pods(gone)
    assert inside.failures == outside.failures == []


def test_relabelling_a_pod_moves_new_connections_and_back(lab):
    address = lab.cluster_ip("web")
    victim = lab.connect("pod a", address, 8000, limit=5).pod

    def reached():
        return {lab.connect("pod a", address, 8000, limit=5).pod for _ in range(60)}

    with lab.load("pod b", address, 8000) as load:
        lab.command("label", "pod", victim, "app=quarantine", "--overwrite")
        lab.until(lambda: lab.all_ready() and len(slice_addresses(lab, "web")) == 3, "the Deployment makes another")
        lab.lab.settled()
        assert victim not in reached()
        assert lab.connect("pod a", lab.address(f"pod {victim}"), 80).pod == victim  # it runs on, for a look at it
        lab.command("label", "pod", victim, "app=web", "--overwrite")
        lab.until(lambda: lab.all_ready() and len(slice_addresses(lab, "web")) == 3, "the surplus pod goes")
        lab.lab.settled()
        assert len(reached()) == 3
    assert load.failures == []


def slice_addresses(lab, service):
    """Addresses of ready endpoints, as kube-proxy reads them."""
    found = [parse_endpoint_slice(part) for part in lab.objects("endpointslices", group="discovery.k8s.io")
             if part["metadata"]["labels"].get("kubernetes.io/service-name") == service]
    return {end.addresses[0] for part in found for end in part.endpoints if end.ready}


def test_scaled_to_nothing_it_refuses_and_scaled_up_it_serves(lab):
    address = lab.cluster_ip("web")
    lab.command("scale", "deployment/web", "--replicas=0")
    lab.until(lambda: not slice_addresses(lab, "web"), "no endpoint is left")
    lab.lab.settled()
    assert lab.connect("pod a", address, 8000, limit=3) == REFUSED
    assert lab.connect("client", lab.address("node worker"), 30500, limit=3) == REFUSED
    lab.command("scale", "deployment/web", "--replicas=3")
    lab.until(lambda: len(slice_addresses(lab, "web")) == 3, "three endpoints")
    lab.lab.settled()
    assert isinstance(lab.connect("pod a", address, 8000, limit=3), Answer)


def test_a_rolling_update_costs_no_connection(lab):
    def update(manifest):
        document = MANIFESTS.split("---")[0].replace("image: netlab/echo", f"image: netlab/echo\n        {manifest}")
        lab.apply(document)

    with lab.load("pod b", lab.cluster_ip("web"), 8000) as inside, \
            lab.load("client", lab.address("node worker2"), 30500) as outside:
        before = {pod["metadata"]["name"] for pod in lab.objects("pods")}
        update('env: [{name: VERSION, value: "2"}]')  # no hook
        update('lifecycle: {preStop: {exec: {command: [sleep, "0.3"]}}}')
        done = time.monotonic()
        lab.until(lambda: len(inside.pods(done)) == len(outside.pods(done)) == 3, "all new pods answer")
    assert not before & (inside.pods(done) | outside.pods(done))
    assert inside.failures == outside.failures == []


def test_a_udp_client_that_keeps_its_port_follows_when_its_pod_is_deleted(lab):
    client = netns.visit(lab.netns("pod b"), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with client:
        client.settimeout(0.2)
        client.connect((lab.cluster_ip("web"), 9000))
        first = echo(client).pod
        assert {echo(client).pod for _ in range(10)} == {first}
        lab.command("delete", "pod", first)

        def moved():
            try:
                return echo(client).pod != first
            except OSError:
                return False

        lab.until(moved, "another pod answers", limit=5)
