"""Which pods go first when there are too many (upstream: pkg/controller/controller_utils.go, KEP-2185, KEP-2255)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def victims(pods: Iterable[Manifest], count: int, now: datetime, *,
            related: Iterable[Manifest] = ()) -> list[Manifest]:
    """The `count` pods to delete, first one first.

    First come those without a node, pending, not ready; then those with the lower deletion cost, on the node with
    more `related` pods (all of the same Deployment), ready for shorter, restarted more often, newer. Ages are
    compared by their order of magnitude, so that pods of about one age are chosen at random: by uid.
    """
    crowd = Counter(meta.spec(pod).get("nodeName") for pod in related)
    return sorted(pods, key=lambda pod: _order(pod, crowd, now))[:max(0, count)]


def _order(pod: Manifest, crowd: Counter[Any], now: datetime) -> tuple[Any, ...]:
    node = meta.spec(pod).get("nodeName")
    ready = pod_status.is_ready(pod)
    created = meta.metadata(pod).get("creationTimestamp")
    return (
        1 if node else 0,
        _PHASES.get(pod_status.phase(pod), 1),
        1 if ready else 0,
        deletion_cost(pod),
        -crowd[node],
        _magnitude(pod_status.ready_since(pod), now) if ready else 0,
        -_restarts(pod),
        _magnitude(meta.parse_time(created) if created else None, now),
        meta.uid(pod),
    )


def deletion_cost(pod: Manifest) -> int:
    """The pod's deletion cost; 0 when absent or not a 32-bit number."""
    text = meta.annotations(pod).get(DELETION_COST, "0")
    digits = text.removeprefix("-")
    valid = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0") and text != "-0"
    return int(text) if valid and -2**31 <= int(text) < 2**31 else 0


def _magnitude(moment: datetime | None, now: datetime) -> int:
    """The power of two of the age in nanoseconds; less is younger, -1 the future or unknown."""
    if moment is None:
        return -1
    age = int((now - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds() * 1e9)
    return int(math.log2(age)) if age > 0 else -1


def _restarts(pod: Manifest) -> int:
    statuses = meta.status(pod).get("containerStatuses") or ()
    return max((int(status.get("restartCount") or 0) for status in statuses), default=0)
