"""What a pod asks for: the requests and limits of its containers, summed as the scheduler sums them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netlab.model.quantity import Amounts, most, parse_all, plus

Container = Mapping[str, Any]


def containers(spec: Mapping[str, Any]) -> Iterator[Container]:
    """Every container that the pod starts with."""
    for field in ("containers", "initContainers"):
        yield from spec.get(field) or ()


def amounts(container: Container, field: str) -> Amounts:
    """The `requests` or `limits` of a container."""
    return parse_all((container.get("resources") or {}).get(field))


def total(spec: Mapping[str, Any], field: str) -> Amounts:
    """The pod's `requests` or `limits`: what its containers need together, or its largest init container alone.

    Init containers that go on running (restartPolicy Always) are counted with the containers.
    """
    together: Amounts = {}
    for container in spec.get("containers") or ():
        together = plus(together, amounts(container, field))
    beside: Amounts = {}
    alone: Amounts = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            beside = plus(beside, amounts(container, field))
            alone = most(alone, beside)
        else:
            alone = most(alone, plus(beside, amounts(container, field)))
    found = most(plus(together, beside), alone)
    return plus(found, parse_all(spec.get("overhead"))) if found and spec.get("overhead") else found
