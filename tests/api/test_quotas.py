"""ResourceQuotas and LimitRanges: what is refused, in which words, and what is filled in."""

import asyncio

import pytest

from netlab.controllers.resource_quotas import ResourceQuotas
from netlab.model.errors import ApiError
from tests.api.objects import pod, registry, service


def quota(**hard):
    return {"metadata": {"name": "q", "namespace": "default"},
            "spec": {"hard": {key.replace("__", ".").replace("_", "/"): value for key, value in hard.items()}}}


def container(name="c", **resources):
    return {"name": name, "image": "echo", "resources": resources}


def limits(*items):
    return {"metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": list(items)}}


def refusal(objects, resource, manifest):
    with pytest.raises(ApiError) as caught:
        objects.create(resource, manifest)
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
    return caught.value.message


CPU = container(requests={"cpu": "300m"})


@pytest.mark.parametrize(("hard", "present", "resource", "manifest", "text"), [
    ({"pods": "2"}, [("pods", pod("a")), ("pods", pod("b"))], "pods", pod("c"),
     'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'),
    ({"requests__cpu": "0.5", "pods": "9"}, [("pods", pod("a", containers=[CPU]))], "pods", pod("b", containers=[CPU]),
     'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=300m, used: requests.cpu=300m, '
     "limited: requests.cpu=500m"),
    ({"limits__memory": "1Gi", "cpu": "1"}, [], "pods", pod("a"),
     'pods "a" is forbidden: failed quota: q: must specify cpu for: c; limits.memory for: c'),
    ({"count_services": "0"}, [], "services", service("s"),
     'services "s" is forbidden: exceeded quota: q, requested: count/services=1, used: count/services=0, '
     "limited: count/services=0"),
    ({"services__nodeports": "1", "services__loadbalancers": "0"}, [], "services",
     service("s", type="NodePort", ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]),
     'services "s" is forbidden: exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=0, '
     "limited: services.nodeports=1"),
    ({"services__loadbalancers": "0"}, [], "services", service("s", type="LoadBalancer"),
     'services "s" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, '
     "used: services.loadbalancers=0, limited: services.loadbalancers=0"),
    ({"configmaps": "1"}, [("configmaps", {"metadata": {"name": "a"}})], "configmaps", {"metadata": {"name": "b"}},
     'configmaps "b" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, '
     "limited: configmaps=1"),
])
def test_what_exceeds_a_quota_is_refused(hard, present, resource, manifest, text):
    objects = registry()
    for kind, item in present:
        objects.create(kind, item)
    objects.create("resourcequotas", quota(**hard))
    assert refusal(objects, resource, manifest) == text
    assert objects.create(resource, manifest | {"metadata": {"name": "x", "namespace": "kube-public"}})


def test_pods_that_have_ended_and_other_scopes_do_not_count():
    objects = registry()
    objects.create("resourcequotas", quota(pods="1"))
    objects.create("resourcequotas", {"metadata": {"name": "s"}, "spec": {"hard": {"pods": "0"},
                                                                          "scopes": ["NotBestEffort"]}})
    first = objects.create("pods", pod("a"))
    assert "exceeded quota: q" in refusal(objects, "pods", pod("b"))
    objects.update("pods", first | {"status": {"phase": "Succeeded"}}, subresource="status")
    objects.create("pods", pod("b"))
    objects.delete("resourcequotas", "q", namespace="default")
    assert "exceeded quota: s" in refusal(objects, "pods", pod("c", containers=[CPU]))


def test_a_service_that_becomes_another_is_charged_the_difference():
    objects = registry()
    made = objects.create("services", service("s"))
    objects.create("resourcequotas", quota(services="1", services__nodeports="0"))
    objects.update("services", made | {"metadata": {**made["metadata"], "labels": {"a": "b"}}})
    with pytest.raises(ApiError, match=r"exceeded quota: q, requested: services\.nodeports=1"):
        objects.patch("services", "s", {"spec": {"type": "NodePort"}}, namespace="default")


def test_the_status_says_what_is_used():
    objects = registry()
    objects.create("resourcequotas", quota(pods="3", requests__cpu="1", **{"count_configmaps": "5"}))
    controller = ResourceQuotas(objects)
    objects.create("pods", pod("a", containers=[CPU, container("d", requests={"cpu": "0.3"})]))
    asyncio.run(controller.reconcile())
    found = objects.get("resourcequotas", "q", "default")
    assert found["status"] == {"hard": {"pods": "3", "requests.cpu": "1", "count/configmaps": "5"},
                               "used": {"pods": "1", "requests.cpu": "600m", "count/configmaps": "0"}}
    asyncio.run(controller.reconcile())
    assert objects.get("resourcequotas", "q", "default") is found


@pytest.mark.parametrize(("hard", "text"), [
    ({"foo": "1"}, 'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota'),
    ({"pods": "-1"}, 'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'),
    ({"pods": "1.5"}, 'spec.hard[pods]: Invalid value: "1500m": must be an integer')])
def test_quotas_are_validated(hard, text):
    with pytest.raises(ApiError) as caught:
        registry().create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    assert caught.value.message == f'ResourceQuota "q" is invalid: {text}'


MIN = {"type": "Container", "min": {"cpu": "100m"}, "default": {"cpu": "200m"}}


@pytest.mark.parametrize(("item", "resources", "text"), [
    (MIN, {"requests": {"cpu": "50m"}, "limits": {"cpu": "1"}},
     "minimum cpu usage per Container is 100m, but request is 50m"),
    ({"type": "Container", "max": {"cpu": "1"}}, {"limits": {"cpu": "2"}},
     "maximum cpu usage per Container is 1, but limit is 2"),
    ({"type": "Pod", "max": {"memory": "1Gi"}}, {}, "maximum memory usage per Pod is 1Gi.  No limit is specified"),
    ({"type": "Pod", "max": {"memory": "1Gi", "cpu": "1"}}, {"limits": {"cpu": "3"}},
     "[maximum cpu usage per Pod is 1, but limit is 3, "
     "maximum memory usage per Pod is 1Gi.  No limit is specified]"),
    ({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}, {"requests": {"cpu": "1"}, "limits": {"cpu": "4"}},
     "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000"),
])
def test_what_is_out_of_range_is_refused(item, resources, text):
    objects = registry()
    objects.create("limitranges", limits(item))
    assert refusal(objects, "pods", pod("p", containers=[container(**resources)])) == f'pods "p" is forbidden: {text}'


def test_containers_get_the_defaults_that_they_lack():
    objects = registry()
    objects.create("limitranges", limits({
        "type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "500m"}}))
    made = objects.create("pods", pod("p", containers=[container("a"), container("b", limits={"cpu": "2"})]))
    assert [c["resources"] for c in made["spec"]["containers"]] == [
        {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}]
    assert made["status"]["qosClass"] == "Burstable"
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a; "
        "memory request for container b; memory limit for container b")


@pytest.mark.parametrize(("item", "text"), [
    ({"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}, "min value 2 is greater than max value 1"),
    ({"type": "Pod", "default": {"cpu": "1"}}, "may not be specified when `type` is 'Pod'")])
def test_limit_ranges_are_validated(item, text):
    with pytest.raises(ApiError, match=r"LimitRange .* is invalid") as caught:
        registry().create("limitranges", limits(item))
    assert text in caught.value.message
