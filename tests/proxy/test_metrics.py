"""What kube-proxy counts."""

from datetime import UTC, datetime

import pytest

from netlab.proxy.iptables import compile as compile_rules
from netlab.proxy.metrics import metrics_text, no_local_endpoints, owned_rules
from netlab.proxy.snapshot import NodeView, Snapshots
from netlab.proxy.state import Changes, Durations, FamilyState, ProxyState
from tests.proxy.manifests import endpoint, endpoint_slice, port, service

NOW = datetime(2025, 3, 1, 12, 0, 5, 250000, UTC)
LOCAL_IN, LOCAL_OUT = {"internalTrafficPolicy": "Local"}, {"type": "NodePort", "externalTrafficPolicy": "Local"}


def lines(text, name):
    return [line for line in text.splitlines() if line.startswith(f"kubeproxy_sync_{name}")]


@pytest.mark.parametrize(("policies", "node", "internal", "external"), [
    (LOCAL_IN, "n1", 0, 0),
    (LOCAL_IN, "n2", 1, 0),
    (LOCAL_OUT, "n1", 0, 0),
    (LOCAL_OUT, "n2", 0, 1),
    (LOCAL_IN | LOCAL_OUT, "n2", 1, 1),
    (LOCAL_IN | LOCAL_OUT, "", 0, 0),  # no endpoint anywhere: refused, and not counted
    ({}, "n2", 0, 0),
])
def test_ports_without_an_endpoint_of_their_own_node_are_counted(policies, node, internal, external):
    web = service("web", "10.96.0.2", port(node_port=30080 if "type" in policies else 0), **policies)
    slices = [endpoint_slice("web", endpoint("10.244.1.2", node="n1"))] if node else []
    found = no_local_endpoints(Snapshots().take([web], slices), node=node)
    assert found == {"internal": internal, "external": external}


@pytest.mark.parametrize(("services", "endpoints", "balanced", "filters", "nat"), [
    # 3 + 1 rules of filter and 5 of nat are there without any Service
    (0, 0, False, 4, 5),
    (1, 0, False, 5, 5),
    (1, 1, False, 4, 10),
    (10, 10, False, 4, 325),
    (1, 0, True, 8, 5),
    (1, 2, True, 5, 20),
    (10, 10, True, 14, 395),
])
def test_rules_are_counted_without_the_jumps_to_them(services, endpoints, balanced, filters, nat):
    more = {"type": "LoadBalancer", "externalIPs": ["192.0.2.7"], "loadBalancerSourceRanges": ["192.0.2.0/28"],
            "ingress": [{"ip": "192.0.2.8"}]} if balanced else {}
    manifests = [service(f"s{n}", f"10.96.0.{n + 2}", port(node_port=30000 + n if balanced else 0), **more)
                 for n in range(services)]
    slices = [endpoint_slice(f"s{n}", *(endpoint(f"10.244.1.{m + 2}") for m in range(endpoints)))
              for n in range(services)]
    rules = compile_rules(Snapshots().take(manifests, slices), NodeView("n1", ("172.18.0.2",), "", "10.244.0.0/16"))
    assert owned_rules(rules) == {"filter": filters, "nat": nat}


def test_durations_are_a_histogram_with_the_buckets_of_upstream():
    durations = Durations()
    for seconds in (0.001, 0.0015, 0.25, 60):
        durations.observe(seconds)
    text = metrics_text(ProxyState(NOW, (FamilyState("IPv4", NOW, NOW, durations=durations),)))
    found = lines(text, "proxy_rules_duration_seconds")
    assert [line.rpartition(" ")[2] for line in found] == ["1", *["2"] * 7, *["3"] * 7, "4", "60.2525", "4"]
    assert found[0].endswith('_bucket{ip_family="IPv4",le="0.001"} 1')
    assert found[14].endswith('_bucket{ip_family="IPv4",le="16.384"} 3')
    assert found[15].endswith('_bucket{ip_family="IPv4",le="+Inf"} 4')
    assert found[16].endswith('_sum{ip_family="IPv4"} 60.2525')


def test_each_family_has_its_own_numbers_and_names_are_in_order():
    families = tuple(FamilyState(family, NOW, NOW, rules=lambda: {"nat": 7, "filter": 4}, failures=failures,
                                 no_local=lambda: {"internal": 0, "external": 1})
                     for family, failures in (("IPv4", 0), ("IPv6", 2)))
    text = metrics_text(ProxyState(NOW, families, services=Changes(5, 1), slices=Changes(1234567, 0)))
    assert lines(text, "proxy_rules_iptables_") == [
        'kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="filter"} 4',
        'kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="nat"} 7',
        'kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv6",table="filter"} 4',
        'kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv6",table="nat"} 7',
        'kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv6"} 2',
        *(f'kubeproxy_sync_proxy_rules_iptables_total{{ip_family="{family}",table="{table}"}} {count}'
          for family in ("IPv4", "IPv6") for table, count in (("filter", 4), ("nat", 7)))]
    assert lines(text, "proxy_rules_last_timestamp")[0].endswith('{ip_family="IPv4"} 1.74083040525e+09')
    assert lines(text, "proxy_rules_no_local")[0].endswith('{ip_family="IPv4",traffic_policy="external"} 1')
    assert lines(text, "proxy_rules_service_changes_pending")[0].endswith("_pending 1")
    assert lines(text, "proxy_rules_endpoint_changes_total")[0].endswith(" 1.234567e+06")
    helped = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
    assert helped == sorted(helped)


@pytest.mark.parametrize(("mode", "there", "missing"), [
    ("iptables", "iptables_total", "nftables"), ("nftables", "nftables_sync_failures_total", "iptables"),
    ("ipvs", "last_timestamp_seconds", "iptables_total"),
])
def test_a_mode_has_its_own_metrics_only(mode, there, missing):
    one = FamilyState("IPv4", NOW, NOW, failures=1, rules=lambda: {"nat": 7})
    text = metrics_text(ProxyState(NOW, (one,), mode=mode))
    assert f"kubeproxy_sync_proxy_rules_{there}" in text
    assert missing not in text


def test_changes_are_counted_once_each_and_those_that_wait_apart():
    snapshots, web = Snapshots(), service("web", "10.96.0.2")
    other, behind = service("other", "10.96.0.3"), endpoint_slice("web", endpoint("10.244.1.2"))
    assert snapshots.waiting([web, other], [behind]) == (2, 1)
    snapshots.take([web, other], [behind])
    assert (snapshots.taken, snapshots.waiting([web, other], [behind])) == ((2, 1), (0, 0))
    changed = service("web", "10.96.0.4")
    assert snapshots.waiting([changed], []) == (2, 1)
    snapshots.take([changed], [])
    assert snapshots.taken == (4, 2)
