"""Probes as values: what they ask, and how results add up (pkg/kubelet/prober)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

KINDS = ("startup", "liveness", "readiness")


@dataclass(frozen=True)
class Probe:
    """One probe of a container. Times in seconds; `target` is what the manifest says below `handler`."""

    kind: str
    handler: str
    target: Mapping[str, Any] = field(hash=False)
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    grace: int | None = None  # terminationGracePeriodSeconds of the probe


@dataclass(frozen=True)
class Verdict:
    """What the results so far amount to: None before the first threshold is met. `streak` equal results in a row."""

    healthy: bool | None = None
    last: bool | None = None
    streak: int = 0

    def after(self, success: bool, probe: Probe) -> Verdict:
        """The verdict with one more result."""
        streak = self.streak + 1 if self.last == success else 1
        needed = probe.success_threshold if success else probe.failure_threshold
        return replace(self, last=success, streak=streak, healthy=success if streak >= needed else self.healthy)


def probes_of(container: Mapping[str, Any]) -> dict[str, Probe]:
    """The container's probes by kind."""
    found = {kind: _parse(kind, container[f"{kind}Probe"]) for kind in KINDS if container.get(f"{kind}Probe")}
    return {kind: probe for kind, probe in found.items() if probe is not None}


def _parse(kind: str, item: Mapping[str, Any]) -> Probe | None:
    handler = next((name for name in ("exec", "httpGet", "tcpSocket", "grpc") if name in item), None)
    if handler is None:
        return None
    return Probe(kind, handler, item[handler], float(item.get("initialDelaySeconds") or 0),
                 float(item.get("periodSeconds") or 10), float(item.get("timeoutSeconds") or 1),
                 int(item.get("successThreshold") or 1), int(item.get("failureThreshold") or 3),
                 item.get("terminationGracePeriodSeconds"))


def port_number(port: Any, ports: Iterable[Mapping[str, Any]]) -> int:
    """A probe's port: a number, or the name of a container port. ValueError when there is none of that name."""
    if isinstance(port, int) or str(port).isdigit():
        number = int(port)
    else:
        number = next((int(p["containerPort"]) for p in ports or () if p.get("name") == port), 0)
        if not number:
            raise ValueError(f'couldn\'t find port: "{port}"')
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {number}")
    return number


def url(target: Mapping[str, Any], *, address: str, port: int) -> str:
    """The URL of an httpGet handler."""
    host = target.get("host") or address
    path = target.get("path") or "/"
    shown = f"[{host}]" if ":" in host else host
    return f"{(target.get('scheme') or 'HTTP').lower()}://{shown}:{port}{path if path.startswith('/') else '/' + path}"
