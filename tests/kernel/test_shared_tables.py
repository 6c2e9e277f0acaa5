"""Rules that people write into a node's tables stay when kube-proxy writes its own."""

import os
import subprocess
import threading

import pytest

from netlab.kernel import shared_tables
from netlab.kernel.shared_tables import SharedTables
from netlab.netfilter import render
from netlab.netfilter.ruleset import BUILTIN
from netlab.proxy.iptables import compile as compile_rules
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy.worked import WORKED

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
NAME = f"nltguest{os.getpid()}"
BY_HAND = ["-I FORWARD -p udp --dport 53 -j DROP", "-A FORWARD -s 192.0.2.7/32 -j ACCEPT", "-P FORWARD DROP",
           "-N MINE", "-t nat -I POSTROUTING -d 192.0.2.9/32 -j ACCEPT"]


@pytest.fixture
def tables():
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        yield SharedTables(NAME)
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def inside(*argv):
    return subprocess.run(["ip", "netns", "exec", NAME, *argv], capture_output=True, text=True, check=True,
                          timeout=30).stdout


def saved():
    return "".join(line + "\n" for line in inside("iptables-legacy-save").splitlines() if not line.startswith("#"))


def example(name):
    services, slices, *_ = WORKED[name]
    return compile_rules(Snapshots().take(services, slices), NodeView("n1", ("172.18.0.2",), "", "10.244.0.0/16"))


FIRST, SECOND = example("nodeport-0"), example("source-ranges")


def test_without_guests_the_tables_are_just_ours(tables):
    assert not tables.matches(FIRST)
    for rules in (FIRST, SECOND, FIRST):
        tables.replace(rules)
        assert saved() == render(rules)
        assert tables.matches(rules)


def test_what_others_wrote_stays_and_is_no_difference(tables):
    tables.replace(FIRST)
    for command in BY_HAND:
        inside("iptables-legacy", *command.split())
    assert tables.matches(FIRST)
    for rules in (SECOND, FIRST):
        tables.replace(rules)
        assert tables.matches(rules)
        text = saved()
        forward = inside("iptables-legacy", "-S", "FORWARD").splitlines()
        assert forward[:2] == ["-P FORWARD DROP", "-A FORWARD -p udp -m udp --dport 53 -j DROP"]
        assert forward[-1] == "-A FORWARD -s 192.0.2.7/32 -j ACCEPT"
        assert ":MINE - [0:0]" in text
        assert "-A POSTROUTING -d 192.0.2.9/32 -j ACCEPT" in text


def test_what_others_wrote_before_the_first_write_stays_too(tables):
    inside("iptables-legacy", "-A", "FORWARD", "-s", "192.0.2.7/32", "-j", "ACCEPT")
    tables.replace(FIRST)
    assert inside("iptables-legacy", "-S", "FORWARD").splitlines()[-1] == "-A FORWARD -s 192.0.2.7/32 -j ACCEPT"
    assert tables.matches(FIRST)


@pytest.mark.parametrize("command", ["-t nat -F KUBE-SERVICES", "-A KUBE-FORWARD -j RETURN", "-t nat -F PREROUTING"])
def test_our_own_part_is_repaired_between_guests(tables, command):
    tables.replace(FIRST)
    inside("iptables-legacy", "-I", "FORWARD", "-p", "udp", "--dport", "53", "-j", "DROP")
    inside("iptables-legacy", *command.split())
    assert not tables.matches(FIRST)
    tables.replace(FIRST)
    assert tables.matches(FIRST)
    assert "--dport 53 -j DROP" in saved()


def test_a_table_without_guests_any_more_is_just_ours_again(tables):
    tables.replace(FIRST)
    inside("iptables-legacy", "-P", "FORWARD", "DROP")
    tables.replace(SECOND)
    inside("iptables-legacy", "-P", "FORWARD", "ACCEPT")
    assert tables.matches(SECOND)
    assert saved() == render(SECOND)


def test_cleanup_leaves_the_others_rules(tables):
    tables.replace(FIRST)
    inside("iptables-legacy", "-I", "FORWARD", "-p", "udp", "--dport", "53", "-j", "DROP")
    tables.remove(FIRST)
    assert [line for line in saved().splitlines() if line.startswith("-A")] == [
        "-A FORWARD -p udp -m udp --dport 53 -j DROP"]
    assert "KUBE-" not in saved()
    assert {line[1:] for line in saved().splitlines() if line.startswith("*")} <= set(BUILTIN)


def test_rules_typed_while_services_change_are_never_lost(tables):
    """The race is a few milliseconds wide: where look and write are two steps, several of these rules go."""
    stop, written = threading.Event(), threading.Semaphore(0)

    def rewrite():
        while not stop.is_set():
            for rules in (FIRST, SECOND):
                tables.replace(rules)
                written.release()

    def written_once_more():
        while written.acquire(blocking=False):
            pass
        return written.acquire(timeout=20) and written.acquire(timeout=20)

    writer = threading.Thread(target=rewrite)
    writer.start()
    lost = []
    try:
        for number in range(1, 61):
            rule = ("INPUT", "-s", f"198.51.100.{number}/32", "-j", "DROP")
            inside("iptables-legacy", "-w", "20", "-A", *rule)
            assert written_once_more()
            if f"-A INPUT -s 198.51.100.{number}/32" not in saved():
                lost.append(number)
            else:  # without any rule of ours the next write is of another kind
                inside("iptables-legacy", "-w", "20", "-D", *rule)
                assert written_once_more()
    finally:
        stop.set()
        writer.join()
    assert lost == []
    assert "198.51.100." not in saved()


def test_a_policy_that_changes_in_a_large_table_stays_too(tables, monkeypatch):
    monkeypatch.setattr(shared_tables, "SMALL", 0)
    tables.replace(FIRST)
    inside("iptables-legacy", "-P", "FORWARD", "DROP")
    tables.replace(SECOND)
    assert ":FORWARD DROP" in saved()
    inside("iptables-legacy", "-P", "FORWARD", "ACCEPT")
    tables.replace(FIRST)
    assert saved() == render(FIRST)
