"""Disruption budgets, autoscalers in both versions, priorities, events in both groups: what is refused and shown."""

import asyncio
import json

import pytest

from netlab.api import disruption
from netlab.api.handlers import Api
from netlab.api.request import Request
from netlab.controllers.autoscalers import Autoscalers
from netlab.controllers.disruptions import Disruptions
from netlab.controllers.kubelet.node_status import renew_lease
from netlab.model.errors import ApiError
from tests.api.objects import deployment, pod, registry

HPA = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"


def budget(**spec):
    return {"metadata": {"name": "p", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


def running(objects, *names, ready=True):
    for name in names:
        made = objects.create("pods", pod(name))
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
        objects.update("pods", made | {"status": status}, subresource="status")


def ask(objects, method, target, body=None, content_type="application/json"):
    answer = Api(objects).handle(Request.from_target(method, target, {"content-type": content_type},
                                                     b"" if body is None else json.dumps(body).encode()))
    return answer.code, json.loads(answer.body)


@pytest.mark.parametrize(("spec", "desired", "allowed"), [
    ({"minAvailable": 2}, 2, 1), ({"minAvailable": 3}, 3, 0), ({"minAvailable": "50%"}, 2, 1),
    ({"maxUnavailable": 1}, 2, 1), ({"maxUnavailable": "40%"}, 1, 2), ({"minAvailable": 0}, 0, 3), ({}, 1, 2)])
def test_budgets_say_how_many_may_go(spec, desired, allowed):
    objects = registry()
    running(objects, "a", "b", "c")
    objects.create("poddisruptionbudgets", budget(**spec))
    asyncio.run(Disruptions(objects).reconcile())
    status = objects.get("poddisruptionbudgets", "p", "default")["status"]
    assert (status["expectedPods"], status["currentHealthy"]) == (3, 3)
    assert (status["desiredHealthy"], status["disruptionsAllowed"]) == (desired, allowed)
    assert status["conditions"][0]["reason"] == ("SufficientPods" if allowed else "InsufficientPods")


def test_an_eviction_beyond_the_budget_is_refused_and_deletes_nothing():
    objects = registry()
    running(objects, "a", "b")
    objects.create("poddisruptionbudgets", budget(minAvailable=1))
    assert ask(objects, "POST", "/api/v1/namespaces/default/pods/a/eviction", {})[0] == 201
    code, status = ask(objects, "POST", "/api/v1/namespaces/default/pods/b/eviction", {})
    assert (code, status["reason"], status["message"]) == (429, "TooManyRequests", disruption.TOO_MANY)
    assert status["details"]["causes"] == [{
        "reason": "DisruptionBudget", "message": "The disruption budget p needs 1 healthy pods and has 1 currently"}]
    assert objects.find("pods", "b", "default")
    objects.create("poddisruptionbudgets", budget(minAvailable=0) | {"metadata": {"name": "q"}})
    assert ask(objects, "POST", "/api/v1/namespaces/default/pods/b/eviction", {})[:1] == (500,)


def test_pods_that_are_not_ready_go_when_the_others_suffice_or_the_budget_says_always():
    objects = registry()
    running(objects, "a")
    running(objects, "sick", ready=False)
    objects.create("poddisruptionbudgets", budget(minAvailable=2))
    sick = objects.get("pods", "sick", "default")
    with pytest.raises(ApiError, match="would violate"):
        disruption.check(objects, sick)
    objects.patch("poddisruptionbudgets", "p", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}},
                  namespace="default")
    disruption.check(objects, sick)


def test_an_autoscaler_is_one_object_in_two_versions():
    objects = registry()
    old = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50,
                                               "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}
    code, made = ask(objects, "POST", HPA.format("v1"), old)
    assert (code, made["apiVersion"], made["spec"]["targetCPUUtilizationPercentage"]) == (201, "autoscaling/v1", 50)
    code, new = ask(objects, "GET", HPA.format("v2") + "/h")
    assert new["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 50}
    code, changed = ask(objects, "PATCH", HPA.format("v1") + "/h", {"spec": {"targetCPUUtilizationPercentage": 70}},
                        "application/merge-patch+json")
    assert (code, changed["spec"]["targetCPUUtilizationPercentage"]) == (200, 70)
    assert ask(objects, "GET", HPA.format("v1"))[1]["items"] == [changed]
    code, status = ask(objects, "POST", HPA.format("v2"), {"metadata": {"name": "x"}, "spec": {"maxReplicas": 0}})
    assert code == 422
    assert "spec.maxReplicas: Invalid value: 0: must be greater than 0" in status["message"]


def test_an_autoscaler_keeps_its_bounds_and_says_that_nothing_is_measured():
    objects = registry()
    objects.create("deployments", deployment(replicas=5))
    objects.create("horizontalpodautoscalers", {"metadata": {"name": "h"}, "spec": {
        "maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}})
    controller = Autoscalers(objects)
    asyncio.run(controller.reconcile())
    assert objects.get("deployments", "web", "default")["spec"]["replicas"] == 3
    asyncio.run(controller.reconcile())
    found = objects.get("horizontalpodautoscalers", "h", "default")["status"]
    assert [(c["type"], c["status"], c["reason"]) for c in found["conditions"]] == [
        ("AbleToScale", "True", "SucceededGetScale"), ("ScalingActive", "False", "FailedGetResourceMetric")]
    assert {event["reason"] for event in objects.list("events")} == {
        "SuccessfulRescale", "FailedGetResourceMetric", "FailedComputeMetricsReplicas"}
    shown = ask(objects, "GET", "/apis/events.k8s.io/v1/events")[1]["items"]
    assert {(event["apiVersion"], event["regarding"]["name"]) for event in shown} == {("events.k8s.io/v1", "h")}


def test_priorities_come_from_classes():
    objects = registry()
    objects.create("priorityclasses", {"metadata": {"name": "high"}, "value": 9, "preemptionPolicy": "Never"})
    made = objects.create("pods", pod("a", priorityClassName="high"))["spec"]
    assert (made["priority"], made["preemptionPolicy"]) == (9, "Never")
    assert objects.create("pods", pod("b"))["spec"]["priority"] == 0
    with pytest.raises(ApiError, match="no PriorityClass with name low was found"):
        objects.create("pods", pod("c", priorityClassName="low"))
    with pytest.raises(ApiError, match=r"the integer value of priority \(3\) must not be provided in pod spec"):
        objects.create("pods", pod("d", priorityClassName="high", priority=3))
    with pytest.raises(ApiError, match="maximum allowed value"):
        objects.create("priorityclasses", {"metadata": {"name": "x"}, "value": 2_000_000_000})


def test_a_node_lease_is_renewed_when_it_is_time_and_not_before():
    objects = registry()
    objects.create("nodes", {"metadata": {"name": "worker"}})
    assert renew_lease(objects, "worker") == 10.0
    lease = objects.get("leases", "worker", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "worker"
    assert renew_lease(objects, "worker") == 10.0
    assert objects.get("leases", "worker", "kube-node-lease") is lease
