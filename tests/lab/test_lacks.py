"""Machines and containers that lack something: each lack is told once, with its remedy, before anything is made."""

import re

import pytest
from pretend_host import NETLAB, PretendHost, needs_a_public_checkout

pytestmark = pytest.mark.lab
LEAST = ("sys_admin", "net_admin", "net_raw", "net_bind_service", "setpcap", "sys_chroot")
READ_ONLY = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; mount -o remount,bind,ro /sys"


def inside(script):
    """The start of a command that runs in a mount namespace which the script has changed."""
    return ("unshare", "-m", "sh", "-c", f'{script}; exec "$@"', "sh")


def without(*capabilities):
    return ("setpriv", "--bounding-set", ",".join(f"-{name}" for name in capabilities), "--inh-caps", "-all")


def hide(*paths):
    return inside("; ".join(f"mount --bind /dev/null {path}" for path in paths))


@pytest.mark.parametrize(("before", "lack"), [
    (without("sys_admin"), "network namespaces: "), (without("net_admin"), "CAP_NET_ADMIN: "),
    (without("net_raw"), "CAP_NET_RAW: "), (without("net_bind_service"), "CAP_NET_BIND_SERVICE: "),
    (without("setpcap"), "CAP_SETPCAP: "), (without("sys_chroot"), "CAP_SYS_CHROOT: "),
    (hide("/usr/sbin/iptables-legacy-restore", "/usr/sbin/nft"), "iptables (legacy): "),
    (hide("/usr/bin/dig"), "program dig: "),
    (hide("/usr/bin/curl"), "program curl: "), (inside("mount -o remount,bind,ro /run"), "directory /run: "),
    (inside("mount -o remount,bind,ro /etc"), "directory /etc: "),
    (("sh", "-c", 'ulimit -Sn 200; ulimit -Hn 1000; exec "$@"', "sh"), "open files: "),
    (("setpriv", "--reuid", "65534", "--clear-groups"), "root: "),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_lack_is_told_by_doctor_up_and_run_and_nothing_is_made(host, before, lack):
    if "--reuid" in before:
        needs_a_public_checkout()
    told = host.netlab("doctor", code=3, before=before)
    assert sum(line.startswith(f"missing: {lack}") for line in told.splitlines()) == 1, told
    for arguments in (("up",), ("run", "-q", "coffee")):
        output = host.netlab(*arguments, code=3, before=before)
        assert f"\n  {lack}" in output, output
        assert "Traceback" not in output
        assert host.is_clean()


@pytest.mark.parametrize("before", [
    ("setpriv", "--bounding-set", "-all," + ",".join(f"+{name}" for name in LEAST), "--inh-caps", "-all"),
    (*inside(READ_ONLY), "setpriv", "--bounding-set", "-sys_module,-sys_time,-sys_resource", "--inh-caps", "-all"),
    inside("umount /run/netns; mount --make-rprivate /; mount -t tmpfs tmpfs /run"),
    ("env", "PATH=/usr/bin:/bin"),
    ("sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh"),
], ids=["the least capabilities", "read-only /proc/sys and /sys", "a /run that is not shared", "no sbin on the PATH",
        "few open files"])
def test_a_container_that_allows_enough_runs_a_lab(host, before):
    host.netlab("doctor", before=before)
    assert "every check held" in host.netlab("run", "-q", "coffee", before=before)


def test_a_pid_1_that_does_not_wait_for_orphans_is_a_warning_and_labs_run():
    script = f"""
        {' '.join(NETLAB)} doctor && {' '.join(NETLAB)} run -q clusterip && {' '.join(NETLAB)} up -q &&
        {' '.join(NETLAB)} down && ! ip netns | grep . && ! ls /run/netlab 2>/dev/null"""
    with PretendHost(init="import time, os; os.write(1, b'ready\\n'); time.sleep(1000)") as host:
        output = host.sh(script)
    assert "warning: PID 1: it does not wait for orphans" in output
    assert "every check held" in output


def test_without_legacy_tables_a_lab_runs_in_the_nftables_mode_unless_it_asks_for_another(host):
    before = hide("/usr/sbin/iptables-legacy-restore")
    assert "with the proxyMode nftables only" in host.netlab("doctor", before=before)
    head = "apiVersion: netlab/v1, kind: Lab, metadata: {name: netlab}"
    host.sh(f"echo '{{{head}, spec: {{nodes: 1, proxyMode: iptables}}}}' >/tmp/iptables.yaml")
    host.sh(f"echo '{{{head}, spec: {{nodes: 1}}}}' >/tmp/any.yaml")
    assert "iptables (legacy): " in host.netlab("up", "/tmp/iptables.yaml", code=3, before=before)
    try:
        assert "kube-proxy runs in the nftables mode here" in host.netlab("up", "/tmp/any.yaml", before=before)
        assert re.search("kube-proxy/control-plane +running", host.netlab("status"))  # and 0: without an error
        host.netlab("up", "/tmp/any.yaml", before=before)
    finally:
        host.netlab("down")


def test_a_load_balancer_needs_the_legacy_tables_in_every_mode(host):
    head = "apiVersion: netlab/v1, kind: Lab, metadata: {name: netlab}"
    host.sh(f"echo '{{{head}, spec: {{proxyMode: nftables, loadBalancer: {{}}}}}}' >/tmp/balanced.yaml")
    output = host.netlab("up", "/tmp/balanced.yaml", code=3, before=hide("/usr/sbin/iptables-legacy-restore"))
    assert "iptables (legacy): the load balancer has its rules in the legacy tables, in every proxy mode" in output
    assert "or leave loadBalancer out of the lab file" in output
    assert host.is_clean()


def test_the_ipvs_mode_is_refused_with_its_reason(host):
    host.sh("echo '{apiVersion: netlab/v1, kind: Lab, metadata: {name: netlab}, spec: {proxyMode: ipvs}}' >/tmp/i.yaml")
    output = host.netlab("up", "/tmp/i.yaml", code=3)
    assert "IPVS: " in output
    assert "choose another proxyMode: iptables, nftables or userspace" in output
