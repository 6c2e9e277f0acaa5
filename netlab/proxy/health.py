"""What kube-proxy answers about itself and about a node's endpoints (upstream: pkg/proxy/healthcheck)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from json import dumps
from typing import NamedTuple

from netlab.model.family import IPV4, IPV6, family_of
from netlab.proxy.snapshot import Proxied

HEALTHZ_PORT, METRICS_PORT = 10256, 10249
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"  # a node's taint: load balancers take it out of use

_JSON = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))
_TEXT = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
_METRICS = (("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),)


class Page(NamedTuple):
    """An HTTP answer: status code, body, headers."""

    code: int
    body: str
    headers: tuple[tuple[str, str], ...]


class HealthCheck(NamedTuple):
    """What a node tells load balancers about a Service whose clients' addresses are kept."""

    port: int
    namespace: str
    service: str
    endpoints: int


@dataclass(frozen=True)
class ProxyState:
    """How a node's kube-proxy does. Times are in UTC; `updated` is None before the first rules are written."""

    now: datetime
    updated: datetime | None
    healthy: bool
    eligible: bool = True
    mode: str = "iptables"
    syncs: int = 0
    sync_seconds: float = 0.0
    rules: Callable[[], Mapping[str, int]] | None = None  # gives how many there are, by table


def health_checks(rows: Iterable[Proxied], *, node: str) -> tuple[HealthCheck, ...]:
    """One for each Service with a healthCheckNodePort, with its ready endpoints on the node, by port.

    The rows may be of both families: a pod counts once that has endpoints of either one, at any number of ports. Where
    endpoints do not name their pods, those of the family count that has more of them. Endpoints that are being deleted
    do not count, although they may still get traffic: that is how a load balancer learns to go elsewhere (KEP-1669).
    """
    found: dict[tuple[int, str, str], dict[str, set[str]]] = {}
    for row in rows:
        portal = row.portal
        if portal.health_check_node_port:
            key = portal.health_check_node_port, portal.namespace, portal.service
            groups = found.setdefault(key, {"pods": set(), IPV4: set(), IPV6: set()})
            for one in row.backends:
                if one.ready and one.node == node:
                    groups["pods" if one.target else family_of(one.address)].add(one.target or one.address)
    return tuple(HealthCheck(*key, len(groups["pods"]) + max(len(groups[IPV4]), len(groups[IPV6])))
                 for key, groups in sorted(found.items()))


def service_page(check: HealthCheck, *, healthy: bool) -> Page:
    """The answer of a healthCheckNodePort, whatever path was asked for."""
    body = ('{\n\t"service": {\n'
            f'\t\t"namespace": {dumps(check.namespace)},\n\t\t"name": {dumps(check.service)}\n\t}},\n'
            f'\t"localEndpoints": {check.endpoints},\n\t"serviceProxyHealthy": {_flag(healthy)}\n}}')
    weight = ("X-Load-Balancing-Endpoint-Weight", str(check.endpoints))
    return Page(200 if check.endpoints and healthy else 503, body, (*_JSON, weight))


def proxy_page(path: str, state: ProxyState) -> Page:
    """The answer on port 10256. A healthy proxy's last update is now, also when nothing had changed for long."""
    now = _go_time(state.now)
    times = f'{{"lastUpdated": "{_go_time(state.updated or state.now) if not state.healthy else now}",' \
            f'"currentTime": "{now}"'
    if path == "/healthz":
        good = state.healthy and state.eligible
        return Page(200 if good else 503, f'{times}, "nodeEligible": {_flag(state.eligible)}}}', _JSON)
    if path == "/livez":
        return Page(200 if state.healthy else 503, times + "}", _JSON)
    return Page(404, "404 page not found\n", _TEXT)


def metrics_page(path: str, state: ProxyState, checks: Iterable[HealthCheck] = ()) -> Page:
    """The answer on 127.0.0.1:10249: /proxyMode, /healthz and /metrics."""
    if path == "/proxyMode":
        return Page(200, state.mode, _TEXT)
    if path == "/healthz":
        return Page(200, "ok", _TEXT)
    if path == "/metrics":
        return Page(200, "".join(f"{line}\n" for line in _metrics(state, tuple(checks))), _METRICS)
    return Page(404, "404 page not found\n", _TEXT)


def _metrics(state: ProxyState, checks: tuple[HealthCheck, ...]) -> list[str]:
    stem = "kubeproxy_sync_proxy_rules"
    lines = [f"# HELP {stem}_duration_seconds [ALPHA] SyncProxyRules latency in seconds",
             f"# TYPE {stem}_duration_seconds histogram",
             f'{stem}_duration_seconds_bucket{{le="+Inf"}} {state.syncs}',
             f"{stem}_duration_seconds_sum {state.sync_seconds:.9g}",
             f"{stem}_duration_seconds_count {state.syncs}",
             f"# HELP {stem}_last_timestamp_seconds [ALPHA] The last time proxy rules were successfully synced",
             f"# TYPE {stem}_last_timestamp_seconds gauge",
             f"{stem}_last_timestamp_seconds {state.updated.timestamp() if state.updated else 0:.9f}"]
    if state.rules is not None:
        rules = state.rules()
        lines += [f"# HELP {stem}_iptables_total [ALPHA] Total number of iptables rules owned by kube-proxy",
                  f"# TYPE {stem}_iptables_total gauge",
                  *(f'{stem}_iptables_total{{table="{table}"}} {rules[table]}' for table in sorted(rules))]
    lines += [f"# HELP {stem}_no_local_endpoints_total [ALPHA] Number of services with a Local traffic policy and no "
              "endpoints", f"# TYPE {stem}_no_local_endpoints_total gauge",
              f'{stem}_no_local_endpoints_total{{traffic_policy="external"}} '
              f"{sum(not check.endpoints for check in checks)}"]
    return lines


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _go_time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond:06}000 +0000 UTC"
