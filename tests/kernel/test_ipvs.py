"""The IPVS mode's parts, as far as this kernel has them: ipsets and iptables rules for real, or else the refusal."""

import os
import re
import socket
import struct
import subprocess

import pytest

from netlab.kernel import ip_sets, ipvs_servers, netns, preflight
from netlab.kernel.iptables import NodeTables, restore
from netlab.kernel.ipvs import IpvsTables, rules_match, sysctls
from netlab.model.family import IPV4, IPV6
from netlab.netfilter import render
from netlab.netfilter.ip_set import BITMAP_PORT, HASH_IP, Entry, IpSet
from netlab.netfilter.ruleset import Ruleset, table
from netlab.netfilter.virtual_server import RealServer, VirtualServer
from netlab.proxy import ipvs
from netlab.proxy.snapshot import Snapshots
from tests.proxy.families import TABLES, six
from tests.proxy.worked import WORKED

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
NAME = f"nltvs{os.getpid()}"
WITH_RULES = [name for name in WORKED if name != "source-ranges"]  # which has a rule of xt_ipvs


@pytest.fixture(scope="module")
def lacks():
    return {lack.what: lack for lack in preflight.quick("ipvs", (IPV4, IPV6))}


@pytest.fixture
def space():
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        yield NAME
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def dataplane(name, family):
    objects = WORKED[name] if family == IPV4 else six(WORKED[name])
    return ipvs.compile(Snapshots(family).take(*objects), TABLES[family].view("n1"))


def refused(lacks, what):
    """Whether the mode is refused for want of that; the lack then says what to do."""
    lack = lacks.get(what)
    if lack is not None:
        assert "modprobe -a " in lack.remedy
        assert "choose another proxyMode: iptables, nftables or userspace" in lack.remedy
    return lack is not None


def test_a_kernel_without_ip_vs_is_told_so_and_one_with_it_runs_the_mode(lacks, space):
    assert ("IPVS" in lacks) == (not os.path.exists("/proc/net/ip_vs"))
    if "IPVS" in lacks:
        assert lacks["IPVS"].why == "the kernel has no IP virtual server (ip_vs)"
    if lacks:
        assert all(refused(lacks, what) for what in lacks)
        return
    tables, wanted = IpvsTables(space), dataplane("nodeport-2", IPV4)
    tables.replace(wanted)
    assert tables.matches(wanted)
    tables.remove(wanted)
    assert netns.visit(space, ip_sets.held) == {}
    assert netns.visit(space, ipvs_servers.held) == ([], {})


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_sets_and_rules_are_in_the_kernel_as_we_render_them(lacks, space, family):
    if refused(lacks, "IPVS: ipset"):
        return
    for name in WITH_RULES:
        wanted = dataplane(name, family)
        netns.visit(space, lambda wanted=wanted: ip_sets.keep(wanted.sets))
        assert netns.visit(space, lambda wanted=wanted: ip_sets.matches(wanted.sets)), name
        netns.visit(space, lambda wanted=wanted: restore(wanted.rules))
        assert NodeTables(space).save(family) == render(wanted.rules), name
        assert rules_match(space, wanted.rules)
    empty = Ruleset(tuple(table(one, {}, family=family) for one in ("nat", "filter")), family)
    netns.visit(space, lambda: restore(empty))
    netns.visit(space, lambda: ip_sets.remove(wanted.sets))
    assert netns.visit(space, ip_sets.held) == {}


def test_only_what_differs_is_written_and_others_sets_are_left_alone(lacks, space):
    if refused(lacks, "IPVS: ipset"):
        return
    theirs = IpSet("theirs", HASH_IP, entries=frozenset({Entry("192.0.2.1")}))
    ours = IpSet("ours", BITMAP_PORT, entries=frozenset({Entry(port=80), Entry(port=81)}))
    netns.visit(space, lambda: ip_sets.keep([theirs, ours]))
    changed = IpSet("ours", BITMAP_PORT, entries=frozenset({Entry(port=81), Entry(port=82)}))
    assert not netns.visit(space, lambda: ip_sets.matches([changed]))
    netns.visit(space, lambda: ip_sets.keep([changed]))
    assert netns.visit(space, ip_sets.held) == {"theirs": theirs, "ours": changed}


def test_a_packet_is_looked_up_in_the_set(lacks, space):
    """The rules' own sets decide: what is in KUBE-IPVS-IPS and no Service's port is refused at once."""
    if refused(lacks, "IPVS: ipset"):
        return
    wanted = dataplane("clusterip-3", IPV4)

    def connect():
        subprocess.run(["ip", "address", "add", "10.96.45.10/32", "dev", "lo"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        ip_sets.keep(wanted.sets)
        with socket.create_server(("10.96.45.10", 22)):
            socket.create_connection(("10.96.45.10", 22), timeout=5).close()
            restore(wanted.rules)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("10.96.45.10", 22), timeout=5)

    netns.visit(space, connect)


def attribute(kind, body):
    return struct.pack("=HH", len(body) + 4, kind) + body + b"\0" * (-len(body) % 4)


@pytest.mark.parametrize("server", [
    VirtualServer("10.96.0.1", 443, "TCP", persistence=10800),
    VirtualServer("fd00:10:96::1", 53, "UDP", "mh", source_hash=True),
])
def test_what_is_sent_to_ip_vs_says_what_was_meant(server):
    from pyroute2.netlink.generic.ipvs import ipvsmsg

    real = RealServer("fd00::2" if ":" in server.address else "10.244.0.2", 8080, 0)
    message = ipvsmsg()
    message["attrs"] = [("IPVS_CMD_ATTR_SERVICE", ipvs_servers.service(server).dump_nla()),
                        ("IPVS_CMD_ATTR_DEST", ipvs_servers.dest(real).dump_nla())]
    message.encode()
    read = ipvsmsg(bytes(message.data))
    read.decode()
    assert ipvs_servers.read_service(read) == server
    found = read.get_attr("IPVS_CMD_ATTR_DEST")
    assert (found.get_attr("IPVS_DEST_ATTR_ADDR"), found.get_attr("IPVS_DEST_ATTR_PORT"),
            found.get_attr("IPVS_DEST_ATTR_WEIGHT"), found.get_attr("IPVS_DEST_ATTR_FWD_METHOD")) \
        == (real.address, 8080, 0, 0)
    netmask = re.sub(rb".*\x08\x00\x09\x00(....).*", rb"\1", bytes(message.data), count=1, flags=re.S)
    assert netmask == (struct.pack("=I", 128) if ":" in server.address else b"\xff" * 4)


def test_a_virtual_server_is_read_as_the_kernel_lays_it_out():
    """Addresses come in a union of 16 bytes, with flags of the kernel's own (ip_vs_genl_fill_service)."""
    from pyroute2.netlink.generic.ipvs import ipvsmsg

    service = b"".join([
        attribute(1, struct.pack("=H", socket.AF_INET)), attribute(2, struct.pack("=H", 6)),
        attribute(3, socket.inet_aton("10.96.0.1") + bytes(12)), attribute(4, struct.pack(">H", 443)),
        attribute(6, b"rr\0"), attribute(7, struct.pack("=II", 3, 0xFFFFFFFF)), attribute(8, struct.pack("=I", 60))])
    real = b"".join([
        attribute(1, socket.inet_aton("10.244.0.2") + bytes(12)), attribute(2, struct.pack(">H", 8080)),
        attribute(3, bytes(4)), attribute(4, struct.pack("=I", 1)), attribute(7, struct.pack("=I", 2)),
        attribute(8, struct.pack("=I", 3)), attribute(11, struct.pack("=H", socket.AF_INET))])
    body = struct.pack("=BBH", 4, 1, 0) + attribute(1, service) + attribute(2, real)
    message = ipvsmsg(struct.pack("=IHHII", 16 + len(body), 30, 0, 1, 0) + body)
    message.decode()
    assert ipvs_servers.read_service(message) == VirtualServer("10.96.0.1", 443, "TCP", persistence=60)
    assert ipvs_servers.read_real(message) == (RealServer("10.244.0.2", 8080), 5)


def test_connections_from_a_used_port_are_handled_by_newer_kernels_themselves():
    key = "ipv4/vs/conn_reuse_mode"
    assert [sysctls(release).get(key) for release in ("5.4.0-150-generic", "4.19", "5.9", "6.18.44-fc")] \
        == ["0", "0", None, None]
