from netlab.controllers.endpoints import Endpoints
from netlab.model import meta


def only(cluster):
    (found,) = cluster.list("endpoints")
    return found


def shown(cluster):
    return [([a["ip"] for a in s.get("addresses", ())], [a["ip"] for a in s.get("notReadyAddresses", ())])
            for s in only(cluster).get("subsets") or ()]


def pods(cluster):
    for number in (1, 2):
        cluster.pod(f"web-{number}", {"app": "web"}, nodeName="worker")
        cluster.run_pod(f"web-{number}", ip=f"10.244.1.{number}")


def test_a_service_without_pods_has_endpoints_without_subsets(cluster):
    cluster.service("web", labels={"team": "blue"})

    async def story(manager):
        found = only(cluster)
        assert "subsets" not in found
        assert meta.labels(found) == {"team": "blue", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}

    cluster.run(story, Endpoints)


def test_addresses_move_with_readiness_and_go_with_deletion(cluster):
    cluster.service("web")
    pods(cluster)

    async def story(manager):
        assert shown(cluster) == [(["10.244.1.1", "10.244.1.2"], [])]
        assert only(cluster)["subsets"][0]["addresses"][0]["targetRef"]["name"] == "web-1"
        cluster.run_pod("web-1", ready=False)
        await manager.settled()
        assert shown(cluster) == [(["10.244.1.2"], ["10.244.1.1"])]
        cluster.registry.delete("pods", "web-2", namespace="default")
        await manager.settled()
        assert meta.is_deleting(cluster.registry.get("pods", "web-2", "default"))
        assert shown(cluster) == [([], ["10.244.1.1"])]
        cluster.registry.delete("services", "web", namespace="default")
        await manager.settled()
        assert cluster.list("endpoints") == []

    cluster.run(story, Endpoints)


def test_the_trigger_time_is_that_of_what_changed_and_goes_where_there_is_none(cluster):
    cluster.service("web")
    pods(cluster)
    assert cluster.trigger_times(Endpoints, only) == ["2024-05-01T12:00:00Z", "2024-05-01T12:00:30Z", None]


def test_a_service_that_is_being_deleted_has_its_endpoints_kept_right(cluster):
    cluster.service("web")
    pods(cluster)

    async def story(manager):
        cluster.delete_slowly("services", "web")
        cluster.run_pod("web-1", ready=False)
        await manager.settled()
        assert shown(cluster) == [(["10.244.1.2"], ["10.244.1.1"])]

    cluster.run(story, Endpoints)


def test_pods_that_lack_a_named_port_are_in_the_subset_of_the_others(cluster):
    cluster.service("web", ports=[{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"},
                                  {"name": "admin", "port": 81, "targetPort": "admin", "protocol": "TCP"}])
    admin = {"name": "admin", "containerPort": 8081, "protocol": "TCP"}
    cluster.pod("a", {"app": "web"}, ports=[admin])
    cluster.pod("b", {"app": "web"})
    cluster.run_pod("a", ip="10.244.1.1")
    cluster.run_pod("b", ip="10.244.1.2")

    async def story(manager):
        assert [([a["ip"] for a in s["addresses"]], s["ports"]) for s in only(cluster)["subsets"]] == [
            (["10.244.1.1"], [{"name": "admin", "port": 8081, "protocol": "TCP"}]),
            (["10.244.1.1", "10.244.1.2"], [{"name": "http", "port": 80, "protocol": "TCP"}])]

    cluster.run(story, Endpoints)


def test_a_users_endpoints_are_left_alone_and_go_with_their_service(cluster):
    cluster.service("manual", selector=None)
    body = {"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80, "protocol": "TCP"}]}]}
    cluster.create("endpoints", {"metadata": {"name": "manual"}} | body)
    cluster.create("endpoints", {"metadata": {"name": "early"}} | body)

    async def story(manager):
        assert cluster.names("endpoints") == ["early", "manual"]
        cluster.registry.delete("services", "manual", namespace="default")
        await manager.settled()
        assert cluster.names("endpoints") == ["early"]

    cluster.run(story, Endpoints)


def test_nothing_is_written_when_nothing_changed(cluster):
    cluster.service("web")
    pods(cluster)

    async def story(manager):
        return cluster.store.revision

    before = cluster.run(story, Endpoints)
    assert cluster.run(story, Endpoints) == before
