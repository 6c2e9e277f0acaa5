"""Zones of nodes come from the lab file; `trafficDistribution: PreferClose` keeps connections in the client's zone."""

import pytest

from tests.lab.in_lab import InLab
from tests.lab.traffic import Answer

pytestmark = pytest.mark.lab
ZONE = "topology.kubernetes.io/zone"
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
    + SERVICE % ("close", "trafficDistribution: PreferClose") + SERVICE % ("any", "")


@pytest.fixture(scope="module")
def lab():
    made = InLab("zones", nodes=["control-plane", {"name": "worker", "labels": {ZONE: "a"}},
                                 {"name": "worker2", "labels": {ZONE: "b"}}])
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
