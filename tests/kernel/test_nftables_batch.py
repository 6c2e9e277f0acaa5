"""Tables of the nftables mode written by netlink: the kernel then has what nft would have written."""

import os
import shutil
from functools import partial

import pytest
from nft_bench import EVERYTHING, NAME, compiled, fresh_tables, listed, many, nft, transactions, without_nft, worked

from netlab.kernel import nftables, nftables_batch
from netlab.kernel.nftables import NftTables
from netlab.kernel.nftables_words import FAMILIES, NEWSETELEM, message, text
from netlab.model.family import IPV4, IPV6
from netlab.netfilter import render
from netlab.netfilter.nft_changes import changes, difference
from netlab.netfilter.nft_parse import parse_nft
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


def test_the_table_of_many_services_comes_in_several_transactions_and_packets_see_the_last_one_only(
        tables, monkeypatch):
    ruleset = many()
    without_nft(monkeypatch)
    seen = []
    send = nftables_batch.send

    def sent(written, table, through, **options):
        send(written, table, through, **options)
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


@pytest.mark.parametrize(("services", "affinity"), [(300, "None"), (20, "ClientIP")])
def test_many_services_that_come_and_go_at_once_are_one_transaction(tables, monkeypatch, services, affinity):
    some, more = many(3), many(services, sessionAffinity=affinity)
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

    def fails(written, table, through, **options):
        sent.append(written)
        if len(sent) == 3:
            written = [*written, written[0]]
            written.append(message(NEWSETELEM, 0, FAMILIES["ip"], text(1, table.name) + text(2, "nobodys")))
        send(written, table, through, **options)

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


@pytest.mark.parametrize("make", [
    *(partial(guarded, RANGES[:number + 1]) for number in range(len(RANGES))),
    *(partial(guarded, [one]) for one in RANGES[3:]),
    *(partial(guarded_6, RANGES_6[:number + 1]) for number in range(len(RANGES_6))),
    *(partial(guarded_6, [one]) for one in RANGES_6),
    *(partial(compiled, flows.SERVICES, **view) for view in (
        {"masquerade_all": True}, {"pod_interface": "veth+", "cluster_cidr": ""},
        {"pod_interface": "br0", "cluster_cidr": ""}, {"masquerade_bit": 0}, {"node_port_addresses": ("0.0.0.0/0",)},
        {"cluster_cidr": "10.240.0.0/13"}, {"service_cidrs": ("10.96.0.0/16", "10.112.0.0/12")})),
])
def test_odd_rules_are_written_as_nft_writes_them(tables, monkeypatch, make):
    ruleset = make()
    nft("-f", "-", text="".join(changes(None, table) for table in ruleset.tables))
    theirs = listed()
    tables.remove(ruleset)
    without_nft(monkeypatch)
    tables.replace(ruleset)
    assert listed() == theirs
    assert NftTables(NAME).matches(ruleset)
