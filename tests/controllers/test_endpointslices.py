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


def test_pods_of_a_lost_node_are_reported_once_for_each_look(cluster):
    cluster.service("web")
    for name in ("a", "b"):
        cluster.pod(name, {"app": "web"}, nodeName="lost")
        cluster.run_pod(name)

    async def story(manager):
        where = "Service default/web: Node lost Not Found"
        assert cluster.events() == [(
            "FailedToUpdateEndpointSlices", "Error updating Endpoint Slices for Service default/web: "
            f"[skipping Pod a for {where}, skipping Pod b for {where}]")]
        assert cluster.list("events")[0]["count"] == 1

    cluster.run(story, EndpointSlices)


def test_slices_of_a_service_that_had_the_name_before_are_not_used_again(cluster):
    web(cluster, 1)

    async def story(manager):
        before = only(cluster)
        service = cluster.registry.get("services", "web", "default")
        cluster.registry.delete("services", "web", namespace="default")
        cluster.create("services", {"metadata": {"name": "web"}, "spec": {
            key: service["spec"][key] for key in ("selector", "ports")}})
        await manager.settled()
        after = only(cluster)
        assert meta.uid(after) != meta.uid(before)
        assert meta.controller_of(after)["uid"] == meta.uid(cluster.registry.get("services", "web", "default"))
        assert addresses(cluster) == [("10.244.1.1", True)]

    cluster.run(story, EndpointSlices)


def test_a_service_that_is_being_deleted_has_its_slices_kept_right_but_gets_no_new_ones(cluster):
    web(cluster, 1)

    async def story(manager):
        cluster.delete_slowly("services", "web")
        cluster.run_pod("web-1", ready=False)
        await manager.settled()
        assert addresses(cluster) == [("10.244.1.1", False)]
        cluster.registry.delete("endpointslices", meta.name(only(cluster)), namespace="default")
        await manager.settled()
        assert cluster.list("endpointslices") == []

    cluster.run(story, EndpointSlices)


def test_the_trigger_time_is_that_of_what_changed_and_goes_where_there_is_none(cluster):
    web(cluster)
    assert cluster.trigger_times(EndpointSlices, only) == ["2024-05-01T12:00:00Z", "2024-05-01T12:00:30Z", None]


def test_labels_of_the_service_are_followed_by_its_slices(cluster):
    web(cluster, 1)

    async def story(manager):
        before = only(cluster)
        cluster.relabel("services", "web", {"team": "red", "service.kubernetes.io/headless": "x"})
        await manager.settled()
        assert meta.labels(only(cluster)) == meta.labels(before) | {"team": "red"}
        assert only(cluster)["endpoints"] == before["endpoints"]

    cluster.run(story, EndpointSlices)


def test_ports_of_a_slice_are_in_upstreams_order(cluster):
    web(cluster, 1, ports=[{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                           {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                           {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153}])

    async def story(manager):
        assert [port["name"] for port in only(cluster)["ports"]] == ["metrics", "dns", "dns-tcp"]

    cluster.run(story, EndpointSlices)


def zones(cluster, **nodes):
    """A node for each name, in the zone that is given for it."""
    for name, zone in nodes.items():
        node = cluster.node(name, labels={"topology.kubernetes.io/zone": zone})
        cluster.registry.update("nodes", node | {"status": {
            "allocatable": {"cpu": "2"}, "conditions": [{"type": "Ready", "status": "True"}]}}, subresource="status")


def annotate(cluster, **annotations):
    service = cluster.registry.get("services", "web", "default")
    cluster.registry.update("services", service | {"metadata": service["metadata"] | {
        "annotations": {f"service.kubernetes.io/{key.replace('_', '-')}": text for key, text in annotations.items()}}})


def hints(cluster):
    return [[zone["name"] for zone in (endpoint.get("hints") or {}).get("forZones", ())]
            for part in cluster.list("endpointslices") for endpoint in part["endpoints"]]


def test_topology_mode_auto_gives_endpoints_to_zones_and_tells_of_it(cluster):
    zones(cluster, n1="a", n2="b")
    cluster.service("web")
    annotate(cluster, topology_mode="Auto")
    for number, node in enumerate(("n1", "n1", "n1", "n2"), 1):
        cluster.pod(f"web-{number}", {"app": "web"}, nodeName=node)
        cluster.run_pod(f"web-{number}", ip=f"10.244.1.{number}")

    async def story(manager):
        assert sorted(hints(cluster)) == [["a"], ["a"], ["b"], ["b"]]
        revision = cluster.store.revision
        manager.controllers["endpointslices"].wake()
        await manager.settled()
        assert cluster.store.revision == revision
        cluster.run_pod("web-4", ready=False)  # three for two zones: one zone had a third too many
        await manager.settled()
        assert hints(cluster) == [[], [], [], []]
        cluster.run_pod("web-4")
        await manager.settled()
        annotate(cluster)
        await manager.settled()
        assert hints(cluster) == [[], [], [], []]
        return cluster.events()

    enabled = ("TopologyAwareHintsEnabled", "Topology Aware Hints has been enabled, addressType: IPv4")
    assert cluster.run(story, EndpointSlices) == [
        enabled, ("TopologyAwareHintsDisabled", "Unable to allocate minimum required endpoints to each zone without "
                  "exceeding overload threshold (3 endpoints, 2 zones), addressType: IPv4"),
        ("TopologyAwareHintsDisabled", "Topology Aware Hints has been disabled, addressType: IPv4")]


def test_topology_mode_goes_before_traffic_distribution_and_follows_the_nodes(cluster):
    zones(cluster, n1="a", n2="a")
    cluster.service("web", trafficDistribution="PreferClose")
    annotate(cluster, topology_mode="Auto")
    for number, node in enumerate(("n1", "n2"), 1):
        cluster.pod(f"web-{number}", {"app": "web"}, nodeName=node)
        cluster.run_pod(f"web-{number}", ip=f"10.244.1.{number}")

    async def story(manager):
        assert hints(cluster) == [[], []]
        cluster.relabel("nodes", "n2", {"topology.kubernetes.io/zone": "b"}, "")
        await manager.settled()
        assert hints(cluster) == [["a"], ["b"]]
        annotate(cluster, topology_mode="Disabled")
        cluster.relabel("nodes", "n2", {}, "")
        await manager.settled()
        assert hints(cluster) == [["a"], []]

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
