import re

import pytest

from netlab.controllers import deployment_sets, pod_template
from netlab.controllers.deployments import Deployments
from netlab.controllers.replicasets import ReplicaSets
from netlab.model import meta, pod_status

BOTH = (Deployments, ReplicaSets)
REVISION = "deployment.kubernetes.io/revision"


def template(image):
    return {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": image}], "terminationGracePeriodSeconds": 30}}


def web(cluster, replicas=3, image="v1", *, dry_run=False, **spec):
    data = {"name": "web", "annotations": {"kubernetes.io/change-cause": "a"}}
    return cluster.create("deployments", {"metadata": data, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(image),
        "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}} | spec},
        dry_run=dry_run)


def deployment(cluster):
    return cluster.registry.get("deployments", "web", "default")


def condition(cluster, type="Progressing"):
    found = pod_status.condition(deployment(cluster), type)
    return found.get("status"), found.get("reason")


def sets(cluster):
    """image -> (revision, replicas asked for)"""
    return {s["spec"]["template"]["spec"]["containers"][0]["image"]: (
        meta.annotations(s)[REVISION], s["spec"]["replicas"]) for s in cluster.list("replicasets")}


def images(cluster):
    return sorted(p["spec"]["containers"][0]["image"] for p in cluster.list("pods") if not meta.is_deleting(p))


async def roll_out(cluster, manager, watch=lambda: None, steps=30):
    for _ in range(steps):
        await manager.settled()
        watch()
        before = cluster.store.revision
        cluster.run_all()
        if cluster.store.revision == before:
            return
    raise AssertionError(f"the rollout does not end: {sets(cluster)}")


def test_a_deployment_makes_a_replicaset_named_by_the_hash_of_its_template(cluster):
    web(cluster)

    async def story(manager):
        (found,) = cluster.list("replicasets")
        value = meta.labels(found)["pod-template-hash"]
        assert re.fullmatch("[456789bcdf]{1,10}", value)
        assert meta.name(found) == f"web-{value}"
        assert found["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": value}
        assert meta.labels(cluster.list("pods")[0]) == {"app": "web", "pod-template-hash": value}
        assert meta.annotations(found) == {
            REVISION: "1", "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4", "kubernetes.io/change-cause": "a"}
        assert ("ScalingReplicaSet", f"Scaled up replica set {meta.name(found)} from 0 to 3") in cluster.events()
        assert condition(cluster, "Available") == ("False", "MinimumReplicasUnavailable")
        await roll_out(cluster, manager)
        status = deployment(cluster)["status"]
        assert {k: v for k, v in status.items() if k != "conditions"} == {
            "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
        assert condition(cluster) == ("True", "NewReplicaSetAvailable")
        assert pod_status.condition(deployment(cluster), "Progressing")["message"] == \
            f'ReplicaSet "{meta.name(found)}" has successfully progressed.'
        assert condition(cluster, "Available") == ("True", "MinimumReplicasAvailable")
        assert meta.annotations(deployment(cluster))[REVISION] == "1"

    cluster.run(story, *BOTH)


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "most", "fewest"), [
    (3, "25%", "25%", 4, 3), (4, 0, 1, 4, 3), (2, "100%", 0, 4, 2), (1, 1, 0, 2, 1)])
def test_a_rolling_update_keeps_its_limits_at_every_step(cluster, replicas, surge, unavailable, most, fewest):
    web(cluster, replicas, strategy={"type": "RollingUpdate", "rollingUpdate": {
        "maxSurge": surge, "maxUnavailable": unavailable}})

    async def story(manager):
        await roll_out(cluster, manager)
        seen = []

        def watch():
            pods = [p for p in cluster.list("pods") if not meta.is_deleting(p)]
            seen.append(tuple(images(cluster)))
            assert len(pods) <= most
            assert sum(map(pod_status.is_ready, pods)) >= fewest

        cluster.change("deployments", "web", template=template("v2"))
        await roll_out(cluster, manager, watch)
        assert images(cluster) == ["v2"] * replicas
        assert sets(cluster) == {"v1": ("1", 0), "v2": ("2", replicas)}
        assert any("v1" in step and "v2" in step for step in seen)  # both versions serve meanwhile
        assert condition(cluster) == ("True", "NewReplicaSetAvailable")

    cluster.run(story, *BOTH)


def test_a_rollout_of_broken_pods_stops_and_is_reported_after_its_deadline(cluster):
    web(cluster)

    async def story(manager):
        await roll_out(cluster, manager)
        cluster.change("deployments", "web", template=template("broken"))
        await manager.settled()
        assert images(cluster) == ["broken", "v1", "v1", "v1"]
        assert condition(cluster) == ("True", "ReplicaSetUpdated")
        cluster.wait(seconds=601)
        cluster.relabel("deployments", "web", {"look": "again"})
        await manager.settled()
        assert condition(cluster) == ("False", "ProgressDeadlineExceeded")
        assert condition(cluster, "Available") == ("True", "MinimumReplicasAvailable")
        cluster.change("deployments", "web", template=template("v1"))  # rollout undo
        await roll_out(cluster, manager)
        assert images(cluster) == ["v1"] * 3
        assert sets(cluster) == {"v1": ("3", 3), "broken": ("2", 0)}
        first = next(s for s in cluster.list("replicasets") if s["spec"]["replicas"])
        assert meta.annotations(first)["deployment.kubernetes.io/revision-history"] == "1"
        assert meta.annotations(deployment(cluster))[REVISION] == "3"
        assert condition(cluster) == ("True", "NewReplicaSetAvailable")

    cluster.run(story, *BOTH)


def test_recreate_waits_until_the_last_old_pod_is_gone(cluster):
    web(cluster, 2, strategy={"type": "Recreate"})

    async def story(manager):
        await roll_out(cluster, manager)
        for name in cluster.names("pods"):
            cluster.registry.bind("default", name, "worker")
        cluster.change("deployments", "web", template=template("v2"))
        await manager.settled()
        assert all(map(meta.is_deleting, cluster.list("pods")))
        assert images(cluster) == []
        await roll_out(cluster, manager)
        assert images(cluster) == ["v2", "v2"]

    cluster.run(story, *BOTH)


def test_scaling_makes_no_new_replicaset(cluster):
    web(cluster, 1)

    async def story(manager):
        await roll_out(cluster, manager)
        cluster.change("deployments", "web", replicas=5)
        await roll_out(cluster, manager)
        assert sets(cluster) == {"v1": ("1", 5)}
        cluster.change("deployments", "web", replicas=0)
        await roll_out(cluster, manager)
        assert images(cluster) == []
        assert condition(cluster) == ("True", "NewReplicaSetAvailable")
        cluster.change("deployments", "web", replicas=2)
        await roll_out(cluster, manager)
        assert images(cluster) == ["v1", "v1"]

    cluster.run(story, *BOTH)


def test_template_and_size_may_change_at_once(cluster):
    web(cluster, 2)

    async def story(manager):
        await roll_out(cluster, manager)
        cluster.change("deployments", "web", replicas=4, template=template("v2"))
        await roll_out(cluster, manager)
        assert images(cluster) == ["v2"] * 4

    cluster.run(story, *BOTH)


def test_a_paused_deployment_scales_but_does_not_roll_out(cluster):
    web(cluster, 2)

    async def story(manager):
        await roll_out(cluster, manager)
        cluster.change("deployments", "web", paused=True, replicas=3, template=template("v2"))
        await roll_out(cluster, manager)
        assert images(cluster) == ["v1"] * 3
        assert condition(cluster) == ("Unknown", "DeploymentPaused")
        cluster.change("deployments", "web", paused=False)
        await roll_out(cluster, manager)
        assert images(cluster) == ["v2"] * 3
        assert condition(cluster) == ("True", "NewReplicaSetAvailable")

    cluster.run(story, *BOTH)


def test_old_replicasets_beyond_the_history_limit_are_deleted(cluster):
    web(cluster, 1, revisionHistoryLimit=1)

    async def story(manager):
        for image in ("v2", "v3", "v4"):
            await roll_out(cluster, manager)
            cluster.change("deployments", "web", template=template(image))
        await roll_out(cluster, manager)
        assert sets(cluster) == {"v3": ("3", 0), "v4": ("4", 1)}

    cluster.run(story, *BOTH)


def test_a_replicaset_of_that_name_that_is_somebody_elses_is_avoided(cluster):
    taken = deployment_sets.new_name(web(cluster, 1, dry_run=True))
    cluster.create("replicasets", {"metadata": {"name": taken}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"app": "other"}},
        "template": {"metadata": {"labels": {"app": "other"}}, "spec": template("x")["spec"]}}})
    web(cluster, 1)

    async def story(manager):
        await roll_out(cluster, manager)
        assert deployment(cluster)["status"]["collisionCount"] == 1
        assert images(cluster) == ["v1"]

    cluster.run(story, *BOTH)


def test_nothing_is_written_when_nothing_changed(cluster):
    web(cluster)

    async def story(manager):
        await roll_out(cluster, manager)
        return cluster.store.revision

    before = cluster.run(story, *BOTH)
    assert cluster.run(story, *BOTH) == before


def test_the_hash_is_of_the_template_without_its_own_label():
    plain = template("v1")
    assert pod_template.template_hash(plain) == pod_template.template_hash(pod_template.with_hash(plain, "x"))
    assert pod_template.template_hash(plain) != pod_template.template_hash(template("v2"))
    assert pod_template.template_hash(plain) != pod_template.template_hash(plain, 1)
    assert pod_template.safe("0123456789") == "456789bcdf"
