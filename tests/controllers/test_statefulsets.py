import pytest

from netlab.controllers.garbage_collector import GarbageCollector
from netlab.controllers.statefulsets import StatefulSets
from netlab.model import meta


def template(image="v1"):
    return {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": image}], "terminationGracePeriodSeconds": 30}}


def web(cluster, replicas=3, **spec):
    return cluster.create("statefulsets", {"metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "web"}},
        "template": template()} | spec})


def status(cluster):
    return cluster.registry.get("statefulsets", "web", "default")["status"]


def images(cluster):
    return [pod["spec"]["containers"][0]["image"] for pod in cluster.list("pods") if not meta.is_deleting(pod)]


async def step(cluster, manager):
    cluster.run_all()
    await manager.settled()


async def until_quiet(cluster, manager, limit=30):
    for _ in range(limit):
        before = cluster.store.revision
        await step(cluster, manager)
        if cluster.store.revision == before:
            return
    raise AssertionError("it does not come to rest")


def test_pods_come_one_after_another_and_go_from_the_top(cluster):
    web(cluster)

    async def story(manager):
        assert cluster.names("pods") == ["web-0"]
        await manager.settled()
        assert cluster.names("pods") == ["web-0"]  # it waits until that one is ready
        await until_quiet(cluster, manager)
        assert cluster.names("pods") == ["web-0", "web-1", "web-2"]
        assert (status(cluster)["readyReplicas"], status(cluster)["updatedReplicas"]) == (3, 3)
        cluster.change("statefulsets", "web", replicas=1)
        await manager.settled()
        assert cluster.names("pods") == ["web-0", "web-1"] or cluster.names("pods") == ["web-0"]
        await until_quiet(cluster, manager)
        assert cluster.names("pods") == ["web-0"]
        assert ("SuccessfulDelete", "delete Pod web-2 in StatefulSet web successful") in cluster.events()

    cluster.run(story, StatefulSets)


def test_a_pod_has_its_name_as_hostname_and_the_service_as_subdomain(cluster):
    web(cluster, 1, volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}])

    async def story(manager):
        pod = cluster.list("pods")[0]
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-0", "db")
        assert meta.labels(pod) == {
            "app": "web", "statefulset.kubernetes.io/pod-name": "web-0", "apps.kubernetes.io/pod-index": "0",
            "controller-revision-hash": status(cluster)["updateRevision"]}
        claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}
        assert claim in pod["spec"]["volumes"]

    cluster.run(story, StatefulSets)


def test_in_parallel_all_pods_come_at_once(cluster):
    web(cluster, 3, podManagementPolicy="Parallel", ordinals={"start": 5})

    async def story(manager):
        assert cluster.names("pods") == ["web-5", "web-6", "web-7"]

    cluster.run(story, StatefulSets)


def test_a_new_template_replaces_pods_from_the_top_down_to_the_partition(cluster):
    web(cluster, 3)

    async def story(manager):
        await until_quiet(cluster, manager)
        first = status(cluster)["currentRevision"]
        cluster.change("statefulsets", "web", template=template("v2"),
                       updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})
        await manager.settled()
        await until_quiet(cluster, manager)
        assert images(cluster) == ["v1", "v2", "v2"]
        assert (status(cluster)["currentRevision"], status(cluster)["updatedReplicas"]) == (first, 2)
        cluster.registry.delete("pods", "web-0", namespace="default", grace_period=0)
        await until_quiet(cluster, manager)
        assert images(cluster) == ["v1", "v2", "v2"]  # below the partition the old revision comes back
        cluster.change("statefulsets", "web", updateStrategy={"type": "RollingUpdate"})
        await until_quiet(cluster, manager)
        assert images(cluster) == ["v2", "v2", "v2"]
        assert status(cluster)["currentRevision"] == status(cluster)["updateRevision"] != first

    cluster.run(story, StatefulSets)


def test_on_delete_waits_for_the_user(cluster):
    web(cluster, 2, updateStrategy={"type": "OnDelete"})

    async def story(manager):
        await until_quiet(cluster, manager)
        cluster.change("statefulsets", "web", template=template("v2"))
        await until_quiet(cluster, manager)
        assert images(cluster) == ["v1", "v1"]
        cluster.registry.delete("pods", "web-0", namespace="default", grace_period=0)
        await until_quiet(cluster, manager)
        assert images(cluster) == ["v2", "v1"]

    cluster.run(story, StatefulSets)


def test_revisions_are_numbered_reused_and_limited(cluster):
    web(cluster, 1, revisionHistoryLimit=1)

    def revisions():
        return sorted((item["revision"], item["data"]["spec"]["template"]["spec"]["containers"][0]["image"])
                      for item in cluster.list("controllerrevisions"))

    async def story(manager):
        await until_quiet(cluster, manager)
        assert revisions() == [(1, "v1")]
        for image in ("v2", "v1"):
            cluster.change("statefulsets", "web", template=template(image))
            await until_quiet(cluster, manager)
        assert revisions() == [(2, "v2"), (3, "v1")]  # going back renews the old one
        for image in ("v3", "v4"):
            cluster.change("statefulsets", "web", template=template(image))
            await until_quiet(cluster, manager)
        assert revisions() == [(4, "v3"), (5, "v4")]

    cluster.run(story, StatefulSets)


@pytest.mark.parametrize(("phase", "reason"), [("Failed", "RecreatingFailedPod"),
                                               ("Succeeded", "RecreatingTerminatedPod")])
def test_a_pod_that_has_ended_is_made_anew(cluster, phase, reason):
    web(cluster, 1)

    async def story(manager):
        cluster.run_pod("web-0", phase=phase)
        old = meta.uid(cluster.list("pods")[0])
        await manager.settled()
        assert cluster.names("pods") == ["web-0"]
        assert meta.uid(cluster.list("pods")[0]) != old
        assert reason in [event[0] for event in cluster.events()]

    cluster.run(story, StatefulSets)


def test_only_pods_with_a_name_of_the_set_are_adopted(cluster):
    cluster.pod("web-0", {"app": "web"})
    cluster.pod("other-0", {"app": "web"})
    web(cluster, 1)

    async def story(manager):
        owners = {meta.name(pod): meta.controller_of(pod) is not None for pod in cluster.list("pods")}
        assert owners == {"web-0": True, "other-0": False}

    cluster.run(story, StatefulSets)


def test_with_the_set_its_pods_and_revisions_go(cluster):
    web(cluster, 1)

    async def story(manager):
        cluster.registry.delete("statefulsets", "web", namespace="default", propagation="Background")
        await manager.settled()
        cluster.run_all()
        assert (cluster.names("pods"), cluster.names("controllerrevisions")) == ([], [])

    cluster.run(story, StatefulSets, GarbageCollector)
