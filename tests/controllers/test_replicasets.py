import re

from netlab.controllers.replicasets import ReplicaSets, ReplicationControllers
from netlab.model import meta
from netlab.model.errors import ApiError


def web(cluster, replicas=3, **spec):
    return cluster.create("replicasets", {"metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}},
                     "spec": {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 30}},
    } | spec})


def status(cluster):
    return cluster.registry.get("replicasets", "web", "default")["status"]


def test_it_makes_the_pods_of_its_template_and_counts_them(cluster):
    owner = web(cluster)

    async def story(manager):
        names = cluster.names("pods")
        assert len(names) == 3
        assert all(re.fullmatch("web-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)
        assert meta.controller_of(cluster.list("pods")[0])["uid"] == meta.uid(owner)
        assert status(cluster) == {"replicas": 3, "fullyLabeledReplicas": 3, "observedGeneration": 1}
        cluster.run_all()
        await manager.settled()
        assert status(cluster) == {"replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 3,
                                   "availableReplicas": 3, "observedGeneration": 1}
        assert sorted(cluster.events()) == sorted(("SuccessfulCreate", f"Created pod: {name}") for name in names)

    cluster.run(story, ReplicaSets)


def test_it_never_makes_too_many_whatever_happens_meanwhile(cluster):
    web(cluster, 50)

    async def story(manager):
        for _ in range(5):
            cluster.registry.delete("pods", cluster.names("pods")[0], namespace="default", grace_period=0)
            cluster.run_all()
            assert len(cluster.list("pods")) <= 50
        await manager.settled()
        assert len(cluster.list("pods")) == 50

    cluster.run(story, ReplicaSets)


def test_scaling_down_takes_the_pods_that_are_not_ready_first(cluster):
    web(cluster)

    async def story(manager):
        cluster.run_all()
        unready = cluster.names("pods")[1]
        cluster.run_pod(unready, ready=False)
        cluster.change("replicasets", "web", replicas=2)
        await manager.settled()
        assert unready not in cluster.names("pods")
        assert len(cluster.list("pods")) == 2
        assert ("SuccessfulDelete", f"Deleted pod: {unready}") in cluster.events()

    cluster.run(story, ReplicaSets)


def test_a_relabelled_pod_is_orphaned_and_replaced_and_comes_back_as_surplus(cluster):
    web(cluster, 2)

    async def story(manager):
        cluster.run_all()
        name = cluster.names("pods")[0]
        cluster.relabel("pods", name, {"app": "debug"})
        await manager.settled()
        pods = cluster.list("pods")
        assert len(pods) == 3
        assert not meta.metadata(cluster.registry.get("pods", name, "default")).get("ownerReferences")
        cluster.run_all()
        cluster.relabel("pods", name, {"app": "web"})
        await manager.settled()
        assert len(cluster.list("pods")) == 2
        assert all(meta.controller_of(pod) for pod in cluster.list("pods"))

    cluster.run(story, ReplicaSets)


def test_a_matching_bare_pod_is_adopted_instead_of_making_one(cluster):
    cluster.pod("bare", {"app": "web"})
    web(cluster, 1)

    async def story(manager):
        assert cluster.names("pods") == ["bare"]
        assert meta.controller_of(cluster.list("pods")[0])["name"] == "web"

    cluster.run(story, ReplicaSets)


def test_a_pod_that_is_being_deleted_is_replaced_at_once(cluster):
    web(cluster, 1)

    async def story(manager):
        name = cluster.names("pods")[0]
        cluster.registry.bind("default", name, "worker")
        cluster.registry.delete("pods", name, namespace="default")
        await manager.settled()
        assert len(cluster.list("pods")) == 2
        assert status(cluster)["replicas"] == 1

    cluster.run(story, ReplicaSets)


def test_available_means_ready_for_min_ready_seconds(cluster):
    web(cluster, 1, minReadySeconds=10)

    async def story(manager):
        cluster.run_all()
        await manager.settled()
        assert status(cluster)["readyReplicas"] == 1
        assert "availableReplicas" not in status(cluster)
        assert await manager.controllers["replicasets"].reconcile() <= 10
        cluster.wait(seconds=11)
        cluster.relabel("replicasets", "web", {"touched": "yes"})
        await manager.settled()
        assert status(cluster)["availableReplicas"] == 1

    cluster.run(story, ReplicaSets)


def test_pods_that_the_api_refuses_are_reported_and_do_not_unsettle_the_lab(cluster, monkeypatch):
    web(cluster, 2)
    create = cluster.registry.create
    names = iter("abcdefgh")  # as each try has another name

    def refuse(resource, manifest, **kwargs):
        if resource == "pods":
            raise ApiError(403, "Forbidden", f"pods {next(names)}: exceeded quota")
        return create(resource, manifest, **kwargs)

    monkeypatch.setattr(cluster.registry, "create", refuse)

    async def story(manager):
        assert ("FailedCreate", "Error creating: pods a: exceeded quota") in cluster.events()
        assert len(cluster.events()) <= 2  # its own status makes it look again, once
        failure = status(cluster)["conditions"][0]
        assert (failure["type"], failure["reason"], failure["message"]) == \
            ("ReplicaFailure", "FailedCreate", "pods a: exceeded quota")
        monkeypatch.undo()
        cluster.relabel("replicasets", "web", {"touched": "yes"})
        await manager.settled()
        assert len(cluster.list("pods")) == 2
        assert "conditions" not in status(cluster)

    cluster.run(story, ReplicaSets)


def test_a_replication_controller_makes_pods_by_plain_labels(cluster):
    made = cluster.create("replicationcontrollers", {"metadata": {"name": "old"}, "spec": {"replicas": 2, "template": {
        "metadata": {"labels": {"app": "old"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    assert (made["spec"]["selector"], made["metadata"]["labels"]) == ({"app": "old"}, {"app": "old"})

    async def story(manager):
        pods = cluster.list("pods")
        assert [meta.controller_of(pod)["kind"] for pod in pods] == ["ReplicationController"] * 2
        cluster.registry.update("replicationcontrollers", {"metadata": {"name": "old", "namespace": "default"},
                                                           "spec": {"replicas": 0}}, subresource="scale")
        await manager.settled()
        assert cluster.names("pods") == []
        assert cluster.registry.get("replicationcontrollers", "old", "default")["status"] == {
            "replicas": 0, "observedGeneration": 2}

    cluster.run(story, ReplicationControllers)
