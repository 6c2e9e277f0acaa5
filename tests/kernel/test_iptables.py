import fcntl
import os
import subprocess
import sys
import threading

import pytest

from netlab.kernel import iptables, iptables_binding, iptables_packed, iptables_raw
from netlab.kernel.iptables import NodeTables, normalise
from netlab.kernel.iptables_pack import pack
from netlab.model.errors import LabError
from netlab.model.family import IPV6
from netlab.netfilter import Rule, render
from netlab.netfilter.rule import DROP, Comment, Dnat, chance
from netlab.netfilter.ruleset import Chain, Ruleset, ruleset, table
from netlab.proxy.iptables import compile as compile_rules
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.netfilter.test_rules_as_text import ALL
from tests.proxy.families import six
from tests.proxy.worked import WORKED

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
NAME = f"nltdpt{os.getpid()}"


@pytest.fixture
def tables():
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        yield NodeTables(NAME)
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def inside(*argv, text=None):
    return subprocess.run(["ip", "netns", "exec", NAME, *argv], input=text, capture_output=True, text=True,
                          check=True, timeout=30).stdout


def raw_save():
    return "".join(line + "\n" for line in inside("iptables-legacy-save").splitlines() if not line.startswith("#"))


def example(*names):
    services = [manifest for name in names for manifest in WORKED[name][0]]
    slices = [manifest for name in names for manifest in WORKED[name][1]]
    return compile_rules(Snapshots().take(services, slices), NodeView("n1", ("172.18.0.2",), "", "10.244.0.0/16"))


EVERYTHING = example(*(name for name in WORKED if not name.endswith("-n3") and not name.startswith("clusterip-3")))


@pytest.mark.parametrize("rules", [ALL, EVERYTHING, example("nothing")], ids=["every extension", "Services", "none"])
def test_save_prints_what_we_render(tables, rules):
    tables.replace(rules)
    assert not iptables._refused
    assert raw_save() == render(rules)
    assert tables.save() == render(rules)
    assert tables.matches(rules)


@pytest.mark.parametrize("rules", [ALL, EVERYTHING], ids=["every extension", "Services"])
def test_our_bytes_are_those_of_the_program(tables, rules):
    inside("iptables-legacy-restore", text=render(rules))
    assert tables.matches(rules)


def test_rules_are_replaced_whole_and_again(tables):
    for rules in (EVERYTHING, example("nothing"), ALL, EVERYTHING, EVERYTHING):
        tables.replace(rules)
        assert tables.matches(rules)
        assert parsed_tables(tables.save(), rules) == render(rules)


def parsed_tables(text, rules):
    names = {item.name for item in rules.tables}
    return "".join(f"*{part}" for part in text.split("*")[1:] if part.split("\n")[0] in names)


@pytest.mark.parametrize("command", [
    "-t nat -F", "-F KUBE-FORWARD", "-t nat -A KUBE-SERVICES -j RETURN", "-P FORWARD DROP", "-t nat -N MINE",
    "-t nat -R KUBE-POSTROUTING 2 -j MARK --xor-mark 0x8000", "-t mangle -X KUBE-PROXY-CANARY",
])
def test_what_somebody_changed_by_hand_is_noticed_and_repaired(tables, command):
    tables.replace(EVERYTHING)
    inside("iptables-legacy", *command.split())
    assert not tables.matches(EVERYTHING)
    tables.replace(EVERYTHING)
    assert tables.matches(EVERYTHING)
    assert raw_save() == render(EVERYTHING)


def test_counters_do_not_count(tables):
    rules = example("nodeport-0")
    tables.replace(rules)
    inside("ip", "link", "set", "lo", "up")
    inside("ping", "-c", "1", "-W", "1", "127.0.0.1")
    assert raw_save() != render(rules)
    assert tables.save() == render(rules)
    assert tables.matches(rules)


def test_a_fresh_netns_does_not_match(tables):
    assert not tables.matches(example("nothing"))
    assert tables.matches(Ruleset(()))


def test_a_kernel_that_refuses_our_packing_is_served_by_the_program(tables, monkeypatch, capfd):
    monkeypatch.setattr(iptables, "_refused", False)
    monkeypatch.setattr(iptables_packed, "pack", lambda *rule: pack(*rule).replace(b"comment", b"commenx"))
    rules = example("nodeport-0", "source-ranges")
    for held in rules.tables:
        for part in held.parts:
            monkeypatch.setattr(part, "packed", None)
    tables.replace(rules)
    assert "this kernel refuses packed rules" in capfd.readouterr().err
    assert raw_save() == render(rules)
    assert tables.matches(rules)


def test_rules_that_are_wrong_are_an_error_and_change_nothing(tables):
    tables.replace(EVERYTHING)
    with pytest.raises(LabError, match="iptables-legacy-restore: "):
        tables.replace(ruleset([table("nat", [Chain("POSTROUTING", (Rule((), Dnat("10.244.1.10", 80)),))])]))
    assert not iptables._refused
    assert tables.matches(EVERYTHING)


def test_a_rule_that_cannot_be_packed_changes_nothing(tables):
    tables.replace(EVERYTHING)
    bad = ruleset([table("nat", [Chain("KUBE-X", (Rule((chance(0.5), Comment("x" * 256)), DROP),))])])
    with pytest.raises(ValueError, match="at most 255 bytes"):
        tables.replace(bad)
    assert tables.matches(EVERYTHING)


def test_the_lock_of_the_iptables_programs_is_waited_for(tables, monkeypatch):
    with open(iptables_binding.LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        monkeypatch.setattr(iptables_binding, "LOCK_LIMIT", 0.05)
        with pytest.raises(LabError, match="another program holds"):
            tables.replace(ALL)
        assert not tables.matches(ALL)
        monkeypatch.setattr(iptables_binding, "LOCK_LIMIT", 20.0)
        writer = threading.Thread(target=tables.replace, args=(ALL,))
        writer.start()
    writer.join(20)
    assert tables.matches(ALL)


def test_a_netns_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        NodeTables(f"{NAME}-none").replace(ALL)


def test_our_rules_do_not_reach_the_threads_own_netns(tables):
    before = subprocess.run(["iptables-legacy-save"], capture_output=True, text=True, check=True).stdout
    tables.replace(EVERYTHING)
    after = subprocess.run(["iptables-legacy-save"], capture_output=True, text=True, check=True).stdout
    assert [line for line in before.splitlines() if line.startswith("-A")] \
        == [line for line in after.splitlines() if line.startswith("-A")]


def test_python_iptables_is_imported_without_helper_processes_and_with_its_plain_import_too():
    for prelude in ("", "from netlab.kernel import iptables_binding as b; b._LIBRARIES = {}"):
        checks = "assert binding().iptc_init and binding('IPv6').iptc_init"
        code = f"{prelude}\nfrom netlab.kernel.iptables_binding import binding\n{checks}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                              env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
        assert done.returncode == 0, done.stderr


def test_normalised_text_has_no_counters_remarks_or_foreign_order():
    text = "# x\n*filter\n:INPUT ACCEPT [5:300]\n-A INPUT -j ACCEPT\nCOMMIT\n*nat\n:KUBE-A - [1:2]\nCOMMIT\n"
    assert normalise(text) == ("*nat\n:KUBE-A - [0:0]\nCOMMIT\n"
                               "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n")


def test_tables_are_kept_apart_by_their_netns(tables):
    other = NodeTables(f"{NAME}b")
    subprocess.run(["ip", "netns", "add", other.netns], check=True)
    try:
        tables.replace(EVERYTHING)
        other.replace(example("nothing"))
        assert tables.matches(EVERYTHING)
        assert other.matches(example("nothing"))
    finally:
        subprocess.run(["ip", "netns", "del", other.netns], check=True)


@pytest.fixture
def second(tables):
    other = NodeTables(f"{NAME}b")
    subprocess.run(["ip", "netns", "add", other.netns], check=True)
    try:
        yield other
    finally:
        subprocess.run(["ip", "netns", "del", other.netns], check=True)


def test_a_further_node_gets_the_same_table_at_once(tables, second, monkeypatch):
    rules = example(*WORKED)
    tables.replace(rules)
    inside("iptables-legacy", "-A", "FORWARD", "-j", "ACCEPT")  # the first node's own business
    commits = []
    monkeypatch.setattr(iptables, "_commit", commits.append)
    for _ in range(2):  # into an empty netns, and over what is there
        second.replace(rules)
        assert commits == []
        assert second.save() == render(rules)
        assert second.matches(rules)
    assert not tables.matches(rules)


@pytest.mark.parametrize(("small", "committed"), [(2000, True), (10, False)])
def test_libiptc_writes_the_first_table_unless_it_is_large(tables, monkeypatch, small, committed):
    monkeypatch.setattr(iptables, "_taken", set())
    monkeypatch.setattr(iptables, "SMALL", small)
    commits, commit = [], iptables._commit
    monkeypatch.setattr(iptables, "_commit", lambda table: (commits.append(table.name), commit(table)))
    rules = example("clusterip-3")
    tables.replace(rules)
    assert ("nat" in commits) is committed
    assert tables.save() == render(rules)
    tables.replace(example("nodeport-2"))
    assert commits.count("nat") == committed
    assert tables.save() == render(example("nodeport-2"))


def test_a_table_that_cannot_be_put_at_once_is_written_rule_by_rule(tables, second, monkeypatch):
    rules = example("clusterip-3")
    tables.replace(rules)

    def put(table):
        raise OSError(11, "changed meanwhile")

    monkeypatch.setattr(iptables_raw, "put", put)
    second.replace(rules)
    assert second.matches(rules)


def test_traffic_passes_a_table_that_was_put_at_once(tables, second):
    rules = example("nodeport-0")
    tables.replace(rules)
    second.replace(rules)
    for netns in (NAME, second.netns):
        subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)
        answer = subprocess.run(["ip", "netns", "exec", netns, "iptables-legacy", "-t", "nat", "-Z"], check=False)
        assert answer.returncode == 0
        subprocess.run(["ip", "netns", "exec", netns, "ping", "-c", "1", "-W", "1", "127.0.0.1"], check=True,
                       capture_output=True)
    assert second.matches(rules)


@pytest.mark.parametrize("name", ["nothing", "clusterip-3", "nodeport-2", "nodeport-0", "source-ranges", "affinity"])
def test_our_ip6tables_bytes_are_those_of_the_program_and_both_families_stand_side_by_side(tables, name):
    view = NodeView("n1", ("fd00:172:18::2",), "", "fd00:10:244::/48", family=IPV6)
    six_rules = compile_rules(Snapshots(IPV6).take(*six(WORKED[name])), view)
    four_rules = example("nodeport-2")
    tables.replace(four_rules)
    inside("ip6tables-legacy-restore", text=render(six_rules))
    assert tables.matches(six_rules)
    for rules in (example("nothing"), four_rules, six_rules):
        tables.replace(rules)
    assert tables.save(IPV6) == render(six_rules)
    assert tables.save() == render(four_rules)
    assert tables.matches(six_rules)
    inside("ip6tables-legacy", "-t", "nat", "-F")
    assert not tables.matches(six_rules)
    assert tables.matches(four_rules)
