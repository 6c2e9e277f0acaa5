"""What a Service keeps, gets and gives back when it is written again."""

import pytest

from netlab.model.errors import ApiError
from tests.api.objects import registry, service

LOCAL = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
DNS = ({"port": 53, "name": "tcp"}, {"port": 53, "name": "udp", "protocol": "UDP"})


def patch(r, spec, *, name="web", dry_run=False):
    return r.patch("services", name, {"spec": spec}, namespace="default", dry_run=dry_run)


def given(manifest):
    return [port.get("nodePort") for port in manifest["spec"]["ports"]]


def refusal(write, *args, **options):
    with pytest.raises(ApiError) as caught:
        write(*args, **options)
    return caught.value


def test_ports_of_one_number_share_a_node_port_only_when_they_are_made_together():
    r = registry()
    r.create("services", service(ports=DNS))
    first, second = given(patch(r, {"type": "NodePort"}))
    assert first != second


def test_a_replacement_without_node_ports_keeps_them_unless_they_are_not_to_be_allocated():
    r = registry()
    asked = service(ports=({"port": 80, "nodePort": 30080},), type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    r.create("services", asked)
    plain = service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert given(patch(r, {"selector": {"app": "web"}})) == [30080]
    assert given(r.update("services", plain)) == [None]
    assert given(r.create("services", service("next", ports=({"port": 80, "nodePort": 30080},), type="NodePort")))


def test_node_ports_stay_when_they_are_no_longer_allocated():
    r = registry()
    made = r.create("services", service(type="LoadBalancer"))
    assert given(patch(r, {"allocateLoadBalancerNodePorts": False})) == given(made)


def test_a_port_may_go_together_with_the_type_that_needed_node_ports():
    r = registry()
    made = r.create("services", service(ports=({"port": 80, "name": "a"}, {"port": 81, "name": "b"}), type="NodePort"))
    left = patch(r, {"type": "ClusterIP", "ports": made["spec"]["ports"][:1]})
    assert given(left) == [None]


def test_addresses_that_are_changed_do_not_vanish_with_the_type():
    r = registry()
    r.create("services", service())
    message = refusal(patch, r, {"type": "ExternalName", "externalName": "a.b", "clusterIP": "10.96.0.7"}).message
    assert message == 'Service "web" is invalid: spec.clusterIPs: Forbidden: may not be set for ExternalName services'


def test_an_external_name_shows_no_internal_traffic_policy():
    r = registry()
    asked = service(type="ExternalName", externalName="a.b", internalTrafficPolicy="Local")
    assert "internalTrafficPolicy" not in r.create("services", asked)["spec"]
    assert patch(r, {"type": "ClusterIP"})["spec"]["internalTrafficPolicy"] == "Cluster"


def test_an_external_name_holds_no_node_port():
    r = registry()
    port = ({"port": 80, "nodePort": 30080},)
    assert given(r.create("services", service("out", ports=port, type="ExternalName", externalName="a.b"))) == [30080]
    assert given(r.create("services", service(ports=port, type="NodePort"))) == [30080]
    assert refusal(patch, r, {"type": "NodePort"}, name="out").message.endswith("provided port is already allocated")


@pytest.mark.parametrize(("before", "change", "message"), [
    (LOCAL, {"externalTrafficPolicy": "Cluster", "healthCheckNodePort": 30001},
     "spec.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is 'LoadBalancer' and "
     "`externalTrafficPolicy` is 'Local'"),
    ({"type": "LoadBalancer"}, {"loadBalancerClass": "a/b"},
     'spec.loadBalancerClass: Invalid value: "a/b": may not change once set'),
    ({"type": "LoadBalancer", "loadBalancerClass": "a/b"}, {"loadBalancerClass": None},
     'spec.loadBalancerClass: Invalid value: "null": may not change once set'),
    ({"type": "NodePort"}, {"type": "ClusterIP", "externalTrafficPolicy": "Local"},
     'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'),
    ({}, {"clusterIP": "None"}, 'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'),
    ({}, {"ports": None}, "spec.ports: Required value"),
    ({}, {"loadBalancerClass": "b"},
     "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"),
])
def test_what_a_change_may_not_do(before, change, message):
    r = registry()
    r.create("services", service(**before))
    assert refusal(patch, r, change).message == f'Service "web" is invalid: {message}'


def test_what_is_found_twice_is_told_once_and_stands_twice_among_the_causes():
    r = registry()
    r.create("services", service())
    assert len(refusal(patch, r, {"loadBalancerClass": "b"}).details["causes"]) == 2


def test_a_refused_write_takes_nothing():
    r = registry(node_ports=range(30000, 30003))
    r.create("services", service("a", type="NodePort"))
    bad = service("b", ports=({"port": 80, "name": "x"}, {"port": 81, "name": "x"}), type="NodePort")
    for _ in range(3):
        assert refusal(r.create, "services", bad).code == 422
        assert refusal(patch, r, {"type": "NodePort", "sessionAffinity": "X"}, name="a").code == 422
    for name in ("c", "d"):
        r.create("services", service(name, type="NodePort"))
    full = refusal(r.create, "services", service("e", **LOCAL))
    assert (full.code, full.message) == (500, "Internal error occurred: failed to allocate a nodePort: range is full")
    r.delete("services", "c", namespace="default")
    check = refusal(r.create, "services", service("e", **LOCAL))
    assert check.message == ("Internal error occurred: failed to allocate a HealthCheck NodePort 0: range is full")
    patch(r, {"type": "ClusterIP"}, name="d")
    assert r.create("services", service("e", **LOCAL))["spec"]["healthCheckNodePort"] in range(30000, 30003)


def test_a_dry_run_chooses_nothing_and_looks_only_at_node_ports_of_others():
    r = registry()
    made = r.create("services", service("a", ports=({"port": 80, "nodePort": 30080},), type="NodePort"))
    ports = ({"port": 80, "name": "x"}, {"port": 81, "name": "y"})
    shown = r.create("services", service(ports=ports, type="NodePort"), dry_run=True)
    assert (given(shown), shown["spec"]["clusterIP"]) == ([32769, 32770], "10.96.0.0")
    same = service(clusterIP=made["spec"]["clusterIP"])
    assert r.create("services", same, dry_run=True)["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    taken = service(ports=({"port": 80, "nodePort": 30080},), type="NodePort")
    assert "already allocated" in refusal(r.create, "services", taken, dry_run=True).message
    assert "is not in the valid range" in refusal(r.create, "services", service(clusterIP="10.0.0.1"),
                                                  dry_run=True).message
    assert given(patch(r, {"type": "ClusterIP"}, name="a", dry_run=True)) == [None]
    assert r.get("services", "a", "default") == made
