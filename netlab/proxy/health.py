"""What kube-proxy answers about itself and about a node's endpoints (upstream: pkg/proxy/healthcheck)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from json import dumps
from operator import attrgetter
from typing import NamedTuple

from netlab.model.family import IPV4, IPV6, family_of
from netlab.proxy.metrics import metrics_text
from netlab.proxy.snapshot import Proxied
from netlab.proxy.state import ProxyState

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


NOT_FOUND = Page(404, "404 page not found\n", _TEXT)


class HealthCheck(NamedTuple):
    """What a node tells load balancers about a Service whose clients' addresses are kept."""

    port: int
    namespace: str
    service: str
    endpoints: int


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
    if path not in ("/healthz", "/livez"):
        return NOT_FOUND
    good = state.healthy and (state.eligible or path == "/livez")
    last = max([one.updated for one in state.families if one.updated], default=None)
    health: dict[str, object] = {"lastUpdated": _time(state.now if good else last), "currentTime": _time(state.now)}
    if path == "/healthz":
        health["nodeEligible"] = state.eligible
    health["healthy"] = state.healthy
    health["status"] = {one.family: {"lastUpdated": _time(one.updated), "healthy": one.healthy}
                        for one in sorted(state.families, key=attrgetter("family"))}
    return Page(200 if good else 503, dumps(health, separators=(",", ":")), _JSON)


def metrics_page(path: str, state: ProxyState) -> Page:
    """The answer on 127.0.0.1:10249: /proxyMode, /healthz and /metrics."""
    if path == "/proxyMode":
        return Page(200, state.mode, _TEXT)
    if path == "/healthz":
        return Page(200, "ok", _TEXT)
    if path == "/metrics":
        return Page(200, metrics_text(state), _METRICS)
    return NOT_FOUND


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _time(when: datetime | None) -> str:
    """RFC 3339 with as many digits behind the point as there are; the year 1 is Go's time that is not set."""
    if when is None:
        return "0001-01-01T00:00:00Z"
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z"
