import pytest

from netlab.controllers.endpointslice_mirroring import EndpointSliceMirroring, mirror
from netlab.model import meta

PORTS = [{"name": "http", "port": 80, "protocol": "TCP"}]


def manual(cluster, *, labels=None, annotations=None, selector=None):
    cluster.service("db", selector=selector)
    return cluster.create("endpoints", {
        "metadata": {"name": "db", "labels": labels or {"team": "blue"}, "annotations": annotations or {}},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}],
                     "ports": PORTS}]})


def test_endpoints_of_a_service_without_selector_are_copied_and_followed(cluster):
    endpoints = manual(cluster, annotations={"note": "kept",
                                             "kubectl.kubernetes.io/last-applied-configuration": "dropped"})

    async def story(manager):
        (found,) = cluster.list("endpointslices")
        assert meta.name(found).startswith("db-")
        assert meta.labels(found) == {"team": "blue", "kubernetes.io/service-name": "db",
                                      "endpointslice.kubernetes.io/managed-by":
                                          "endpointslicemirroring-controller.k8s.io"}
        assert meta.annotations(found) == {"note": "kept"}
        assert meta.controller_of(found)["uid"] == meta.uid(endpoints)
        assert found["ports"] == PORTS
        assert found["endpoints"] == [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}},
                                      {"addresses": ["192.0.2.2"], "conditions": {"ready": False}}]
        present = cluster.registry.get("endpoints", "db", "default")
        cluster.registry.update("endpoints", present | {"subsets": [{"addresses": [{"ip": "192.0.2.3"}],
                                                                     "ports": PORTS}]})
        await manager.settled()
        (after,) = cluster.list("endpointslices")
        assert meta.name(after) == meta.name(found)
        assert after["endpoints"] == [{"addresses": ["192.0.2.3"], "conditions": {"ready": True}}]
        revision = cluster.store.revision
        manager.controllers["endpointslicemirroring"].wake()
        await manager.settled()
        assert cluster.store.revision == revision
        cluster.change("services", "db", selector={"app": "db"})
        await manager.settled()
        assert cluster.list("endpointslices") == []

    cluster.run(story, EndpointSliceMirroring)


@pytest.mark.parametrize("why", [
    {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
    {"annotations": {"control-plane.alpha.kubernetes.io/leader": "x"}},
    {"selector": {"app": "db"}},
])
def test_some_endpoints_are_not_mirrored(cluster, why):
    manual(cluster, **why)

    async def story(manager):
        assert cluster.list("endpointslices") == []

    cluster.run(story, EndpointSliceMirroring)


def test_families_are_apart_and_what_is_no_address_is_left_out():
    found = mirror({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db", "namespace": "default"},
                    "subsets": [{"addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}, {"ip": "db.example"}],
                                 "ports": [{"port": 80}]}]})
    assert [(s["addressType"], [e["addresses"][0] for e in s["endpoints"]], s["ports"]) for s in found] == [
        ("IPv4", ["192.0.2.1"], [{"name": "", "port": 80, "protocol": "TCP"}]),
        ("IPv6", ["2001:db8::1"], [{"name": "", "port": 80, "protocol": "TCP"}])]
