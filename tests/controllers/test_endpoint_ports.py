import pytest

from netlab.model.endpoint_ports import endpoint_ports, resolve

POD = {"spec": {
    "containers": [{"ports": [{"name": "http", "containerPort": 8080}, {"name": "dns", "containerPort": 53,
                                                                         "protocol": "UDP"}]},
                   {"ports": [{"name": "http", "containerPort": 9090}]}],
    "initContainers": [{"restartPolicy": "Always", "ports": [{"name": "proxy", "containerPort": 15001}]},
                       {"ports": [{"name": "setup", "containerPort": 1}]}]}}


@pytest.mark.parametrize(("port", "number"), [
    ({"port": 80, "targetPort": 1234}, 1234),  # no container needs to declare it
    ({"port": 80}, 80),
    ({"port": 80, "targetPort": 0}, 80),
    ({"port": 80, "targetPort": ""}, 80),
    ({"port": 80, "targetPort": "http"}, 8080),  # the first container wins
    ({"port": 53, "targetPort": "dns", "protocol": "UDP"}, 53),
    ({"port": 53, "targetPort": "dns", "protocol": "TCP"}, None),  # the name is there, for UDP
    ({"port": 80, "targetPort": "proxy"}, 15001),  # a sidecar
    ({"port": 80, "targetPort": "setup"}, None),  # an init container that has ended
    ({"port": 80, "targetPort": "absent"}, None),
])
def test_a_target_port_is_resolved_for_each_pod(port, number):
    assert resolve(port, POD) == number


def test_endpoint_ports_carry_the_services_port_names_and_leave_out_what_the_pod_lacks():
    service = {"spec": {"ports": [{"name": "web", "port": 80, "targetPort": "http", "appProtocol": "http"},
                                  {"name": "admin", "port": 81, "targetPort": "absent"}]}}
    assert endpoint_ports(service, POD) == (
        {"name": "web", "port": 8080, "protocol": "TCP", "appProtocol": "http"},)
