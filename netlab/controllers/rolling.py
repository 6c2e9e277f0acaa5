"""The arithmetic of rollouts: how many pods each ReplicaSet of a Deployment may have next.

Upstream: pkg/controller/deployment/rolling.go, sync.go, util/deployment_util.go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """What a Deployment allows during a rollout, in pods."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        """So many pods may there be."""
        return self.replicas + self.surge

    @property
    def fewest(self) -> int:
        """So many pods must be available."""
        return self.replicas - self.unavailable


@dataclass(frozen=True)
class Size:
    """A ReplicaSet's pods: asked for, and available. `most_before` is its max-replicas annotation, 0 when absent."""

    name: str
    replicas: int
    available: int = 0
    most_before: int = 0


def limits(replicas: int, surge: int | str, unavailable: int | str) -> Limits:
    """Percentages resolved: surge is rounded up, unavailable down; if both are 0, one may be unavailable."""
    more = _resolve(surge, replicas, up=True)
    fewer = _resolve(unavailable, replicas, up=False)
    if more == 0 and fewer == 0:
        fewer = 1
    return Limits(replicas, more, min(fewer, replicas))


def _resolve(value: int | str, total: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    scaled = int(value.rstrip("%")) * total
    return -(-scaled // 100) if up else scaled // 100


def grow_new(allowed: Limits, new: int, total: int) -> int:
    """The new ReplicaSet's next size, when it has `new` of the `total` pods asked for."""
    if new >= allowed.replicas:
        return allowed.replicas
    return new + max(0, min(allowed.most - total, allowed.replicas - new))


def shrink_old(allowed: Limits, new: Size | None, old: Sequence[Size]) -> dict[str, int]:
    """The next sizes of the old ReplicaSets (oldest first) that shrink: pods that are not available first."""
    total = sum(size.replicas for size in old) + (new.replicas if new else 0)
    unavailable_new = new.replicas - new.available if new else 0
    budget = total - allowed.fewest - unavailable_new
    if budget <= 0:
        return {}
    sizes = list(old)
    cleaned = 0
    for index, size in enumerate(sizes):
        surplus = min(budget - cleaned, size.replicas - size.available)
        if surplus > 0:
            sizes[index] = replace(size, replicas=size.replicas - surplus)
            cleaned += surplus
    spare = sum(size.available for size in old) + (new.available if new else 0) - allowed.fewest
    for index, size in enumerate(sizes):
        fewer = min(spare, size.replicas)
        if fewer > 0:
            sizes[index] = replace(size, replicas=size.replicas - fewer)
            spare -= fewer
    return {size.name: size.replicas for size, before in zip(sizes, old, strict=True) if size != before}


def scale_in_proportion(allowed: Limits, sets: Sequence[Size], status_replicas: int) -> dict[str, int]:
    """The next sizes when a Deployment is scaled in the middle of a rollout: each keeps its share.

    `sets` are those with pods, newest first.
    """
    to_add = (allowed.most if allowed.replicas else 0) - sum(size.replicas for size in sets)
    of_equals = sets if to_add >= 0 else sets[::-1]  # the newest grows most, the oldest shrinks most
    order = sorted(of_equals, key=lambda size: -size.replicas)
    added, result = 0, {}
    for size in order:
        share = _share(allowed, size, status_replicas, to_add, added) if to_add else 0
        added += share
        result[size.name] = size.replicas + share
    if order and to_add:
        first = order[0].name
        result[first] = max(0, result[first] + to_add - added)
    return result


def _share(allowed: Limits, size: Size, status_replicas: int, to_add: int, added: int) -> int:
    if not size.replicas or to_add == added:
        return 0
    if not allowed.replicas:
        fraction = -size.replicas
    else:
        before = size.most_before or status_replicas or 1
        fraction = math.floor(size.replicas * allowed.most / before + 0.5) - size.replicas
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)
