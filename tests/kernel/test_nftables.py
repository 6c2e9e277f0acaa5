"""nftables tables in a netns of their own: what is written, what is seen, what is left alone."""

import os
import shutil

import pytest
from nft_bench import EVERYTHING, NAME, compiled, fresh_tables, listed, nft, transactions, worked

from netlab.kernel import nftables
from netlab.kernel.nftables import NftTables
from netlab.model.family import IPV4, IPV6
from netlab.netfilter import render
from netlab.proxy import MODES
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy import flows
from tests.proxy.manifests import endpoint_slice, service
from tests.proxy.worked import WORKED

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
              pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")]


@pytest.fixture
def tables():
    with fresh_tables() as found:
        yield found


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("name", WORKED)
def test_nft_lists_what_we_render(tables, name, family):
    ruleset = worked(name, family)
    tables.replace(ruleset)
    assert listed() == render(ruleset)


def test_what_is_there_already_is_not_written(tables):
    tables.replace(EVERYTHING)
    before = transactions()
    assert tables.matches(EVERYTHING)
    tables.replace(EVERYTHING)
    another = NftTables(NAME)  # a new process
    assert another.matches(EVERYTHING)
    another.replace(EVERYTHING)
    assert transactions() == before


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("name", WORKED)
def test_a_small_change_gives_what_nft_would_have_made(tables, name, family):
    ruleset, nothing = worked(name, family), worked(None, family)
    for wanted in (nothing, ruleset, nothing, ruleset):
        tables.replace(wanted)
        assert tables.matches(wanted)
        assert NftTables(NAME).matches(wanted)


def test_what_others_did_is_seen_by_the_write_that_follows(tables):
    tables.replace(EVERYTHING)
    less = compiled(flows.SERVICES, flows.SLICES[1:])
    nft("flush", "chain", "ip", "kube-proxy", "services")
    tables.replace(less)
    assert NftTables(NAME).matches(less)
    nft("add", "table", "ip", "others")
    tables.replace(EVERYTHING)
    assert NftTables(NAME).matches(EVERYTHING)


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
