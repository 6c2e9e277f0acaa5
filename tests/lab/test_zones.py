"""Zones of nodes come from the lab file; hints keep connections in the client's zone, or on its node."""

import pytest

from tests.lab.in_lab import InLab
from tests.lab.traffic import Answer

pytestmark = pytest.mark.lab
ZONE = "topology.kubernetes.io/zone"
NODES = {"worker": "a", "worker2": "b", "worker3": "b"}
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec: {nodeName: %s, containers: [{name: c, image: netlab/echo, ports: [{containerPort: 80}]}]}
---
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {selector: {app: web}, ports: [{port: 80}], %s}
---
"""
MANIFESTS = POD % ("in-a", "web", "worker") + POD % ("in-b", "web", "worker2") + POD % ("asks", "other", "worker") \
    + SERVICE % ("close", "trafficDistribution: PreferClose") + SERVICE % ("any", "") \
    + SERVICE % ("node", "trafficDistribution: PreferSameNode")
AUTO = """
apiVersion: v1
kind: Service
metadata: {name: auto, annotations: {service.kubernetes.io/topology-mode: Auto}}
spec: {selector: {share: "yes"}, ports: [{port: 80}]}
---
"""


@pytest.fixture(scope="module")
def lab():
    made = InLab("zones", featureGates={"PreferSameTrafficDistribution": True}, nodes=[
        "control-plane", *({"name": node, "labels": {ZONE: zone}} for node, zone in NODES.items())])
    try:
        made.apply(MANIFESTS)
        yield made
    finally:
        made.lab.down()


def reached(lab, who, service):
    found = [lab.connect(who, lab.cluster_ip(service), 80, limit=5) for _ in range(24)]
    return {answer.pod if isinstance(answer, Answer) else answer for answer in found}


@pytest.mark.parametrize(("who", "service", "pods"), [
    ("pod asks", "close", {"in-a"}),
    ("node worker2", "close", {"in-b"}),
    ("node control-plane", "close", {"in-a", "in-b"}),  # it has no zone
    ("pod asks", "any", {"in-a", "in-b"}),
    ("node worker2", "node", {"in-b"}),
    ("node worker3", "node", {"in-b"}),  # none on that node, but one in its zone
    ("node control-plane", "node", {"in-a", "in-b"}),
])
def test_connections_stay_in_the_zone(lab, who, service, pods):
    assert reached(lab, who, service) == pods


def test_slices_carry_zones_and_hints(lab):
    slices = lab.objects("endpointslices", "discovery.k8s.io")
    found = [endpoint for part in slices if part["metadata"]["labels"].get("kubernetes.io/service-name") == "close"
             for endpoint in part["endpoints"]]
    assert sorted((one["zone"], one["hints"]["forZones"][0]["name"]) for one in found) == [("a", "a"), ("b", "b")]


def test_a_zone_without_endpoints_uses_the_others(lab):
    lab.command("delete", "pod", "in-a")
    lab.lab.settled()
    assert reached(lab, "pod asks", "close") == {"in-b"}
    lab.apply(POD % ("in-a", "web", "worker"))
    lab.until(lambda: reached(lab, "pod asks", "close") == {"in-a"}, "its own zone again")


def hinted(lab, service):
    """The zones of a Service's endpoints and for which zones they are, and what was told of it, the last at the end."""
    slices = lab.objects("endpointslices", "discovery.k8s.io")
    found = [(endpoint["zone"], *(zone["name"] for zone in (endpoint.get("hints") or {}).get("forZones", ())))
             for part in slices if part["metadata"]["labels"].get("kubernetes.io/service-name") == service
             for endpoint in part["endpoints"]]
    events = [(event["lastTimestamp"], int(event["metadata"]["resourceVersion"]), event["message"])
              for event in lab.objects("events") if event["involvedObject"]["name"] == service]
    return sorted(found), max(events)[-1]


def test_topology_mode_auto_shares_endpoints_by_the_zones_cpus(lab):
    """A third of the workers' CPUs is in zone a, so of three endpoints one is for it, wherever they are."""
    pods = [("share-1", "worker2"), ("share-2", "worker2"), ("share-3", "worker3")]
    lab.apply(AUTO + "".join(POD % (name, 'web2, share: "yes"', node) for name, node in pods))
    lab.lab.settled()
    assert hinted(lab, "auto") == (
        [("b", "a"), ("b", "b"), ("b", "b")], "Topology Aware Hints has been enabled, addressType: IPv4")
    alone, others = reached(lab, "node worker", "auto"), reached(lab, "node worker3", "auto")
    assert (len(alone), alone | others) == (1, {name for name, _ in pods})
    assert not alone & others
    lab.command("delete", "pod", "share-3")
    lab.lab.settled()
    assert hinted(lab, "auto") == (
        [("b",), ("b",)], "Unable to allocate minimum required endpoints to each zone without exceeding overload "
                          "threshold (2 endpoints, 2 zones), addressType: IPv4")
    assert reached(lab, "node worker", "auto") == {"share-1", "share-2"}
