import pytest

from netlab.controllers.daemon_nodes import DaemonPod, fits, manage, node_of, update

HERE, TAINTED, LEFT = (True, True), (False, True), (False, False)
NEW, OLD = DaemonPod("new"), DaemonPod("old", old=True)


def node(labels=None, **spec):
    return {"metadata": {"name": "a", "labels": labels or {}}, "spec": spec}


@pytest.mark.parametrize(("spec", "target", "expected"), [
    ({}, node(), HERE),
    ({"nodeSelector": {"disk": "ssd"}}, node({"disk": "ssd"}), HERE),
    ({"nodeSelector": {"disk": "ssd"}}, node(), LEFT),
    ({"nodeName": "b"}, node(), LEFT),
    ({}, node(unschedulable=True), HERE),
    ({}, node(taints=[{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]), HERE),
    ({}, node(taints=[{"key": "mine", "effect": "NoSchedule"}]), TAINTED),
    ({"tolerations": [{"operator": "Exists"}]}, node(taints=[{"key": "mine", "effect": "NoSchedule"}]), HERE),
    ({}, node(taints=[{"key": "mine", "effect": "NoExecute"}]), LEFT),
])
def test_on_which_nodes_a_daemon_pod_belongs(spec, target, expected):
    assert fits({"spec": spec}, target) == expected


@pytest.mark.parametrize(("nodes", "pods", "create", "delete", "failed"), [
    ({"a": HERE, "b": HERE}, {"a": [NEW]}, ["b"], [], []),
    ({"a": TAINTED}, {}, [], [], []),
    ({"a": TAINTED}, {"a": [NEW]}, [], [], []),  # it may stay
    ({"a": LEFT}, {"a": [NEW]}, [], ["new"], []),
    ({}, {"a": [NEW]}, [], ["new"], []),  # its node is gone
    ({"a": HERE}, {"a": [DaemonPod("going", deleting=True)]}, [], [], []),  # the next one comes when it is gone
    ({"a": HERE}, {"a": [DaemonPod("x", failed=True)]}, [], [], ["x"]),
    ({"a": HERE}, {"a": [DaemonPod("b", "2"), DaemonPod("a", "1")]}, [], ["b"], []),
])
def test_every_node_that_fits_gets_one_pod(nodes, pods, create, delete, failed):
    plan = manage(nodes, pods, surge=False)
    assert (plan.create, plan.delete, plan.failed) == (create, delete, failed)


FOUR = dict.fromkeys("abcd", HERE)


@pytest.mark.parametrize(("pods", "unavailable", "surge", "create", "delete"), [
    ({"a": [OLD], "b": [OLD], "c": [OLD], "d": [OLD]}, 1, 0, [], ["old"]),
    ({"a": [OLD], "b": [OLD], "c": [OLD], "d": [OLD]}, 3, 0, [], ["old"] * 3),
    ({"a": [NEW], "b": [OLD], "c": [OLD], "d": []}, 1, 0, [], []),  # one node is without already
    ({"a": [NEW], "b": [DaemonPod("new", available=False)], "c": [OLD], "d": [OLD]}, 1, 0, [], []),
    ({"a": [NEW], "b": [DaemonPod("bad", old=True, available=False)], "c": [OLD], "d": [NEW]}, 1, 0, [], ["bad"]),
    ({"a": [NEW], "b": [NEW], "c": [NEW], "d": [NEW]}, 1, 0, [], []),
    ({"a": [OLD], "b": [OLD], "c": [NEW], "d": [NEW]}, 0, 1, ["a"], []),
    ({"a": [OLD, DaemonPod("n", available=False)], "b": [OLD], "c": [NEW], "d": [NEW]}, 0, 1, [], []),
    ({"a": [OLD, NEW], "b": [NEW], "c": [NEW], "d": [NEW]}, 0, 1, [], ["old"]),
])
def test_an_update_replaces_as_many_as_it_may(pods, unavailable, surge, create, delete):
    plan = update(FOUR, pods, unavailable=unavailable, surge=surge)
    assert (plan.create, plan.delete) == (create, delete)


def test_with_a_surge_the_old_pod_stays_until_the_new_one_is_available():
    waiting = {"a": [OLD, DaemonPod("n", available=False)]}
    assert manage({"a": HERE}, waiting, surge=True).delete == []
    assert manage({"a": HERE}, {"a": [OLD, NEW]}, surge=True).delete == ["old"]


def test_a_pod_that_waits_for_its_node_counts_there():
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
    pod = {"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [term]}}}}}
    assert node_of(pod) == "a"
    assert node_of({"spec": {"nodeName": "b"}}) == "b"
    assert node_of({"spec": {}}) == ""
