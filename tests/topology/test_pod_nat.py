"""What a node translates for its pods beside kube-proxy."""

from ipaddress import ip_address, ip_network

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
    return pod_nat(pods=[ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/56")],
                   here=[ip_network("10.244.1.0/24"), ip_network("fd00:10:244:1::/64")],
                   nodes=[ip_address("172.18.0.2"), ip_address("172.18.0.3"), ip_address("fc00::2")], ports=ports)


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
    assert "ip6 saddr fd00:10:244::/56 ip6 daddr != { fd00:10:244::/56, fc00::2, ff00::/8 } masquerade" in table()
    assert 'ip saddr 10.244.0.0/16 ip daddr != { 10.244.0.0/16, 172.18.0.2, 172.18.0.3, 224.0.0.0/4 } masquerade' \
        in table()


def test_without_host_ports_nothing_looks_at_what_comes_in():
    assert "prerouting" not in table()
    assert "output" not in table()


@pytest.mark.parametrize(("address", "rule"), [
    ("", "meta nfproto ipv4 fib daddr type local tcp dport 8080 dnat ip to 10.244.1.3:80"),
    ("172.18.0.3", "ip daddr 172.18.0.3 tcp dport 8080 dnat ip to 10.244.1.3:80")])
def test_a_host_port_leads_to_its_pod(address, rule):
    text = table(HostPort("tcp", 8080, address, "10.244.1.3", 80, "default/p"))
    assert f'{rule} comment "default/p"\n' in text
    assert "type nat hook prerouting priority dstnat + 5" in text


def test_in_a_dual_stack_lab_a_host_port_is_there_for_both_addresses():
    both = {"podIPs": [{"ip": "10.244.1.3"}, {"ip": "fd00:10:244:1::3"}]}
    assert len(host_ports([pod(port(), status=both)], node="worker")) == 2
    assert len(host_ports([pod(port(hostIP="fc00::3"), status=both)], node="worker")) == 1
    text = table(*host_ports([pod(port(), status=both)], node="worker"))
    assert "meta nfproto ipv6 fib daddr type local tcp dport 8080 dnat ip6 to [fd00:10:244:1::3]:80" in text
