import pytest

from netlab.model.endpoints import parse_endpoint_slice
from netlab.model.errors import ApiError
from netlab.model.service import parse_service
from tests.proxy.manifests import endpoint, endpoint_slice, port, service


def test_a_service_is_read_with_its_defaults():
    found = parse_service(service("web", "10.96.0.2", {"port": 80}))
    assert (found.type, found.internal_policy, found.external_policy) == ("ClusterIP", "Cluster", "Cluster")
    assert (found.ports[0].protocol, found.ports[0].target_port, found.affinity_seconds) == ("TCP", 80, 0)
    assert parse_service(service("web", "None")).headless
    assert parse_service(service("web", "10.96.0.2", sessionAffinity="ClientIP")).affinity_seconds == 10800


def test_leading_zeros_of_an_address_are_decimal():
    assert parse_service(service("web", "010.096.000.020")).cluster_ips == ("10.96.0.20",)
    balanced = service("web", "10.96.0.2", type="LoadBalancer", loadBalancerSourceRanges=[" 203.000.113.010/024 "])
    assert parse_service(balanced).source_ranges == ("203.0.113.0/24",)


@pytest.mark.parametrize(("ranges", "annotation", "at_nodes", "at_the_balancer"), [
    (["10.0.0.0/8"], "192.0.2.0/24", ("10.0.0.0/8",), ("10.0.0.0/8",)),
    ([], "192.0.2.0/24, 10.0.0.0/8", (), ("192.0.2.0/24", "10.0.0.0/8")),
    ([], " ", (), ()),
])
def test_only_load_balancers_know_the_annotation_of_source_ranges(ranges, annotation, at_nodes, at_the_balancer):
    manifest = service("web", "10.96.0.2", type="LoadBalancer", loadBalancerSourceRanges=ranges)
    manifest["metadata"]["annotations"] = {"service.beta.kubernetes.io/load-balancer-source-ranges": annotation}
    found = parse_service(manifest)
    assert (found.source_ranges, found.balancer_ranges) == (at_nodes, at_the_balancer)


@pytest.mark.parametrize(("kind", "policy", "expected"), [
    ("LoadBalancer", "Local", 32000), ("LoadBalancer", "Cluster", 0), ("NodePort", "Local", 0),
])
def test_a_health_check_port_is_for_load_balancers_that_keep_to_the_node(kind, policy, expected):
    manifest = service("web", "10.96.0.2", type=kind, externalTrafficPolicy=policy, healthCheckNodePort=32000)
    assert parse_service(manifest).health_check_node_port == expected


@pytest.mark.parametrize(("manifest", "path"), [
    (service("web", "10.96.0.2", port(0)), "spec.ports[0].port"),
    (service("web", "10.96.0.2", port(), port(70000)), "spec.ports[1].port"),
    (service("web", "10.96.0.2", port() | {"protocol": "ICMP"}), "spec.ports[0].protocol"),
    (service("web", "10.96.0.2", port() | {"nodePort": "80"}), "spec.ports[0].nodePort"),
    (service("web", "10.96.0.300"), "spec.clusterIPs[0]"),
    (service("web", "10.96..2"), "spec.clusterIPs[0]"),
    (service("web", "10.96.0.2", type="clusterIP"), "spec.type"),
    (service("web", "10.96.0.2", externalIPs=["x"]), "spec.externalIPs[0]"),
    (service("web", "10.96.0.2", type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8", "x"]),
     "spec.LoadBalancerSourceRanges[1]"),
    (service("web", "10.96.0.2", sessionAffinity="ClientIP",
             sessionAffinityConfig={"clientIP": {"timeoutSeconds": 0}}),
     "spec.sessionAffinityConfig.clientIP.timeoutSeconds"),
    (service("web", "", type="ExternalName"), "spec.externalName"),
])
def test_a_bad_service_is_refused_with_the_path_of_the_field(manifest, path):
    with pytest.raises(ApiError) as caught:
        parse_service(manifest)
    assert [cause["field"] for cause in caught.value.details["causes"]] == [path]


def test_absent_conditions_mean_ready_and_serving():
    (found,) = parse_endpoint_slice(endpoint_slice("web", endpoint("10.244.1.2"))).endpoints
    assert (found.ready, found.serving, found.terminating) == (True, True, False)
    ending = endpoint("10.244.1.2", ready=False, terminating=True)
    (found,) = parse_endpoint_slice(endpoint_slice("web", ending)).endpoints
    assert (found.ready, found.serving) == (False, True)


@pytest.mark.parametrize(("manifest", "path"), [
    (endpoint_slice("web", endpoint("10.244.1")), "endpoints[0].addresses[0]"),
    (endpoint_slice("web", endpoint("10.244.1.2", ready="yes")), "endpoints[0].conditions.ready"),
    (endpoint_slice("web", endpoint("fd00::1")), "endpoints[0].addresses[0]"),
    (endpoint_slice("web", ports=[{"name": "", "port": -1}]), "ports[0].port"),
    (endpoint_slice("web", kind="IPX"), "addressType"),
])
def test_a_bad_slice_is_refused_with_the_path_of_the_field(manifest, path):
    with pytest.raises(ApiError) as caught:
        parse_endpoint_slice(manifest)
    assert [cause["field"] for cause in caught.value.details["causes"]] == [path]
