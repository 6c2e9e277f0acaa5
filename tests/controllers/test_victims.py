from datetime import UTC, datetime, timedelta

import pytest

from netlab.controllers.victims import victims

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def ago(seconds):
    return (NOW - timedelta(seconds=seconds)).isoformat()


def pod(name, *, node="n1", phase="Running", ready=100, cost=None, restarts=0, age=1000):
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ago(ready)}] if ready else []
    return {"metadata": {"name": name, "uid": name, "creationTimestamp": ago(age),
                         "annotations": {"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {}},
            "spec": {"nodeName": node} if node else {},
            "status": {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]}}


@pytest.mark.parametrize(("first", "second"), [
    ({"node": ""}, {"ready": 0}),  # without a node
    ({"phase": "Pending", "ready": 0}, {"ready": 0}),
    ({"phase": "Unknown"}, {}),
    ({"ready": 0}, {"cost": "-10"}),  # readiness counts more than the cost
    ({"cost": "-10"}, {}),
    ({}, {"cost": "10"}),
    ({"cost": "+7"}, {"cost": "1"}),  # malformed: 0
    ({"node": "crowded"}, {"ready": 1}),  # the node counts more than the age
    ({"ready": 1}, {"ready": 100}),
    ({"restarts": 3}, {}),
    ({"age": 10}, {"age": 1000}),
])
def test_the_first_pod_is_deleted_before_the_second(first, second):
    a, b = pod("z-first", **first), pod("a-second", **second)
    related = [a, b, pod("x", node="crowded"), pod("y", node="crowded")]
    assert victims([b, a], 1, NOW, related=related) == [a]


def test_pods_of_about_one_age_are_chosen_by_uid():
    assert [p["metadata"]["name"] for p in victims([pod("b", ready=100), pod("a", ready=101)], 2, NOW)] == ["a", "b"]


def test_no_more_than_asked_for():
    assert victims([pod("a")], 0, NOW) == []
    assert victims([pod("a")], -1, NOW) == []
