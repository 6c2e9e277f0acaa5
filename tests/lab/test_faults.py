"""What breaks under a lab: its processes, its files, its disk; and labs side by side."""

import sys

import pytest
from pretend_host import LAB, NETLAB, until

pytestmark = pytest.mark.lab
POD = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper}
spec: {containers: [{name: sleeper, image: busybox, command: [sleep, "1000"]}]}
"""
RUN = f"/run/netlab/{LAB}"
CHECKPOINT = f'import sqlite3; sqlite3.connect("{RUN}/state.db").execute("pragma wal_checkpoint(truncate)")'
ASK = ("exec", "worker", "--", "dig", "+short", "+time=1", "+tries=1", "@10.96.0.10",
       "kubernetes.default.svc.cluster.local")


def start(host):
    host.netlab("up")
    host.apply(POD)
    wait_for_pod(host)


def wait_for_pod(host, restarts=""):
    def ready():
        line = next((x.split() for x in host.netlab("get", "pods").splitlines() if x.startswith("sleeper")), [])
        return line[1:3] == ["1/1", "Running"] and (not restarts or line[3] == restarts)

    until(ready, lambda: host.netlab("get", "pods") + host.netlab("get", "events"))


def dns_answers(host):
    until(lambda: host.run(*NETLAB, *ASK)[1] == "10.96.0.1\n", lambda: host.run(*NETLAB, *ASK)[1])


@pytest.mark.parametrize("killed", [("daemon",), ("init",), ("daemon", "init")], ids=" and ".join)
def test_up_heals_what_was_killed_and_a_lost_pod_is_restarted(host, killed):
    start(host)
    for name in killed:
        host.sh(f"kill -9 {host.record(name)}")
    host.netlab("up")
    wait_for_pod(host, "1" if "init" in killed else "0")
    dns_answers(host)


def test_a_killed_pod_init_is_replaced_without_any_command(host):
    start(host)
    host.sh("pkill -9 -f '^netlab: pod init sleeper'")
    wait_for_pod(host, "1")


def test_services_and_dns_answer_while_the_daemon_is_dead(host):
    start(host)
    host.sh(f"kill -9 {host.record('daemon')}")
    assert "try: netlab up" in host.netlab("get", "pods", code=4)
    dns_answers(host)
    assert host.netlab("exec", "worker", "--", "true") == ""


def test_a_lab_of_a_file_comes_back_with_its_own_settings_by_up_alone(host):
    text = "{apiVersion: netlab/v1, kind: Lab, metadata: {name: host}, spec: {nodes: [%s]}}"
    host.sh(f"echo '{text % 'only'}' >/tmp/lab.yaml; echo '{text % 'other'}' >/tmp/other.yaml")
    host.netlab("up", "/tmp/lab.yaml")
    host.netlab("up")
    host.sh(f"kill -9 {host.record('daemon')}")
    assert "try: netlab up --name host" in host.netlab("get", "nodes", code=4)
    host.netlab("up")
    assert "only" in host.netlab("get", "nodes")
    assert "exists with other settings" in host.netlab("up", "/tmp/other.yaml", code=2)


def test_a_daemon_that_hangs_is_told_and_down_removes_it(host):
    host.netlab("up")
    host.sh(f"kill -STOP {host.record('daemon')}")
    assert "no API" in host.netlab("list") or "broken" in host.netlab("list")
    host.netlab("down")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"boot": 3, "spec": []}', '{"boot": "x"}'])
def test_a_damaged_record_of_a_lab_is_none(host, text):
    host.netlab("up")
    host.sh(f"kill -9 {host.record('daemon')}; printf '%s' '{text}' >{RUN}/lab.json")
    assert "there is no lab" in host.netlab("exec", "worker", "--", "true", code=4)
    host.netlab("up")
    dns_answers(host)


def test_a_lab_from_before_a_reboot_is_removed_and_made_anew(host):
    start(host)
    host.sh(f"kill -9 {host.record('daemon')}; sed -i 's/\"boot\": \"[^\"]*\"/\"boot\": \"other\"/' {RUN}/lab.json")
    host.netlab("up")
    assert "sleeper" not in host.netlab("get", "pods")


@pytest.mark.parametrize("damage", [
    f"rm -f {RUN}/state.db-*; echo no database >{RUN}/state.db",
    f"{sys.executable} -c '{CHECKPOINT}'"
    f"; dd if=/dev/urandom of={RUN}/state.db bs=1 seek=8192 count=9000 conv=notrunc 2>/dev/null",
])
def test_a_damaged_database_is_set_aside_and_said_so(host, damage):
    start(host)
    host.sh(f"kill -9 {host.record('daemon')}; {damage}")
    host.netlab("up")
    assert "is damaged" in host.sh(f"cat {RUN}/daemon.log; ls {RUN}/state.db.corrupt-1")
    assert "sleeper" not in host.netlab("get", "pods")
    dns_answers(host)


def test_too_little_space_is_told_before_anything_is_made(host):
    host.sh("mkdir -p -m 700 /run/netlab; mount -t tmpfs -o size=1m,mode=700 tmpfs /run/netlab")
    try:
        output = host.netlab("up", code=3)
        assert "space in /run/netlab: 1024 KiB are free, a lab needs 8192" in output
        assert host.sh("ip netns") == ""
    finally:
        host.sh("umount /run/netlab; rmdir /run/netlab")


def test_a_disk_that_fills_up_refuses_writes_goes_on_reading_and_recovers(host):
    host.sh("mkdir -p -m 700 /run/netlab; mount -t tmpfs -o size=12m,mode=700 tmpfs /run/netlab")
    try:
        start(host)
        host.sh(f"dd if=/dev/zero of={RUN}/fill bs=4k 2>/dev/null || true")
        host.sh("sed -i 's/name: sleeper/name: other/' /tmp/applied.yaml")
        refusals = [host.run(*NETLAB, "apply", "-f", "/tmp/applied.yaml") for _ in range(3)]
        assert all(code == 5 and "the lab's state cannot be written" in text for code, text in refusals), refusals
        wait_for_pod(host)
        dns_answers(host)
        host.sh(f"rm {RUN}/fill")
        host.netlab("apply", "-f", "/tmp/applied.yaml")
        until(lambda: host.netlab("get", "pods").count("Running") == 2, lambda: host.netlab("get", "pods"))
        host.sh(f"dd if=/dev/zero of={RUN}/fill bs=4k 2>/dev/null || true; kill -9 {host.record('daemon')}")
        host.netlab("up", code=3)  # what is there stays there
        host.sh(f"rm {RUN}/fill")
        host.netlab("up")
        assert host.netlab("get", "pods").count("Running") == 2
        host.sh(f"dd if=/dev/zero of={RUN}/fill bs=4k 2>/dev/null || true")
        host.netlab("down")
    finally:
        host.sh("umount /run/netlab; rmdir /run/netlab")


def test_four_labs_with_equal_ranges_start_at_once_and_do_not_touch_each_other(host):
    labs = ["a", "a-b", "c", "d"]
    starts = [host.start(*NETLAB, "up", "--name", lab) for lab in labs]
    for start_of in starts:
        output = start_of.communicate(timeout=60)[0]
        assert start_of.returncode == 0, output
    try:
        host.netlab("down", "a")
        assert {line.split()[0] for line in host.netlab("list").splitlines()[1:]} == {"a-b", "c", "d"}
        for lab in labs[1:]:
            assert host.netlab(*ASK, before=("env", f"NETLAB_NAME={lab}")) == "10.96.0.1\n"
    finally:
        host.netlab("down", "--all")


def test_one_name_started_and_removed_three_times_at_once(host):
    for command in ("up", "down"):
        running = [host.start(*NETLAB, command) for _ in range(3)]
        for process in running:
            output = process.communicate(timeout=60)[0]
            assert process.returncode == 0, output
