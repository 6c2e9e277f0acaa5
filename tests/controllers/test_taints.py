"""Taints of nodes by their conditions, and pods that go because of taints."""

import math

import pytest

from netlab.controllers import node_lifecycle
from netlab.controllers.node_lifecycle import NodeLifecycle, taints, with_taints
from netlab.controllers.taint_eviction import TaintEviction, tolerated_for
from netlab.model import meta

BROKEN = {"key": "broken", "effect": "NoExecute"}
SLOW = {"key": "slow", "value": "very", "effect": "NoExecute"}
ANY = {"operator": "Exists"}
OURS = "node.kubernetes.io/"


@pytest.mark.parametrize(("tolerations", "found", "seconds"), [
    ([], [], math.inf),
    ([], [BROKEN], 0),
    ([ANY], [BROKEN, SLOW], math.inf),
    ([ANY | {"key": "broken", "tolerationSeconds": 9}], [BROKEN], 9),
    ([ANY | {"key": "broken", "tolerationSeconds": -1}], [BROKEN], 0),
    ([ANY | {"key": "broken", "tolerationSeconds": 9}], [BROKEN, SLOW], 0),
    ([ANY | {"key": "broken", "tolerationSeconds": 9}, {"key": "slow", "value": "very"}], [BROKEN, SLOW], 9),
    ([ANY | {"key": "broken", "tolerationSeconds": 9}, ANY | {"tolerationSeconds": 5}], [BROKEN, SLOW], 5),
    ([{"key": "slow", "value": "little"}], [SLOW], 0),
])
def test_how_long_a_pod_stays(tolerations, found, seconds):
    assert tolerated_for({"spec": {"tolerations": tolerations}}, found) == seconds


def node(ready="True", **spec):
    return {"metadata": {"name": "worker"}, "spec": spec,
            "status": {"conditions": [{"type": "Ready", "status": ready}, {"type": "PIDPressure", "status": "False"}]}}


@pytest.mark.parametrize(("given", "wanted"), [
    (node(), []),
    (node("False"), ["not-ready:NoSchedule", "not-ready:NoExecute"]),
    (node("Unknown"), ["unreachable:NoSchedule", "unreachable:NoExecute"]),
    (node(unschedulable=True), ["unschedulable:NoSchedule"]),
    (node() | {"status": {"conditions": [{"type": "PIDPressure", "status": "True"}]}}, ["pid-pressure:NoSchedule"]),
])
def test_a_nodes_conditions_are_taints(given, wanted):
    assert [f"{taint['key'].removeprefix(OURS)}:{taint['effect']}" for taint in taints(given)] == wanted


def test_taints_of_others_stay_and_ours_keep_their_time():
    wanted = taints(node("Unknown"))
    first = with_taints([BROKEN], wanted, "then")
    assert first == [BROKEN, *({**taint, "timeAdded": "then"} for taint in wanted)]
    assert with_taints(first, wanted, "later") == first
    assert with_taints(first, [], "later") == [BROKEN]


def pod(cluster, name, **spec):
    made = cluster.create("pods", {"metadata": {"name": name}, "spec": {
        "nodeName": "worker", "containers": [{"name": "c", "image": "i"}], **spec}})
    return cluster.registry.update("pods", made | {"status": {
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}, subresource="status")


def taint(cluster, *found):
    old = cluster.registry.get("nodes", "worker")
    cluster.registry.update("nodes", old | {"spec": {"taints": list(found)}})


def test_pods_that_do_not_tolerate_a_taint_go_at_once(cluster):
    cluster.create("nodes", node())
    for name, tolerations in (("a", []), ("b", [ANY]), ("c", [ANY | BROKEN | {"tolerationSeconds": 600}])):
        pod(cluster, name, tolerations=tolerations)

    async def story(manager):
        taint(cluster, BROKEN)
        await manager.settled()
        going = {meta.name(item): meta.is_deleting(item) for item in cluster.list("pods")}
        assert going == {"a": True, "b": False, "c": False}
        assert cluster.events() == [("TaintManagerEviction", "Marking for deletion Pod default/a")]
        gone = cluster.registry.get("pods", "a", "default")["status"]["conditions"][-1]
        assert (gone["type"], gone["reason"]) == ("DisruptionTarget", "DeletionByTaintManager")
        taint(cluster)
        await manager.settled()
        assert cluster.events()[1:] == [("TaintManagerEviction", "Cancelling deletion of Pod default/c")]

    cluster.run(story, TaintEviction)


def test_a_node_whose_kubelet_is_gone_is_tainted_and_its_pods_are_not_ready(cluster, monkeypatch):
    monkeypatch.setattr(node_lifecycle, "GRACE", 0.0)
    cluster.create("nodes", node())
    pod(cluster, "a")

    async def story(manager):
        assert "taints" not in cluster.registry.get("nodes", "worker")["spec"]
        cluster.registry.update("nodes", node("Unknown"), subresource="status")
        await manager.settled()
        found = cluster.registry.get("nodes", "worker")["spec"]["taints"]
        assert [item["effect"] for item in found] == ["NoSchedule", "NoExecute"]
        assert cluster.registry.get("pods", "a", "default")["status"]["conditions"][0]["status"] == "False"
        assert not meta.is_deleting(cluster.registry.get("pods", "a", "default")), "it tolerates this for 300 seconds"
        cluster.registry.update("nodes", node(), subresource="status")
        await manager.settled()
        assert not cluster.registry.get("nodes", "worker")["spec"].get("taints")

    cluster.run(story, NodeLifecycle, TaintEviction)


def test_a_kubelet_that_is_back_soon_was_never_missed(cluster):
    cluster.create("nodes", node("Unknown"))
    pod(cluster, "a")

    async def story(manager):
        cluster.registry.update("nodes", node(), subresource="status")
        await manager.settled()
        assert "taints" not in cluster.registry.get("nodes", "worker")["spec"]
        assert cluster.registry.get("pods", "a", "default")["status"]["conditions"][0]["status"] == "True"

    cluster.run(story, NodeLifecycle)
