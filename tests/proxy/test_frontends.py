import pytest

from netlab.model.service import parse_service
from netlab.proxy.frontends import portals
from tests.proxy.manifests import port, service


@pytest.mark.parametrize(("manifest", "expected"), [
    (service("web", "10.96.0.2"), [("cluster IP", "10.96.0.2", 80, "Cluster")]),
    (service("web", "10.96.0.2", internalTrafficPolicy="Local"), [("cluster IP", "10.96.0.2", 80, "Local")]),
    (service("web", "10.96.0.2", port(node_port=30080), type="NodePort"),
     [("cluster IP", "10.96.0.2", 80, "Cluster"), ("node port", "", 30080, "Cluster")]),
    (service("web", "10.96.0.2", port(node_port=30080), type="LoadBalancer", externalTrafficPolicy="Local",
             externalIPs=["198.51.100.7"], ingress=[{"ip": "192.0.2.1"}, {"hostname": "x"}]),
     [("cluster IP", "10.96.0.2", 80, "Cluster"), ("external IP", "198.51.100.7", 80, "Local"),
      ("loadbalancer IP", "192.0.2.1", 80, "Local"), ("node port", "", 30080, "Local")]),
    (service("web", "10.96.0.2", clusterIPs=["fd00::2", "10.96.0.2"]), [("cluster IP", "10.96.0.2", 80, "Cluster")]),
])
def test_every_type_becomes_rows(manifest, expected):
    (portal,) = portals(parse_service(manifest))
    assert [(row.kind, row.address, row.port, row.policy) for row in portal.frontends] == expected
    assert portal.name == "default/web"


def test_a_named_port_is_part_of_the_name():
    assert [p.name for p in portals(parse_service(service("web", "10.96.0.2", port(name="http"))))] \
        == ["default/web:http"]
