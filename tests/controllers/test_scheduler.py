import pytest

from netlab.controllers import fit
from netlab.controllers.scheduler import Scheduler
from netlab.model import meta, pod_status
from netlab.model.errors import ApiError

TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def nodes(cluster):
    cluster.node("control-plane", taints=[TAINT])
    cluster.node("worker", labels={"disk": "ssd"})
    cluster.node("worker2")


def placed(cluster):
    return {meta.name(pod): meta.spec(pod).get("nodeName") for pod in cluster.list("pods")}


def owned(cluster, name, owner):
    return cluster.create("pods", {"metadata": {"name": name, "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}]},
        "spec": {"containers": [{"name": "c", "image": "i"}]}})


def test_pods_of_one_owner_are_spread_and_taints_respected(cluster):
    nodes(cluster)
    for name in ("a1", "a2", "a3", "a4"):
        owned(cluster, name, "a")
    owned(cluster, "b1", "b")
    owned(cluster, "b2", "b")

    async def story(manager):
        where = placed(cluster)
        for group in ("a", "b"):
            chosen = [node for name, node in where.items() if name.startswith(group)]
            assert sorted(set(chosen)) == ["worker", "worker2"]
            assert chosen.count("worker") == chosen.count("worker2")
        pod = cluster.registry.get("pods", "a1", "default")
        assert pod_status.condition(pod, "PodScheduled")["status"] == "True"
        assert ("Scheduled", "Successfully assigned default/a1 to worker") in cluster.events()

    cluster.run(story, Scheduler)


def test_a_pod_that_fits_nowhere_says_why_once_and_is_placed_when_it_can_be(cluster):
    nodes(cluster)
    cluster.pod("picky", nodeSelector={"disk": "nvme"})
    message = ("0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
               "2 node(s) didn't match Pod's node affinity/selector. "
               "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.")

    async def story(manager):
        assert cluster.events() == [("FailedScheduling", message)]
        assert pod_status.condition(cluster.list("pods")[0], "PodScheduled")["reason"] == "Unschedulable"
        revision = cluster.store.revision
        manager.controllers["scheduler"].wake()
        await manager.settled()
        assert cluster.store.revision == revision
        cluster.relabel("nodes", "worker2", {"disk": "nvme"}, "")
        await manager.settled()
        assert placed(cluster) == {"picky": "worker2"}

    cluster.run(story, Scheduler)


def test_without_nodes_it_says_so(cluster):
    cluster.pod("lonely")

    async def story(manager):
        assert cluster.events() == [("FailedScheduling", "no nodes available to schedule pods")]

    cluster.run(story, Scheduler)


def test_a_freed_host_port_lets_the_next_pod_in(cluster):
    cluster.node("worker")
    for name in ("a", "b"):
        cluster.pod(name, ports=[{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}])

    async def story(manager):
        assert placed(cluster) == {"a": "worker", "b": None}
        cluster.registry.delete("pods", "a", namespace="default", grace_period=0)
        await manager.settled()
        assert placed(cluster) == {"b": "worker"}

    cluster.run(story, Scheduler)


@pytest.mark.parametrize(("obstacles", "preemption"), [
    ({fit.NO_PORTS: 1, fit.NO_AFFINITY: 2}, "1 No preemption victims found for incoming pod, "
                                            "2 Preemption is not helpful for scheduling."),
    ({fit.TOO_MANY: 3}, "3 No preemption victims found for incoming pod."),
])
def test_what_preemption_could_have_done_is_told(obstacles, preemption):
    assert fit.no_fit(obstacles, 3).endswith(f" preemption: 0/3 nodes are available: {preemption}")


def test_a_pod_is_bound_once(cluster):
    cluster.pod("a")
    cluster.registry.bind("default", "a", "worker")
    with pytest.raises(ApiError, match='pod a is already assigned to node "worker"'):
        cluster.registry.bind("default", "a", "worker2")


@pytest.mark.parametrize(("tolerations", "holds"), [
    ([], False),
    ([{"key": TAINT["key"], "operator": "Exists"}], True),
    ([{"key": TAINT["key"], "effect": "NoSchedule"}], True),  # Equal, with an empty value
    ([{"key": TAINT["key"], "value": "x"}], False),
    ([{"key": TAINT["key"], "operator": "Exists", "effect": "NoExecute"}], False),
    ([{"operator": "Exists"}], True),
])
def test_tolerations(tolerations, holds):
    assert fit.tolerates({"spec": {"tolerations": tolerations}}, TAINT) is holds


@pytest.mark.parametrize(("terms", "holds"), [
    ([{"matchExpressions": [{"key": "cpu", "operator": "Gt", "values": ["4"]}]}], True),
    ([{"matchExpressions": [{"key": "cpu", "operator": "Lt", "values": ["4"]}]}], False),
    ([{"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["hdd"]}]}], True),
    ([{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}, {"matchFields": [
        {"key": "metadata.name", "operator": "In", "values": ["worker"]}]}], True),  # one term is enough
    ([{}], False),
])
def test_node_affinity(terms, holds):
    node = {"metadata": {"name": "worker", "labels": {"cpu": "8", "disk": "ssd"}}}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    assert fit.selects({"spec": {"affinity": {"nodeAffinity": required}}}, node) is holds
