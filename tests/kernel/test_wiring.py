import errno
import json
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from netlab.kernel import netns, wiring
from netlab.model.lab_settings import parse
from netlab.topology.names import pod_netns
from netlab.topology.plan import plan_lab, plan_pod
from netlab.topology.wiring import Route, Sysctl, Wiring

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
NAME = f"nltww{os.getpid()}"
SPEC = parse({"nodes": 3}, name=NAME)


def remove_all():
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        if name.startswith(f"{NAME}."):
            wiring.remove(name)


@pytest.fixture
def lab():
    remove_all()
    try:
        wiring.build(plan_lab(SPEC))
        yield SPEC
    finally:
        remove_all()


def pod(name, node, address):
    netns_name = pod_netns(NAME, "default", name)
    wiring.build(plan_pod(SPEC, node=node, netns=netns_name, addresses=[IPv4Address(address)]))
    return netns_name


def ip(netns_name, *args):
    result = subprocess.run(["ip", "-j", "-n", netns_name, *args], capture_output=True, text=True, check=True)
    return json.loads(result.stdout or "[]")


def settled_links(netns_name):
    """Links and addresses, without what the kernel tells later: operstate comes from its link watch."""
    return [{key: value for key, value in link.items() if key != "operstate"} for link in ip(netns_name, "addr")]


def pings(netns_name, address):
    """Whether one of some packets in two seconds is answered: the first may meet a link that is not yet active."""
    return subprocess.run(["ip", "netns", "exec", netns_name, "ping", "-c", "1", "-i", "0.1", "-w", "2", address],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def machine():
    own = subprocess.run("ip -o link; ip -o addr; ip route show table all; ip -4 neigh show nud permanent", shell=True,
                         capture_output=True, text=True).stdout
    return own, os.readlink("/proc/self/ns/net"), os.readlink("/proc/thread-self/ns/net")


def test_the_first_packet_between_any_two_arrives(lab):
    assert pings(f"{NAME}.client", "172.18.0.3")
    assert pings(f"{NAME}.worker", "172.18.0.4")
    assert pings(f"{NAME}.worker2", "172.18.0.1")


def test_pods_of_two_nodes_reach_each_other_with_their_own_addresses(lab):
    web, far = pod("web", "worker", "10.244.1.5"), pod("far", "worker2", "10.244.2.9")
    near = pod("near", "worker", "10.244.1.6")
    assert pings(far, "10.244.1.5")
    assert pings(near, "10.244.1.5")
    server = netns.visit(web, lambda: socket.create_server(("", 8080)))
    with server:
        client = netns.visit(far, lambda: socket.create_connection(("10.244.1.5", 8080), timeout=2))
        with client:
            connection, (source, _) = server.accept()
            connection.close()
            assert source == "10.244.2.9"


def test_nobody_asks_for_a_mac(lab):
    web, far = pod("web", "worker", "10.244.1.5"), pod("far", "worker2", "10.244.2.9")
    assert pings(far, "10.244.1.5")
    for name in (web, far, f"{NAME}.worker", f"{NAME}.worker2"):
        assert {state for entry in ip(name, "neigh") for state in entry["state"]} == {"PERMANENT"}


def test_the_client_has_no_way_to_pods_and_services(lab):
    assert [route["dst"] for route in ip(f"{NAME}.client", "route")] == ["172.18.0.0/16"]


def test_packets_to_nowhere_vanish_without_an_answer(lab):
    web = pod("web", "worker", "10.244.1.5")
    result = subprocess.run(["ip", "netns", "exec", web, "ping", "-c", "1", "-W", "0.3", "192.0.2.1"],
                            capture_output=True, text=True)
    assert result.returncode == 1
    assert "nreachable" not in result.stdout + result.stderr


def test_a_fresh_netns_has_the_nodes_settings_and_no_ipv6(lab):
    def read(key):
        return netns.visit(f"{NAME}.worker", lambda: Path(f"/proc/sys/net/{key}").read_text().strip())

    assert read("ipv4/ip_forward") == "1"
    assert read("ipv4/conf/all/route_localnet") == "1"
    assert read("ipv4/conf/eth0/rp_filter") == "0"
    assert read("ipv4/conf/eth0/send_redirects") == "0"
    assert [line for line in ip(f"{NAME}.worker", "-6", "addr") if line] == []


def test_the_machine_sees_nothing_of_it():
    remove_all()
    before = machine()
    try:
        wiring.build(plan_lab(SPEC))
        pod("web", "worker", "10.244.1.5")
        assert machine() == before
    finally:
        remove_all()


def test_building_again_keeps_links_and_connections(lab):
    web, far = pod("web", "worker", "10.244.1.5"), pod("far", "worker2", "10.244.2.9")
    before = [settled_links(name) for name in (web, far, f"{NAME}.worker", f"{NAME}.fabric")]
    server = netns.visit(web, lambda: socket.create_server(("", 8080)))
    client = netns.visit(far, lambda: socket.create_connection(("10.244.1.5", 8080), timeout=2))
    connection, _ = server.accept()
    with server, client, connection:
        wiring.build(plan_lab(SPEC))
        pod("web", "worker", "10.244.1.5")
        client.sendall(b"still here")
        connection.settimeout(2)
        assert connection.recv(100) == b"still here"
    assert [settled_links(name) for name in (web, far, f"{NAME}.worker", f"{NAME}.fabric")] == before


@pytest.mark.parametrize("damage", [
    ["ip", "-n", f"{NAME}.worker", "link", "del", "eth0"],
    ["ip", "-n", f"{NAME}.worker", "link", "set", "eth0", "down"],
    ["ip", "-n", f"{NAME}.worker", "link", "del", "veth0af40105"],
    ["ip", "-n", f"{NAME}.worker", "link", "set", "veth0af40105", "down"],
    ["ip", "-n", f"{NAME}.fabric", "link", "set", "portac120003", "nomaster"],
    ["ip", "-n", f"{NAME}.default.web", "addr", "flush", "dev", "eth0"],
    ["ip", "netns", "del", f"{NAME}.worker"],
    ["ip", "netns", "del", f"{NAME}.default.web"],
    ["ip", "netns", "del", f"{NAME}.fabric"],
])
def test_building_again_repairs_what_was_damaged(lab, damage):
    web, far = pod("web", "worker", "10.244.1.5"), pod("far", "worker2", "10.244.2.9")
    subprocess.run(damage, check=True)
    wiring.build([*plan_lab(SPEC), *plan_pod(SPEC, node="worker", netns=web, addresses=[IPv4Address("10.244.1.5")])])
    assert pings(far, "10.244.1.5")
    assert pings(f"{NAME}.client", "172.18.0.3")


def test_an_address_can_be_given_to_another_pod_at_once(lab):
    far = pod("far", "worker2", "10.244.2.9")
    for number in range(4):
        name = pod(f"web{number}", "worker", "10.244.1.5")
        assert pings(far, "10.244.1.5")
        wiring.remove(name)


def test_a_name_left_by_an_interrupted_creation_is_used(lab):
    Path(f"/run/netns/{NAME}.default.web").touch()
    web = pod("web", "worker", "10.244.1.5")
    assert pings(web, "172.18.0.3")


def test_a_pod_of_a_missing_node_is_refused_and_the_node_named(lab):
    wiring.remove(f"{NAME}.worker")
    with pytest.raises(FileNotFoundError, match=f"there is no netns {NAME}.worker"):
        pod("web", "worker", "10.244.1.5")
    assert not netns.exists(f"{NAME}.worker")


def test_an_error_names_the_object_and_has_the_kernels_words(lab):
    bad = Wiring(f"{NAME}.worker", up=(("eth0", 2),), existing=True,
                 routes=(Route(IPv4Network("10.9.0.0/16"), "eth0", via="10.8.0.1"),))
    with pytest.raises(OSError, match=rf"{NAME}.worker: route to 10.9.0.0/16 by 10.8.0.1: .*invalid gateway") as caught:
        wiring.build([bad])
    assert caught.value.errno == errno.ENETUNREACH


def test_a_read_only_proc_sys_is_got_round(lab):
    def build_with_read_only_proc():
        netns.unshare(netns.CLONE_NEWNS)
        netns.mount("", "/", "none", netns.MS_SLAVE | netns.MS_REC)
        netns.mount("/proc/sys", "/proc/sys", "none", netns.MS_BIND)
        netns.mount("", "/proc/sys", "none", netns.MS_BIND | 0x20 | 1)  # MS_REMOUNT | MS_RDONLY
        with pytest.raises(OSError, match="Read-only"):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        wiring.build([Wiring(f"{NAME}.worker", existing=True, sysctls=(Sysctl("ipv4/tcp_fin_timeout", "33"),))])

    netns.in_thread(build_with_read_only_proc)
    value = netns.visit(f"{NAME}.worker", lambda: Path("/proc/sys/net/ipv4/tcp_fin_timeout").read_text())
    assert value.strip() == "33"


def test_several_threads_can_build_pods_at_once(lab):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: pod(f"p{n}", "worker", f"10.244.1.{10 + n}"), range(30)))
    far = pod("far", "worker2", "10.244.2.9")
    assert all(pings(far, f"10.244.1.{10 + n}") for n in (0, 13, 29))


def test_resolv_conf_is_seen_by_ip_netns_exec_and_goes_with_the_netns(lab):
    wiring.write_resolv_conf(f"{NAME}.worker", "nameserver 10.96.0.10\n")
    result = subprocess.run(["ip", "netns", "exec", f"{NAME}.worker", "cat", "/etc/resolv.conf"],
                            capture_output=True, text=True)
    assert result.stdout == "nameserver 10.96.0.10\n"
    wiring.remove(f"{NAME}.worker")
    assert not os.path.lexists(f"/etc/netns/{NAME}.worker")


def test_removing_what_is_absent_is_fine():
    wiring.remove(f"{NAME}.nothing")
    wiring.remove(f"{NAME}.nothing")
