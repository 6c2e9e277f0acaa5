"""What load balancers hear from a node."""

import json
from datetime import UTC, datetime

import pytest

from netlab.proxy.health import HealthCheck, health_checks, metrics_page, proxy_page, service_page
from netlab.proxy.snapshot import Snapshots
from netlab.proxy.state import FamilyState, ProxyState
from tests.proxy.manifests import endpoint, endpoint_slice, port, service

NOW = datetime(2025, 3, 1, 12, 0, 5, 250000, UTC)
BODY = """{
	"service": {
		"namespace": "default",
		"name": "web"
	},
	"localEndpoints": 1,
	"serviceProxyHealthy": true
}"""


def checks(node, *endpoints, ports=(80,)):
    web = service("web", "10.96.0.20", *(port(number, name=f"p{number}") for number in ports), type="LoadBalancer",
                  externalTrafficPolicy="Local", healthCheckNodePort=32000)
    behind = endpoint_slice("web", *endpoints, ports=[{"name": f"p{number}", "port": number} for number in ports])
    rows = Snapshots().take([web], [behind])
    return health_checks(rows, node=node)


@pytest.mark.parametrize(("node", "endpoints", "found"), [
    ("n1", [endpoint("10.244.1.2", node="n1")], 1),
    ("n1", [endpoint("10.244.1.2", node="n1"), endpoint("10.244.1.3", node="n1")], 2),
    ("n2", [endpoint("10.244.1.2", node="n1")], 0),
    ("n1", [], 0),
    ("n1", [endpoint("10.244.1.2", node="n1", ready=False, serving=True, terminating=True)], 0),
    ("n1", [endpoint("10.244.1.2", node="n1", ready=False)], 0),
])
def test_a_check_counts_the_ready_endpoints_of_its_node(node, endpoints, found):
    assert checks(node, *endpoints) == (HealthCheck(32000, "default", "web", found),)


def test_a_pod_that_serves_two_ports_counts_once():
    assert checks("n1", endpoint("10.244.1.2", node="n1"), ports=(80, 443))[0].endpoints == 1


def named(address, pod, **more):
    return endpoint(address, node="n1", **more) | {"targetRef": {"kind": "Pod", "name": pod}}


@pytest.mark.parametrize(("four", "six", "found"), [
    ([named("10.244.1.2", "a"), named("10.244.1.3", "b")], [named("fd00::2", "a"), named("fd00::3", "b")], 2),
    ([named("10.244.1.2", "a", ready=False)], [named("fd00::2", "a")], 1),
    ([], [named("fd00::2", "a")], 1),
    ([named("10.244.1.2", "a")], [named("fd00::3", "b")], 2),
    ([endpoint("10.244.1.2", node="n1")], [endpoint("fd00::2", node="n1"), endpoint("fd00::3", node="n1")], 2),
])
def test_a_pod_counts_when_it_has_an_endpoint_of_either_family(four, six, found):
    web = service("web", "10.96.0.20", port(80), type="LoadBalancer", clusterIPs=["10.96.0.20", "fd00:96::20"],
                  externalTrafficPolicy="Local", healthCheckNodePort=32000)
    slices = [endpoint_slice("web", *four), endpoint_slice("web", *six, suffix="six") | {"addressType": "IPv6"}]
    rows = [row for family in ("IPv4", "IPv6") for row in Snapshots(family).take([web], slices)]
    assert health_checks(rows, node="n1") == (HealthCheck(32000, "default", "web", found),)


def test_services_without_a_check_port_have_no_check():
    rows = Snapshots().take([service("web", "10.96.0.20", port(node_port=30080), type="NodePort")], [])
    assert health_checks(rows, node="n1") == ()


@pytest.mark.parametrize(("endpoints", "healthy", "code"), [
    (1, True, 200), (0, True, 503), (1, False, 503), (0, False, 503)])
def test_a_node_is_good_with_endpoints_and_a_healthy_proxy(endpoints, healthy, code):
    page = service_page(HealthCheck(32000, "default", "web", endpoints), healthy=healthy)
    assert page.code == code
    assert json.loads(page.body) == {"service": {"namespace": "default", "name": "web"}, "localEndpoints": endpoints,
                                     "serviceProxyHealthy": healthy}
    assert dict(page.headers)["X-Load-Balancing-Endpoint-Weight"] == str(endpoints)


def test_the_answer_is_written_as_upstream_writes_it():
    page = service_page(HealthCheck(32000, "default", "web", 1), healthy=True)
    assert page.body == BODY
    assert page.headers[:2] == (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))


def state(*, healthy=True, eligible=True, updated=NOW, **more):
    return ProxyState(NOW, (FamilyState("IPv4", updated, healthy=healthy),), eligible, **more)


@pytest.mark.parametrize(("path", "healthy", "eligible", "code"), [
    ("/healthz", True, True, 200), ("/healthz", True, False, 503), ("/healthz", False, True, 503),
    ("/livez", True, True, 200), ("/livez", True, False, 200), ("/livez", False, True, 503),
    ("/", True, True, 404), ("/metrics", True, True, 404),
])
def test_a_proxy_tells_its_health(path, healthy, eligible, code):
    assert proxy_page(path, state(healthy=healthy, eligible=eligible)).code == code


def test_a_healthy_proxy_was_updated_now_and_a_late_one_when_it_was():
    old = datetime(2025, 3, 1, 11, 55, tzinfo=UTC)
    assert proxy_page("/healthz", state(updated=old)).body == (
        '{"lastUpdated":"2025-03-01T12:00:05.25Z","currentTime":"2025-03-01T12:00:05.25Z","nodeEligible":true,'
        '"healthy":true,"status":{"IPv4":{"lastUpdated":"2025-03-01T11:55:00Z","healthy":true}}}')
    assert json.loads(proxy_page("/livez", state(updated=old, healthy=False)).body) == {
        "lastUpdated": "2025-03-01T11:55:00Z", "currentTime": "2025-03-01T12:00:05.25Z", "healthy": False,
        "status": {"IPv4": {"lastUpdated": "2025-03-01T11:55:00Z", "healthy": False}}}


def test_one_late_family_makes_the_proxy_late_and_its_status_says_which():
    both = ProxyState(NOW, (FamilyState("IPv6", None, healthy=False), FamilyState("IPv4", NOW)))
    page = proxy_page("/healthz", both)
    assert page.code == 503
    assert json.loads(page.body)["status"] == {
        "IPv4": {"lastUpdated": "2025-03-01T12:00:05.25Z", "healthy": True},
        "IPv6": {"lastUpdated": "0001-01-01T00:00:00Z", "healthy": False}}


def test_the_metrics_port_names_the_mode():
    assert metrics_page("/proxyMode", state()).body == "iptables"
    assert metrics_page("/healthz", state()).body == "ok"
    assert metrics_page("/metrics", state()).body.startswith("# HELP kubeproxy_")
    assert metrics_page("/other", state()).code == 404
