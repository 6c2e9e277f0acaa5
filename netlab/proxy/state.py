"""How a node's kube-proxy does: what its pages and counters tell."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

BUCKETS = tuple(0.001 * 2 ** number for number in range(15))  # seconds, as upstream's histograms have them


class Durations:
    """How long writes took, in seconds, counted by buckets; the last one is for all that took longer."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds


class Changes(NamedTuple):
    """How many changes of a kind of object were taken, and how many wait for it."""

    total: int = 0
    pending: int = 0


@dataclass(frozen=True)
class FamilyState:
    """How the proxy of one family does. Times are in UTC, None before the first one.

    `updated` is when rules were written last, `queued` when there was a reason to. `rules` gives how many rules it has
    by table; `no_local`, how many ports of Services with a policy Local have endpoints on other nodes only, by policy.
    """

    family: str
    updated: datetime | None = None
    queued: datetime | None = None
    healthy: bool = True
    failures: int = 0
    durations: Durations = field(default_factory=Durations)
    rules: Callable[[], Mapping[str, int]] = dict
    no_local: Callable[[], Mapping[str, int]] = dict


@dataclass(frozen=True)
class ProxyState:
    """How a node's kube-proxy does. `eligible` is whether load balancers may use the node; `answers`, what /healthz and
    /livez said so far, by path and status code."""

    now: datetime
    families: tuple[FamilyState, ...]
    eligible: bool = True
    mode: str = "iptables"
    services: Changes = Changes()
    slices: Changes = Changes()
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def healthy(self) -> bool:
        """Whether no family is late with its rules."""
        return all(one.healthy for one in self.families)
