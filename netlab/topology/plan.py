"""From a lab's settings to the wiring of its fabric, nodes, client and pods."""

from __future__ import annotations

from ipaddress import IPv4Address

from netlab.model.lab_spec import LabSpec
from netlab.topology.wiring import Wiring


def plan_lab(spec: LabSpec) -> tuple[Wiring, ...]:
    """The fabric, the nodes and the client, in the order in which they can be built."""
    raise NotImplementedError


def plan_pod(spec: LabSpec, *, node: str, netns: str, address: IPv4Address) -> tuple[Wiring, Wiring]:
    """(what the pod's netns gets, what is added to its node's netns) for a pod with that address."""
    raise NotImplementedError
