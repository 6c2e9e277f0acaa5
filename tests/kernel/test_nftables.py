"""nftables tables in a netns of their own: what is written, what is seen, what is left alone."""

import os
import shutil
import socket
import subprocess

import pytest

from netlab.kernel import netns, nftables, nftables_batch, nftables_state
from netlab.kernel.nftables import NftTables
from netlab.kernel.nftables_words import FAMILIES, NEWSETELEM, message, text
from netlab.model.family import IPV4, IPV6
from netlab.netfilter import render
from netlab.netfilter.nft_changes import changes, difference
from netlab.netfilter.nft_parse import parse_nft
from netlab.proxy import MODES
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy import flows
from tests.proxy.families import TABLES, six
from tests.proxy.manifests import endpoint_slice, service
from tests.proxy.worked import WORKED

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
              pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")]
NAME = f"nltnf{os.getpid()}"


def compiled(services, slices=flows.SLICES, **view):
    view = {"name": "n1", "addresses": ("172.18.0.2",), "cluster_cidr": flows.CLUSTER_CIDR,
            "service_cidrs": (flows.SERVICE_CIDR,)} | view
    return MODES["nftables"](Snapshots().take(services, slices), NodeView(**view))


def nft(*words, text=""):
    done = subprocess.run(["ip", "netns", "exec", NAME, "nft", *words], input=text, capture_output=True, text=True,
                          check=True)
    return done.stdout


def listed():
    return nft("--stateless", "list", "ruleset")


@pytest.fixture
def tables():
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        yield NftTables(NAME)
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def transactions():
    def ask():
        with socket.socket(*nftables_state.NETLINK) as through:
            return nftables_state.generation(through)

    return netns.visit(NAME, ask)


EVERYTHING = compiled(flows.SERVICES)


def worked(name, family):
    objects = (([], []) if name is None else WORKED[name])
    rows = Snapshots(family).take(*(objects if family == IPV4 else six(objects)))
    return MODES["nftables"](rows, TABLES[family].view("n1"))


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("name", WORKED)
def test_nft_lists_what_we_render(tables, name, family):
    ruleset = worked(name, family)
    tables.replace(ruleset)
    assert listed() == render(ruleset)


def without_nft(monkeypatch):
    """What must be written now is written by ourselves, or it is an error."""
    known = nftables.run

    def run(arguments, text=""):
        assert "-f" not in arguments, text
        return known(arguments, text)

    monkeypatch.setattr(nftables, "run", run)


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("name", WORKED)
def test_a_table_is_written_without_nft_as_nft_would_have_written_it(tables, monkeypatch, name, family):
    ruleset = worked(name, family)
    nft("-f", "-", text="".join(changes(None, table) for table in ruleset.tables))
    theirs = listed()
    tables.remove(ruleset)
    without_nft(monkeypatch)
    tables.replace(ruleset)
    assert listed() == theirs
    assert tables.matches(ruleset)
    before = transactions()
    tables.replace(ruleset)
    assert transactions() == before


def many(services=300, endpoints=4, **fields):
    rows = [service(f"s{number:03}", f"10.96.{number >> 8}.{number & 255}", **fields) for number in range(services)]
    slices = [endpoint_slice(f"s{number:03}", *({"addresses": [f"10.244.{number % 200}.{end + 1}"], "conditions": {}}
                                                for end in range(endpoints))) for number in range(services)]
    return compiled(rows, slices)


def test_the_table_of_many_services_comes_in_several_transactions_and_packets_see_the_last_one_only(
        tables, monkeypatch):
    ruleset = many()
    without_nft(monkeypatch)
    seen = []
    send = nftables_batch.send

    def sent(written, table, through):
        send(written, table, through)
        seen.append(parse_nft(listed()).tables[0])

    monkeypatch.setattr(nftables_batch, "send", sent)
    before = transactions()
    tables.replace(ruleset)
    assert transactions() == before + len(seen) > before + 3
    for table in seen[:-1]:
        assert not any(table.elements.values())
        assert not any(chain.rules for chain in table.chains.values() if chain.hook)
    assert tables.matches(ruleset)
    assert listed() == render(ruleset)


@pytest.mark.parametrize("more", [many(), many(20, sessionAffinity="ClientIP")], ids=["many", "sets as well"])
def test_many_services_that_come_and_go_at_once_are_one_transaction(tables, monkeypatch, more):
    some = many(3)
    tables.replace(some)
    without_nft(monkeypatch)
    monkeypatch.setattr(nftables, "STALE", 60)
    for wanted in (more, some):
        before = transactions()
        tables.replace(wanted)
        assert transactions() == before + 1
        assert tables.matches(wanted)
        assert NftTables(NAME).matches(wanted)


def test_a_table_that_cannot_be_made_is_handed_to_nft(tables, monkeypatch):
    ruleset = many()
    send, sent = nftables_batch.send, []

    def fails(written, table, through):
        sent.append(written)
        if len(sent) == 3:
            written = [*written, written[0]]
            written.append(message(NEWSETELEM, 0, FAMILIES["ip"], text(1, table.name) + text(2, "nobodys")))
        send(written, table, through)

    monkeypatch.setattr(nftables_batch, "send", fails)
    tables.replace(ruleset)
    assert len(sent) == 3
    assert tables.matches(ruleset)
    assert NftTables(NAME).matches(ruleset)
    assert listed() == render(ruleset)
    tables.replace(many(200))  # by the same socket
    assert tables.matches(many(200))


def test_another_table_of_the_name_is_replaced(tables):
    nft("-f", "-", text="table ip kube-proxy {\nchain c {\nlog prefix \"x\" drop\n}\n}\n")
    tables.replace(EVERYTHING)
    assert tables.matches(EVERYTHING)
    assert listed() == render(EVERYTHING)


def test_what_is_there_already_is_not_written(tables):
    tables.replace(EVERYTHING)
    before = transactions()
    assert tables.matches(EVERYTHING)
    tables.replace(EVERYTHING)
    another = NftTables(NAME)  # a new process
    assert another.matches(EVERYTHING)
    another.replace(EVERYTHING)
    assert transactions() == before


def test_a_change_is_one_transaction_with_what_changed(tables, monkeypatch):
    tables.replace(EVERYTHING)
    before = transactions()
    monkeypatch.setattr(nftables, "run", None)  # nft is not even asked
    slices = [endpoint_slice("web", flows.at(flows.A)), *flows.SLICES[1:]]
    changed = compiled(flows.SERVICES, slices)
    old, new = EVERYTHING.tables[0], changed.tables[0]
    written = b"".join(nftables_batch.messages(difference(old, new), new))
    assert b"default/web/tcp" in written
    assert not any(f"default/{name}/".encode() in written for name in ("np", "etp", "dns", "ext"))
    tables.replace(changed)
    assert transactions() == before + 1
    monkeypatch.undo()
    assert NftTables(NAME).matches(changed)


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("name", WORKED)
def test_a_small_change_gives_what_nft_would_have_made(tables, name, family):
    ruleset, nothing = worked(name, family), worked(None, family)
    for wanted in (nothing, ruleset, nothing, ruleset):
        tables.replace(wanted)
        assert tables.matches(wanted)
        assert NftTables(NAME).matches(wanted)


def test_chains_of_backends_that_are_gone_are_emptied_at_once_and_deleted_later(tables, monkeypatch):
    tables.replace(compiled([service("web", "10.96.45.10")]))
    less = compiled([])
    tables.replace(less)
    assert tables.matches(less)
    assert "chain endpoint-" in listed()
    assert "dnat to" not in listed()
    monkeypatch.setattr(nftables, "STALE", 0)
    assert not tables.matches(less)
    tables.replace(less)
    assert tables.matches(less)
    assert "chain endpoint-" not in listed()
    assert NftTables(NAME).matches(less)


@pytest.mark.parametrize("damage", [
    ["flush", "ruleset"], ["flush", "chain", "ip", "kube-proxy", "services"],
    ["delete", "rule", "ip", "kube-proxy", "reject-chain", "handle"],
    ["flush", "map", "ip", "kube-proxy", "service-ips"], ["add", "rule", "ip", "kube-proxy", "services", "drop"],
    ["add", "chain", "ip", "kube-proxy", "mine", "{", "type", "filter", "hook", "input", "priority", "5;", "}"],
], ids=" ".join)
def test_what_somebody_changed_is_seen_and_repaired(tables, damage):
    tables.replace(EVERYTHING)
    if damage[-1] == "handle":
        line = next(line for line in nft("-a", "list", "chain", "ip", "kube-proxy", "reject-chain").splitlines()
                    if line.strip().startswith("reject"))
        damage = [*damage, line.split()[-1]]
    nft(*damage)
    assert not tables.matches(EVERYTHING)
    tables.replace(EVERYTHING)
    assert tables.matches(EVERYTHING)
    assert NftTables(NAME).matches(EVERYTHING)


def test_a_change_right_after_somebody_elses_repairs_that_as_well(tables):
    tables.replace(EVERYTHING)
    nft("flush", "chain", "ip", "kube-proxy", "nat-output")
    less = compiled(flows.SERVICES[:3])
    tables.replace(less)
    assert NftTables(NAME).matches(less)


def test_tables_of_others_are_left_alone(tables):
    nft("-f", "-", text="table inet mine {\nchain c {\ntype filter hook input priority 0;\ncounter accept\n}\n}\n")
    tables.replace(EVERYTHING)
    nft("add", "rule", "inet", "mine", "c", "drop")
    assert tables.matches(EVERYTHING)
    tables.remove(EVERYTHING)
    tables.remove(EVERYTHING)
    assert "kube-proxy" not in listed()
    assert "table inet mine" in listed()


def test_a_client_that_is_remembered_stays_so_when_others_change(tables):
    aff = service("aff", "10.96.45.16", sessionAffinity="ClientIP")
    slices = [endpoint_slice("aff", flows.at(flows.A)), endpoint_slice("web", flows.at(flows.B))]
    tables.replace(compiled([aff], slices))
    kept = next(name for name in compiled([aff], slices).tables[0].sets if name.startswith("affinity-"))
    nft("add", "element", "ip", "kube-proxy", kept, "{", "10.244.1.5", "}")
    more = compiled([aff, service("web", "10.96.45.10")], slices)
    tables.replace(more)
    assert "10.244.1.5" in nft("list", "set", "ip", "kube-proxy", kept)
    assert tables.matches(more)


RANGES = ["203.0.113.0/24", "203.0.113.5/32", "10.0.1.0/24", "10.0.2.0/24", "255.255.255.255/32", "128.0.0.0/2",
          "0.0.0.0/1", "192.0.0.0/2", "128.0.0.0/1", "0.0.0.0/0"]
RANGES_6 = ["2001:db8::/64", "2001:db8:1::5/128", "fd00:0:0:1::/64", "fd00:0:0:2::/64", "8000::/1", "::/3", "::/0"]


def guarded(ranges):
    return compiled([service("fw", "10.96.45.14", type="LoadBalancer", ingress=[{"ip": "192.0.2.11"}],
                             loadBalancerSourceRanges=ranges)])


def guarded_6(ranges):
    rows = [service("six", "fd00:10:96::5", type="LoadBalancer", ingress=[{"ip": "2001:db8:1::9"}],
                    loadBalancerSourceRanges=ranges)]
    view = NodeView("n1", ("fd00:172:18::2",), "", "fd00:10:244::/56", family="IPv6")
    return MODES["nftables"](Snapshots("IPv6").take(rows, []), view)


@pytest.mark.parametrize("ruleset", [
    *(guarded(RANGES[:number + 1]) for number in range(len(RANGES))), *(guarded([one]) for one in RANGES[3:]),
    *(guarded_6(RANGES_6[:number + 1]) for number in range(len(RANGES_6))), *(guarded_6([one]) for one in RANGES_6),
    compiled(flows.SERVICES, masquerade_all=True), compiled(flows.SERVICES, pod_interface="veth+", cluster_cidr=""),
    compiled(flows.SERVICES, pod_interface="br0", cluster_cidr=""), compiled(flows.SERVICES, masquerade_bit=0),
    compiled(flows.SERVICES, node_port_addresses=("0.0.0.0/0",)),
    compiled(flows.SERVICES, cluster_cidr="10.240.0.0/13"),
    compiled(flows.SERVICES, service_cidrs=("10.96.0.0/16", "10.112.0.0/12")),
])
def test_odd_rules_are_written_as_nft_writes_them(tables, monkeypatch, ruleset):
    nft("-f", "-", text="".join(changes(None, table) for table in ruleset.tables))
    theirs = listed()
    tables.remove(ruleset)
    without_nft(monkeypatch)
    tables.replace(ruleset)
    assert listed() == theirs
    assert NftTables(NAME).matches(ruleset)


def test_both_families_have_a_table_each_and_leave_the_others_alone(tables):
    six = service("six", "fd00:10:96::5", type="LoadBalancer", sessionAffinity="ClientIP",
                  loadBalancerSourceRanges=["2001:db8::/64"], ingress=[{"ip": "2001:db8:1::9"}])
    slices = [endpoint_slice("six", {"addresses": [f"fd00:10:244:1::{n}"], "conditions": {}}, kind="IPv6")
              for n in (3, 4)]
    view = NodeView("n1", ("fd00:172:18::2",), "", "fd00:10:244::/56", family="IPv6",
                    service_cidrs=("fd00:10:96::/112",))
    first, second = (MODES["nftables"](Snapshots("IPv6").take([six], [one]), view) for one in slices)
    tables.replace(EVERYTHING)
    tables.replace(first)
    assert listed() == render(EVERYTHING) + render(first)
    tables.replace(second)
    tables.replace(compiled([]))
    for ruleset in (second, compiled([])):
        assert tables.matches(ruleset)
        assert NftTables(NAME).matches(ruleset)
    tables.remove(second)
    assert NftTables(NAME).matches(compiled([]))
