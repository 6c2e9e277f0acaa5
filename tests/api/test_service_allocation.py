from ipaddress import IPv4Address, IPv4Network

import pytest

from netlab.model.errors import ApiError
from tests.api.objects import registry, service


def ports(manifest):
    return [port.get("nodePort") for port in manifest["spec"]["ports"]]


def test_an_address_is_given_once():
    r = registry()
    r.create("services", service("dns", clusterIP="10.96.0.10"))
    with pytest.raises(ApiError) as caught:
        r.create("services", service("other", clusterIP="10.96.0.10"))
    assert caught.value.message == ('Service "other" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: '
                                    'failed to '
                                    "allocate IP 10.96.0.10: provided IP is already allocated")
    r.delete("services", "dns", namespace="default")
    assert r.create("services", service("other", clusterIP="10.96.0.10"))


def test_a_full_range_is_an_internal_error():
    r = registry(service_cidr=IPv4Network("10.0.0.0/29"), dns_ip=IPv4Address("10.0.0.2"))
    for number in range(4):
        r.create("services", service(f"s{number}"))
    with pytest.raises(ApiError, match="Internal error occurred: failed to allocate a serviceIP: range is full"):
        r.create("services", service("more"))
    assert r.create("services", service("api", clusterIP="10.0.0.1"))  # kept for those who ask for it


def test_the_static_band_is_left_to_explicit_requests():
    made = registry().create("services", service())
    assert IPv4Address("10.96.1.0") < IPv4Address(made["spec"]["clusterIP"]) < IPv4Address("10.111.255.255")


def test_a_node_port_is_given_once_whatever_its_protocol():
    r = registry()
    r.create("services", service("a", ports=({"port": 80, "nodePort": 30080},), type="NodePort"))
    with pytest.raises(ApiError, match="nodePort: Invalid value: 30080: provided port is already allocated"):
        r.create("services", service("b", ports=({"port": 80, "nodePort": 30080, "protocol": "UDP"},), type="NodePort"))


def test_ports_of_one_number_share_their_node_port():
    both = ({"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"})
    made = registry().create("services", service(ports=both, type="NodePort"))
    assert ports(made)[0] == ports(made)[1] >= 30086
    asked = ({"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP", "nodePort": 30053})
    assert ports(registry().create("services", service(ports=asked, type="NodePort"))) == [30053, 30053]


def test_different_numbers_cannot_ask_for_one_node_port_on_create():
    asked = ({"port": 53, "name": "a", "nodePort": 30053}, {"port": 54, "name": "b", "protocol": "UDP",
                                                            "nodePort": 30053})
    with pytest.raises(ApiError, match=r"ports\[1\].nodePort: Invalid value: 30053: provided port is already "
                                       r"allocated"):
        registry().create("services", service(ports=asked, type="NodePort"))


def test_the_node_port_range_can_be_full():
    r = registry(node_ports=range(30000, 30002))
    r.create("services", service("a", type="NodePort"))
    r.create("services", service("b", type="NodePort"))
    with pytest.raises(ApiError) as caught:
        r.create("services", service("c", type="NodePort"))
    assert (caught.value.code, caught.value.message) == (500, "Internal error occurred: failed to allocate a nodePort: "
                                                                 "range is full")
    assert len(r.list("services")) == 2


def test_a_local_load_balancer_gets_a_health_check_port_of_the_same_pool():
    r = registry()
    made = r.create("services", service(type="LoadBalancer", externalTrafficPolicy="Local"))
    check = made["spec"]["healthCheckNodePort"]
    assert check in range(30086, 32768)
    assert check not in ports(made)
    with pytest.raises(ApiError, match=f"failed to allocate requested HealthCheck NodePort {check}: provided port is"):
        r.create("services", service("b", type="LoadBalancer", externalTrafficPolicy="Local",
                                     healthCheckNodePort=check))


def test_a_load_balancer_may_do_without_node_ports():
    made = registry().create("services", service(type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    assert ports(made) == [None]


def test_dry_run_reserves_nothing_and_shows_the_range_base():
    r = registry()
    made = r.create("services", service(), dry_run=True)
    assert made["spec"]["clusterIP"] == "10.96.0.0"
    assert r.list("services") == []


def test_applying_the_first_manifest_again_keeps_address_and_ports():
    r = registry()
    made = r.create("services", service(type="NodePort"))
    assert r.update("services", service(type="NodePort")) == made


def test_node_ports_are_carried_over_by_port_name():
    r = registry()
    made = r.create("services", service(ports=({"port": 80, "name": "a"}, {"port": 81, "name": "b"}), type="NodePort"))
    new = r.update("services", service(ports=({"port": 81, "name": "b"}, {"port": 8080, "name": "a"}), type="NodePort"))
    assert ports(new) == ports(made)[::-1]


TRANSITIONS = [
    ({"type": "ClusterIP"}, {"type": "NodePort"}, {"clusterIP": True, "nodePort": True, "externalTrafficPolicy": True}),
    ({"type": "NodePort"}, {"type": "LoadBalancer"},
     {"clusterIP": True, "nodePort": True, "allocateLoadBalancerNodePorts": True}),
    ({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerClass": "a/b"}, {"type": "NodePort"},
     {"clusterIP": True, "nodePort": True, "externalTrafficPolicy": True, "healthCheckNodePort": False,
      "allocateLoadBalancerNodePorts": False, "loadBalancerClass": False}),
    ({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, {"type": "ClusterIP"},
     {"clusterIP": True, "nodePort": False, "externalTrafficPolicy": False, "healthCheckNodePort": False,
      "allocateLoadBalancerNodePorts": False}),
    ({"type": "NodePort", "externalIPs": ["192.0.2.1"]}, {"type": "ClusterIP"},
     {"nodePort": False, "externalTrafficPolicy": True}),
    ({"type": "LoadBalancer"}, {"type": "ExternalName", "externalName": "a.b"},
     {"clusterIP": False, "clusterIPs": False, "ipFamilies": False, "ipFamilyPolicy": False, "nodePort": False,
      "externalTrafficPolicy": False, "internalTrafficPolicy": False, "ports": True}),
    ({"type": "ExternalName", "externalName": "a.b"}, {"type": "NodePort"},
     {"clusterIP": True, "ipFamilies": True, "nodePort": True, "externalName": True, "internalTrafficPolicy": True}),
    ({"type": "LoadBalancer"}, {"externalTrafficPolicy": "Local"}, {"healthCheckNodePort": True}),
    ({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, {"externalTrafficPolicy": "Cluster"},
     {"healthCheckNodePort": False}),
]


@pytest.mark.parametrize(("before", "change", "there"), TRANSITIONS)
def test_a_change_of_type_keeps_allocates_and_clears(before, change, there):
    r = registry()
    old = r.create("services", service(**before))
    new = r.patch("services", "web", {"spec": change}, namespace="default")
    found = new["spec"] | {"nodePort": ports(new)[0] or None}
    assert {field: found.get(field) is not None for field in there} == there
    if old["spec"].get("clusterIP") and found.get("clusterIP"):
        assert old["spec"]["clusterIP"] == found["clusterIP"]


@pytest.mark.parametrize(("before", "change", "message"), [
    ({}, {"clusterIP": "10.96.0.77", "clusterIPs": ["10.96.0.77"]}, r"spec.clusterIPs\[0\].*may not change once set"),
    ({"clusterIP": "None", "selector": {"a": "b"}}, {"clusterIP": "10.96.0.77"},
     r"spec.clusterIPs\[0\].*may not change once set"),
    ({"type": "NodePort"}, {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 30001}]},
     r"spec.ports\[0\].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
    ({"type": "LoadBalancer", "loadBalancerClass": "a/b"}, {"loadBalancerClass": "a/c"},
     'spec.loadBalancerClass: Invalid value: "a/c": may not change once set'),
    ({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, {"healthCheckNodePort": 30007},
     "spec.healthCheckNodePort: Forbidden: field is immutable"),
    ({"type": "ExternalName", "externalName": "a.b", "ports": ()}, {"type": "ClusterIP"}, "spec.ports: Required value"),
])
def test_what_may_not_change(before, change, message):
    r = registry()
    r.create("services", service(**before))
    with pytest.raises(ApiError, match=message):
        r.patch("services", "web", {"spec": change}, namespace="default")


def test_an_emptied_cluster_ip_is_filled_again():
    r = registry()
    made = r.create("services", service())
    assert r.patch("services", "web", {"spec": {"clusterIP": ""}}, namespace="default") == made


def test_leading_zeros_are_decimal():
    made = registry().create("services", service(clusterIP="010.096.000.020"))
    assert made["spec"]["clusterIP"] == "10.96.0.20"


def test_the_endpoints_object_goes_with_its_service():
    r = registry()
    r.create("services", service())
    r.create("endpoints", {"metadata": {"name": "web", "namespace": "default"}})
    r.delete("services", "web", namespace="default")
    assert r.find("endpoints", "web", "default") is None
