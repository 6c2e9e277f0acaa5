from netlab.controllers.daemonsets import DaemonSets
from netlab.controllers.scheduler import Scheduler
from netlab.model import meta

BOTH = (DaemonSets, Scheduler)


def template(image="v1", **spec):
    return {"metadata": {"labels": {"app": "agent"}}, "spec": {
        "containers": [{"name": "c", "image": image}], "terminationGracePeriodSeconds": 30} | spec}


def agent(cluster, **spec):
    return cluster.create("daemonsets", {"metadata": {"name": "agent"}, "spec": {
        "selector": {"matchLabels": {"app": "agent"}}, "template": template()} | spec})


def status(cluster):
    return cluster.registry.get("daemonsets", "agent", "default")["status"]


def where(cluster):
    return sorted((pod["spec"].get("nodeName"), pod["spec"]["containers"][0]["image"])
                  for pod in cluster.list("pods") if not meta.is_deleting(pod))


def test_every_node_without_a_taint_gets_a_pod_and_new_nodes_as_well(cluster):
    cluster.node("control-plane", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])
    cluster.node("worker")
    agent(cluster)

    async def story(manager):
        assert where(cluster) == [("worker", "v1")]
        cluster.node("worker2")
        await manager.settled()
        assert where(cluster) == [("worker", "v1"), ("worker2", "v1")]
        cluster.run_all()
        await manager.settled()
        assert status(cluster) == {
            "currentNumberScheduled": 2, "desiredNumberScheduled": 2, "numberMisscheduled": 0, "numberReady": 2,
            "numberAvailable": 2, "updatedNumberScheduled": 2, "observedGeneration": 1}
        cluster.change("daemonsets", "agent", template=template(nodeSelector={"disk": "ssd"}))
        await manager.settled()
        cluster.run_all()
        await manager.settled()
        assert (where(cluster), status(cluster)["desiredNumberScheduled"]) == ([], 0)

    cluster.run(story, *BOTH)


def test_an_update_replaces_one_node_after_the_other(cluster):
    for name in ("a", "b", "c"):
        cluster.node(name)
    agent(cluster)

    async def story(manager):
        cluster.run_all()
        await manager.settled()
        cluster.change("daemonsets", "agent", template=template("v2"))
        await manager.settled()
        seen = []
        for _ in range(12):
            seen.append(sum(image == "v1" for _, image in where(cluster)))
            alive = [pod for pod in cluster.list("pods") if not meta.is_deleting(pod) and meta.status(pod).get("podIP")]
            assert len(alive) >= 2  # never more than one is unavailable
            cluster.run_all()
            await manager.settled()
        assert (seen[0], seen[-1]) == (2, 0)
        assert where(cluster) == [("a", "v2"), ("b", "v2"), ("c", "v2")]
        owner = cluster.registry.get("daemonsets", "agent", "default")
        assert meta.annotations(owner)["deprecated.daemonset.template.generation"] == "2"
        assert [item["revision"] for item in cluster.list("controllerrevisions")] in ([1, 2], [2, 1])

    cluster.run(story, *BOTH)


def test_a_failed_pod_is_replaced(cluster):
    cluster.node("worker")
    agent(cluster)

    async def story(manager):
        name = cluster.names("pods")[0]
        cluster.run_pod(name, phase="Failed")
        await manager.settled()
        assert len(cluster.names("pods")) == 1
        assert cluster.names("pods") != [name]
        assert ("FailedDaemonPod", f"Found failed daemon pod default/{name} on node worker, will try to kill it") \
            in cluster.events()

    cluster.run(story, *BOTH)
