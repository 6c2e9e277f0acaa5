import re

from netlab.controllers.endpointslices import EndpointSlices
from netlab.model import meta


def only(cluster):
    (found,) = cluster.list("endpointslices")
    return found


def addresses(cluster):
    return sorted((e["addresses"][0], e["conditions"]["ready"]) for s in cluster.list("endpointslices")
                  for e in s["endpoints"])


def web(cluster, count=2, **spec):
    cluster.node("worker", labels={"topology.kubernetes.io/zone": "zone-a"})
    cluster.service("web", labels={"team": "blue"}, **spec)
    for number in range(1, count + 1):
        cluster.pod(f"web-{number}", {"app": "web"}, nodeName="worker")
        cluster.run_pod(f"web-{number}", ip=f"10.244.1.{number}")


def test_a_slice_says_everything_of_a_pod(cluster):
    web(cluster, 1)

    async def story(manager):
        found = only(cluster)
        assert re.fullmatch("web-[bcdfghjklmnpqrstvwxz2456789]{5}", meta.name(found))
        assert found["addressType"] == "IPv4"
        assert found["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
        assert meta.labels(found) == {
            "team": "blue", "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
        assert meta.annotations(found) == {"endpoints.kubernetes.io/last-change-trigger-time": "2024-05-01T12:00:00Z"}
        service, pod = cluster.registry.get("services", "web", "default"), cluster.registry.get("pods", "web-1",
                                                                                                "default")
        assert meta.controller_of(found) == {
            "apiVersion": "v1", "kind": "Service", "name": "web", "uid": meta.uid(service), "controller": True,
            "blockOwnerDeletion": True}
        assert found["endpoints"] == [{
            "addresses": ["10.244.1.1"], "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "web-1", "uid": meta.uid(pod)},
            "nodeName": "worker", "zone": "zone-a"}]

    cluster.run(story, EndpointSlices)


def test_readiness_deletion_and_labels_move_a_pod_in_and_out(cluster):
    web(cluster)

    async def story(manager):
        name = meta.name(only(cluster))
        cluster.run_pod("web-1", ready=False)
        await manager.settled()
        assert addresses(cluster) == [("10.244.1.1", False), ("10.244.1.2", True)]
        cluster.registry.delete("pods", "web-2", namespace="default")
        await manager.settled()
        conditions = {e["addresses"][0]: e["conditions"] for e in only(cluster)["endpoints"]}
        assert conditions["10.244.1.2"] == {"ready": False, "serving": True, "terminating": True}
        cluster.registry.delete("pods", "web-2", namespace="default", grace_period=0)
        cluster.relabel("pods", "web-1", {"app": "quarantine"})
        await manager.settled()
        assert addresses(cluster) == []
        assert meta.name(only(cluster)) == name  # emptied, it became the placeholder
        assert only(cluster)["ports"] == []
        cluster.relabel("pods", "web-1", {"app": "web"})
        await manager.settled()
        assert addresses(cluster) == [("10.244.1.1", False)]
        cluster.run_pod("web-1", phase="Failed")
        await manager.settled()
        assert addresses(cluster) == []

    cluster.run(story, EndpointSlices)


def test_publish_not_ready_addresses_makes_even_terminating_pods_ready(cluster):
    web(cluster, 1, publishNotReadyAddresses=True)

    async def story(manager):
        cluster.run_pod("web-1", ready=False)
        cluster.registry.delete("pods", "web-1", namespace="default")
        await manager.settled()
        assert only(cluster)["endpoints"][0]["conditions"] == {"ready": True, "serving": False, "terminating": True}

    cluster.run(story, EndpointSlices)


def test_pods_with_other_port_numbers_are_in_other_slices(cluster):
    cluster.node("worker")
    cluster.service("web", ports=[{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}])
    for name, port in (("a", 8080), ("b", 9090), ("c", None)):
        ports = [{"name": "web", "containerPort": port, "protocol": "TCP"}] if port else []
        cluster.pod(name, {"app": "web"}, nodeName="worker", ports=ports)
        cluster.run_pod(name)

    async def story(manager):
        found = {s["endpoints"][0]["targetRef"]["name"]: s["ports"] for s in cluster.list("endpointslices")}
        assert found == {"a": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                         "b": [{"name": "http", "port": 9090, "protocol": "TCP"}],
                         "c": []}

    cluster.run(story, EndpointSlices)


def test_foreign_slices_are_left_alone_and_own_ones_mended(cluster):
    web(cluster)
    cluster.create("endpointslices", {"metadata": {"name": "mine", "labels": {"kubernetes.io/service-name": "web"}},
                                      "addressType": "IPv4", "endpoints": [], "ports": []})

    async def story(manager):
        assert len(cluster.list("endpointslices")) == 2
        own = next(s for s in cluster.list("endpointslices") if meta.name(s) != "mine")
        cluster.registry.delete("endpointslices", meta.name(own), namespace="default")
        await manager.settled()
        assert addresses(cluster) == [("10.244.1.1", True), ("10.244.1.2", True)]
        cluster.registry.delete("services", "web", namespace="default")
        await manager.settled()
        assert cluster.names("endpointslices") == ["mine"]

    cluster.run(story, EndpointSlices)


def test_a_service_without_selector_gets_nothing(cluster):
    cluster.service("manual", selector=None)

    async def story(manager):
        assert cluster.list("endpointslices") == []

    cluster.run(story, EndpointSlices)


def test_a_headless_service_is_labelled_and_its_pods_have_host_names(cluster):
    cluster.node("worker")
    cluster.service("db", clusterIP="None", ports=None)
    cluster.pod("db-0", {"app": "db"}, nodeName="worker", hostname="db-0", subdomain="db")
    cluster.pod("db-1", {"app": "db"}, nodeName="worker", hostname="db-1", subdomain="other")
    cluster.run_pod("db-0")
    cluster.run_pod("db-1")

    async def story(manager):
        found = only(cluster)
        assert found["ports"] == []
        assert meta.labels(found)["service.kubernetes.io/headless"] == ""
        assert [e.get("hostname") for e in found["endpoints"]] == ["db-0", None]

    cluster.run(story, EndpointSlices)


def test_a_pod_on_an_absent_node_waits_for_the_node(cluster):
    cluster.service("web")
    cluster.pod("a", {"app": "web"}, nodeName="late")
    cluster.run_pod("a", ip="10.244.9.9")

    async def story(manager):
        assert addresses(cluster) == []
        cluster.node("late")
        await manager.settled()
        assert addresses(cluster) == [("10.244.9.9", True)]

    cluster.run(story, EndpointSlices)


def test_prefer_close_hints_the_own_zone_of_ready_endpoints(cluster):
    web(cluster, 2, trafficDistribution="PreferClose")
    cluster.run_pod("web-2", ready=False)

    async def story(manager):
        assert [e.get("hints") for e in only(cluster)["endpoints"]] == [{"forZones": [{"name": "zone-a"}]}, None]

    cluster.run(story, EndpointSlices)


def test_nothing_is_written_when_nothing_changed(cluster):
    web(cluster)

    async def story(manager):
        before = cluster.store.revision
        manager.controllers["endpointslices"].wake()
        await manager.settled()
        return before

    before = cluster.run(story, EndpointSlices)
    assert cluster.store.revision == before
    assert cluster.run(story, EndpointSlices) == before  # nor by a controller that knows nothing yet


def test_a_service_that_becomes_an_external_name_keeps_its_slices_as_they_are(cluster):
    web(cluster, 1)

    async def story(manager):
        before = only(cluster)
        service = cluster.registry.get("services", "web", "default")
        spec = {"type": "ExternalName", "externalName": "example.com", "selector": {"app": "web"}}
        cluster.registry.update("services", service | {"spec": spec})
        cluster.run_pod("web-1", ready=False)
        await manager.settled()
        assert only(cluster) == before

    cluster.run(story, EndpointSlices)
