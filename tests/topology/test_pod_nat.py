"""What a node translates for its pods beside kube-proxy."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from netlab.topology.pod_nat import HostPort, host_ports, pod_nat

HERE = {"nodeName": "worker"}


def pod(*ports, status=None, init=(), **spec):
    containers = [{"name": "c", "ports": list(ports)}]
    return {"metadata": {"name": "p", "namespace": "default"},
            "spec": HERE | {"containers": containers, "initContainers": list(init)} | spec,
            "status": {"phase": "Running", "podIP": "10.244.1.3"} | (status or {})}


def port(number=8080, target=80, **more):
    return {"containerPort": target, "hostPort": number} | more


def table(*ports):
    return pod_nat(pod_cidr=IPv4Network("10.244.0.0/16"), node_cidr=IPv4Network("10.244.1.0/24"),
                   nodes=[IPv4Address("172.18.0.2"), IPv4Address("172.18.0.3")], ports=ports)


@pytest.mark.parametrize(("manifest", "found"), [
    (pod(port()), [("tcp", 8080, "", "10.244.1.3", 80)]),
    (pod(port(protocol="UDP")), [("udp", 8080, "", "10.244.1.3", 80)]),
    (pod(port(hostIP="127.0.0.1")), [("tcp", 8080, "127.0.0.1", "10.244.1.3", 80)]),
    (pod(port(hostIP="0.0.0.0")), [("tcp", 8080, "", "10.244.1.3", 80)]),
    (pod(port(9090), port(8080)), [("tcp", 8080, "", "10.244.1.3", 80), ("tcp", 9090, "", "10.244.1.3", 80)]),
    (pod({"containerPort": 80}), []),
    (pod(port(), hostNetwork=True), []),
    (pod(port(), nodeName="worker2"), []),
    (pod(port(), status={"podIP": None}), []),
    (pod(port(), status={"phase": "Succeeded"}), []),
    (pod(init=[{"restartPolicy": "Always", "ports": [port()]}]), [("tcp", 8080, "", "10.244.1.3", 80)]),
    (pod(init=[{"ports": [port()]}]), []),
])
def test_host_ports_are_those_of_the_nodes_own_running_pods(manifest, found):
    assert [row[:-1] for row in host_ports([manifest], node="worker")] == found


def test_pods_keep_their_address_towards_pods_and_nodes_only():
    assert 'ip saddr 10.244.0.0/16 ip daddr != { 10.244.0.0/16, 172.18.0.2, 172.18.0.3, 224.0.0.0/4 } masquerade' \
        in table()


def test_without_host_ports_nothing_looks_at_what_comes_in():
    assert "prerouting" not in table()
    assert "output" not in table()


@pytest.mark.parametrize(("address", "rule"), [
    ("", "fib daddr type local tcp dport 8080 dnat to 10.244.1.3:80"),
    ("172.18.0.3", "ip daddr 172.18.0.3 tcp dport 8080 dnat to 10.244.1.3:80")])
def test_a_host_port_leads_to_its_pod(address, rule):
    text = table(HostPort("tcp", 8080, address, "10.244.1.3", 80, "default/p"))
    assert f'{rule} comment "default/p"\n' in text
    assert "type nat hook prerouting priority dstnat + 5" in text
