import base64

import pytest

from netlab.controllers.kubelet.environment import ConfigError, environment
from netlab.controllers.kubelet.expand import expand
from netlab.controllers.kubelet.service_env import service_variables


def service(name, ip, *ports, namespace="default"):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": list(ports)}}


KUBERNETES = service("kubernetes", "10.96.0.1", {"name": "https", "port": 443, "protocol": "TCP"})
REDIS = service("redis-master", "10.96.4.4", {"port": 6379, "protocol": "TCP"})


def test_a_service_makes_the_seven_variables_of_docker_links():
    assert service_variables([REDIS], "default") == {
        "REDIS_MASTER_SERVICE_HOST": "10.96.4.4", "REDIS_MASTER_SERVICE_PORT": "6379",
        "REDIS_MASTER_PORT": "tcp://10.96.4.4:6379", "REDIS_MASTER_PORT_6379_TCP": "tcp://10.96.4.4:6379",
        "REDIS_MASTER_PORT_6379_TCP_PROTO": "tcp", "REDIS_MASTER_PORT_6379_TCP_PORT": "6379",
        "REDIS_MASTER_PORT_6379_TCP_ADDR": "10.96.4.4"}


def test_named_ports_and_further_ports_have_variables_too():
    dns = service("dns", "10.96.0.10", {"name": "dns-udp", "port": 53, "protocol": "UDP"}, {"name": "m", "port": 9153})
    found = service_variables([dns], "default")
    assert found["DNS_SERVICE_PORT"] == found["DNS_SERVICE_PORT_DNS_UDP"] == "53"
    assert found["DNS_SERVICE_PORT_M"] == "9153"
    assert found["DNS_PORT"] == found["DNS_PORT_53_UDP"] == "udp://10.96.0.10:53"
    assert found["DNS_PORT_9153_TCP_PROTO"] == "tcp"


def test_ipv6_addresses_are_bracketed_in_urls_only():
    found = service_variables([service("v6", "fd00::1", {"port": 80})], "default")
    assert (found["V6_PORT"], found["V6_SERVICE_HOST"], found["V6_PORT_80_TCP_ADDR"]) == \
        ("tcp://[fd00::1]:80", "fd00::1", "fd00::1")


OWN = service("kubernetes", "10.96.9.9", {"port": 443}, namespace="other")


@pytest.mark.parametrize(("services", "namespace", "links", "hosts"), [
    ([KUBERNETES, REDIS], "default", True, {"KUBERNETES": "10.96.0.1", "REDIS_MASTER": "10.96.4.4"}),
    ([KUBERNETES, REDIS], "default", False, {"KUBERNETES": "10.96.0.1"}),
    ([KUBERNETES, REDIS], "other", True, {"KUBERNETES": "10.96.0.1"}),
    ([KUBERNETES, OWN], "other", True, {"KUBERNETES": "10.96.9.9"}),
    ([OWN, KUBERNETES], "other", False, {"KUBERNETES": "10.96.0.1"}),
    ([service("headless", "None", {"port": 80}), service("external", "", {"port": 80})], "default", True, {}),
])
def test_which_services_a_pod_is_told_of(services, namespace, links, hosts):
    found = service_variables(services, namespace, links=links)
    assert {k.removesuffix("_SERVICE_HOST"): v for k, v in found.items() if k.endswith("_SERVICE_HOST")} == hosts


@pytest.mark.parametrize(("text", "expanded"), [
    ("$(A)", "1"), ("a$(A)b$(B)", "a1b2"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"), ("$(NONE)", "$(NONE)"),
    ("$A", "$A"), ("$", "$"), ("$(A", "$(A"), ("$()", "$()"), ("100$$", "100$"),
])
def test_references_are_expanded_as_upstream_does(text, expanded):
    assert expand(text, {"A": "1", "B": "2"}) == expanded


POD = {"metadata": {"name": "web-1", "namespace": "default", "uid": "u-1", "labels": {"app": "web"},
                    "annotations": {"a/b": "c"}},
       "spec": {"nodeName": "worker", "serviceAccountName": "robot"},
       "status": {"podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}], "hostIP": "172.18.0.3"}}
OBJECTS = {("configmaps", "cm"): {"kind": "ConfigMap", "data": {"k": "v", "B": "from cm"}},
           ("secrets", "s"): {"kind": "Secret", "data": {"k": base64.b64encode(b"hidden").decode()}}}


def env(container, services=()):
    return environment(POD, container, services=services, find=lambda resource, name: OBJECTS.get((resource, name)))


@pytest.mark.parametrize(("path", "value"), [
    ("metadata.name", "web-1"), ("metadata.namespace", "default"), ("metadata.uid", "u-1"),
    ("metadata.labels['app']", "web"), ("metadata.annotations['a/b']", "c"), ("metadata.labels['none']", ""),
    ("spec.nodeName", "worker"), ("spec.serviceAccountName", "robot"), ("status.podIP", "10.244.1.2"),
    ("status.podIPs", "10.244.1.2"), ("status.hostIP", "172.18.0.3"),
])
def test_field_references_read_the_pod(path, value):
    assert env({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}) == {"A": value}


def test_env_wins_over_env_from_and_this_over_services():
    container = {"envFrom": [{"configMapRef": {"name": "cm"}}, {"prefix": "P_", "configMapRef": {"name": "cm"}}],
                 "env": [{"name": "B", "value": "own"}, {"name": "C", "value": "$(B)-$(REDIS_MASTER_SERVICE_HOST)"},
                         {"name": "REDIS_MASTER_SERVICE_PORT", "value": "1"}]}
    found = env(container, [REDIS])
    assert (found["B"], found["P_B"], found["k"], found["C"]) == ("own", "from cm", "v", "own-10.96.4.4")
    assert found["REDIS_MASTER_SERVICE_PORT"] == "1"


@pytest.mark.parametrize(("resource", "divisor", "value"), [
    ("limits.cpu", "1", "2"), ("limits.cpu", "1m", "1500"), ("requests.cpu", "1", "1"), ("limits.memory", "1Mi", "64"),
    ("limits.memory", "0", "67108864"), ("limits.memory", "1k", "67109"), ("requests.memory", "1", "0"),
    ("limits.ephemeral-storage", "1Gi", "8"),  # not limited: what the node has
])
def test_resource_fields_are_whole_divisors_rounded_up(resource, divisor, value):
    container = {"resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "0.25"}}, "env": [
        {"name": "A", "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}}]}
    found = environment(POD, container, services=[], find=lambda resource, name: None,
                        allocatable={"cpu": "4", "ephemeral-storage": "8Gi"})
    assert found == {"A": value}


@pytest.mark.parametrize(("source", "result"), [
    ({"configMapKeyRef": {"name": "cm", "key": "k"}}, {"A": "v"}),
    ({"secretKeyRef": {"name": "s", "key": "k"}}, {"A": "hidden"}),
    ({"configMapKeyRef": {"name": "cm", "key": "none", "optional": True}}, {}),
    ({"configMapKeyRef": {"name": "none", "key": "k", "optional": True}}, {}),
    ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
    ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
    ({"configMapKeyRef": {"name": "cm", "key": "none"}}, "couldn't find key none in ConfigMap default/cm"),
])
def test_keys_of_objects_are_read_or_their_absence_is_said(source, result):
    container = {"env": [{"name": "A", "valueFrom": source}]}
    if isinstance(result, dict):
        assert env(container) == result
    else:
        with pytest.raises(ConfigError, match=result):
            env(container)
