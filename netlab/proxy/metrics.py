"""What kube-proxy counts, as Prometheus reads it (upstream: pkg/proxy/metrics)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate

from netlab.netfilter.ruleset import Ruleset
from netlab.proxy.backends import choose
from netlab.proxy.snapshot import Proxied
from netlab.proxy.state import BUCKETS, Durations, ProxyState

STEM = "kubeproxy_sync_proxy_rules"

Samples = Iterator[tuple[str, str]]
"""(what stands behind the metric's name, value)"""


def no_local_endpoints(rows: Iterable[Proxied], *, node: str) -> dict[str, int]:
    """How many ports have endpoints, a policy Local, and no endpoint on the node that it could use; by policy."""
    found = {"internal": 0, "external": 0}
    for row in rows:
        portal = row.portal
        if portal.uses_local:
            choice = choose(row.backends, node=node, uses_cluster=False, uses_local=True)
            if choice.any and not choice.local:
                found["internal"] += portal.internal_local
                found["external"] += portal.external_local
    return found


def owned_rules(ruleset: Ruleset) -> dict[str, int]:
    """How many rules of nat and filter are in kube-proxy's own chains, by table; its jumps to them do not count."""
    return {table.name: sum(len(chain.rules) for chain in table.chains if chain.name.startswith("KUBE-"))
            for table in ruleset.tables if table.name != "mangle"}


def metrics_text(state: ProxyState) -> str:
    """All metrics in the order of their names. Those of nftables and iptables are there in that mode only."""
    parts = {
        "kubeproxy_proxy_healthz_total": _metric(
            "counter", "Cumulative proxy healthz HTTP status", _answers(state, "/healthz")),
        "kubeproxy_proxy_livez_total": _metric(
            "counter", "Cumulative proxy livez HTTP status", _answers(state, "/livez")),
        f"{STEM}_duration_seconds": _metric(
            "histogram", "SyncProxyRules latency in seconds", _durations(state)),
        f"{STEM}_endpoint_changes_pending": _metric(
            "gauge", "Pending proxy rules Endpoint changes", _one(state.slices.pending)),
        f"{STEM}_endpoint_changes_total": _metric(
            "counter", "Cumulative proxy rules Endpoint changes", _one(state.slices.total)),
        f"{STEM}_last_queued_timestamp_seconds": _metric(
            "gauge", "The last time a sync of proxy rules was queued",
            ((_family(one.family), _seconds(one.queued)) for one in state.families)),
        f"{STEM}_last_timestamp_seconds": _metric(
            "gauge", "The last time proxy rules were successfully synced",
            ((_family(one.family), _seconds(one.updated)) for one in state.families)),
        f"{STEM}_no_local_endpoints_total": _metric(
            "gauge", "Number of services with a Local traffic policy and no endpoints",
            ((_family(one.family, f'traffic_policy="{policy}"'), _number(count))
             for one in state.families for policy, count in sorted(one.no_local().items()))),
        f"{STEM}_service_changes_pending": _metric(
            "gauge", "Pending proxy rules Service changes", _one(state.services.pending)),
        f"{STEM}_service_changes_total": _metric(
            "counter", "Cumulative proxy rules Service changes", _one(state.services.total)),
    }
    failures = [(_family(one.family), _number(one.failures)) for one in state.families if one.failures]
    if state.mode == "nftables":
        parts[f"{STEM}_nftables_sync_failures_total"] = _metric(
            "counter", "Cumulative proxy nftables sync failures", iter(failures))
    elif state.mode == "iptables":
        rules = [(_family(one.family, f'table="{table}"'), _number(count))
                 for one in state.families for table, count in sorted(one.rules().items())]
        parts |= {
            # Tables are rewritten whole, so each sync is a full one.
            "kubeproxy_sync_full_proxy_rules_duration_seconds": _metric(
                "histogram", "SyncProxyRules latency in seconds for full resyncs", _durations(state)),
            f"{STEM}_iptables_last": _metric(
                "gauge", "Number of iptables rules written by kube-proxy in last sync", iter(rules)),
            f"{STEM}_iptables_restore_failures_total": _metric(
                "counter", "Cumulative proxy iptables restore failures", iter(failures)),
            f"{STEM}_iptables_total": _metric(
                "gauge", "Total number of iptables rules owned by kube-proxy", iter(rules)),
        }
    return "".join(_text(name, *parts[name]) for name in sorted(parts))


def _metric(kind: str, text: str, samples: Samples) -> tuple[str, str, Samples]:
    return kind, text, samples


def _text(name: str, kind: str, text: str, samples: Samples) -> str:
    lines = [f"{name}{rest} {value}\n" for rest, value in samples]
    return "".join([f"# HELP {name} [ALPHA] {text}\n# TYPE {name} {kind}\n", *lines]) if lines else ""


def _family(family: str, *more: str) -> str:
    return "{" + ",".join([f'ip_family="{family}"', *more]) + "}"


def _one(value: float) -> Samples:
    yield "", _number(value)


def _answers(state: ProxyState, path: str) -> Samples:
    yield from ((f'{{code="{code}"}}', _number(count)) for (asked, code), count in sorted(state.answers.items())
                if asked == path)


def _durations(state: ProxyState) -> Samples:
    for one in state.families:
        yield from _histogram(one.family, one.durations)


def _histogram(family: str, durations: Durations) -> Samples:
    limits = [*map(_number, BUCKETS), "+Inf"]
    sums = list(accumulate(durations.counts))
    for limit, count in zip(limits, sums, strict=True):
        yield "_bucket" + _family(family, f'le="{limit}"'), str(count)
    yield f"_sum{_family(family)}", _number(durations.sum)
    yield f"_count{_family(family)}", str(sums[-1])


def _seconds(when: datetime | None) -> str:
    return _number(when.timestamp() if when else 0)


def _number(value: float) -> str:
    """As Go's strconv writes it with %g: large and tiny numbers with an exponent of at least two digits."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return repr(float(value)).removesuffix(".0")
    return next(text for places in range(17) if float(text := f"{value:.{places}e}") == value)
