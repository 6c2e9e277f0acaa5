"""Whether a pod may run on a node, and how well it fits, as the default scheduler judges it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netlab.model import meta
from netlab.model.meta import Manifest

NO_AFFINITY = "node(s) didn't match Pod's node affinity/selector"
NO_PORTS = "node(s) didn't have free ports for the requested pod ports"
TOO_MANY = "Too many pods"
UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@dataclass(frozen=True)
class HostPort:
    """A port of the node that a pod takes."""

    ip: str
    protocol: str
    port: int

    def clashes(self, other: HostPort) -> bool:
        """Whether both cannot be taken on one node."""
        same = (self.protocol, self.port) == (other.protocol, other.port)
        return same and ("0.0.0.0" in (self.ip, other.ip) or self.ip == other.ip)


def host_ports(pod: Manifest) -> tuple[HostPort, ...]:
    """The node's ports that the pod asks for; all of its ports when it is on the host network."""
    spec = meta.spec(pod)
    ports = [port for container in spec.get("containers") or () for port in container.get("ports") or ()]
    return tuple(HostPort(port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", number)
                 for port in ports
                 if (number := port.get("hostPort") or (port.get("containerPort") if spec.get("hostNetwork") else 0)))


def tolerates(pod: Manifest, taint: Mapping[str, Any]) -> bool:
    """Whether one of the pod's tolerations covers the taint."""
    for toleration in meta.spec(pod).get("tolerations") or ():
        if toleration.get("effect") not in (None, "", taint.get("effect")):
            continue
        key, exists = toleration.get("key") or "", toleration.get("operator") == "Exists"
        if key not in ("", taint["key"]) or (not key and not exists):
            continue
        if exists or (toleration.get("value") or "") == (taint.get("value") or ""):
            return True
    return False


def untolerated(pod: Manifest, node: Manifest, *effects: str) -> Iterator[Mapping[str, Any]]:
    """The node's taints of these effects that the pod does not tolerate."""
    for taint in meta.spec(node).get("taints") or ():
        if taint.get("effect") in effects and not tolerates(pod, taint):
            yield taint


def obstacle(pod: Manifest, node: Manifest, taken: Iterable[HostPort], pods: int) -> str:
    """Why the pod may not run on the node, in the scheduler's words; "" when it may.

    `taken` are the host ports of the node's `pods` pods.
    """
    if meta.spec(node).get("unschedulable") and not tolerates(pod, UNSCHEDULABLE):
        return "node(s) were unschedulable"
    for taint in untolerated(pod, node, "NoSchedule", "NoExecute"):
        return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}"
    if not selects(pod, node):
        return NO_AFFINITY
    wanted = host_ports(pod)
    if wanted and any(port.clashes(other) for other in taken for port in wanted):
        return NO_PORTS
    capacity = (meta.status(node).get("allocatable") or {}).get("pods")
    if capacity is not None and pods >= int(capacity):
        return TOO_MANY
    return ""


def selects(pod: Manifest, node: Manifest) -> bool:
    """Whether the pod's nodeSelector and its required node affinity choose the node."""
    labels = meta.labels(node)
    if any(labels.get(key) != value for key, value in (meta.spec(pod).get("nodeSelector") or {}).items()):
        return False
    required = _node_affinity(pod).get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term_holds(term, node) for term in required.get("nodeSelectorTerms") or ())


def preference(pod: Manifest, node: Manifest) -> int:
    """How much the pod's preferred node affinity and soft taints speak for the node; more is better."""
    preferred = _node_affinity(pod).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    weight = sum(int(term["weight"]) for term in preferred if _term_holds(term["preference"], node))
    return weight - 100 * sum(1 for _ in untolerated(pod, node, "PreferNoSchedule"))


def _node_affinity(pod: Manifest) -> Mapping[str, Any]:
    return (meta.spec(pod).get("affinity") or {}).get("nodeAffinity") or {}


def _term_holds(term: Mapping[str, Any], node: Manifest) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False  # an empty term selects nothing
    return all(_holds(e, meta.labels(node)) for e in expressions) \
        and all(_holds(e, {"metadata.name": meta.name(node)}) for e in fields)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), list(expression.get("values") or [])
    operator = expression["operator"]
    if operator in ("Gt", "Lt"):
        if value is None or not value.lstrip("-").isdigit():
            return False
        return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
    return {"In": value in values, "NotIn": value not in values,
            "Exists": value is not None, "DoesNotExist": value is None}[operator]


def no_fit(obstacles: Mapping[str, int], nodes: int) -> str:
    """The message of a FailedScheduling event: how many nodes had which obstacle."""
    if not nodes:
        return "no nodes available to schedule pods"
    victims = sum(count for reason, count in obstacles.items() if reason in (NO_PORTS, TOO_MANY))
    # These two would be gone with other pods, but there are none of a lower priority.
    helped = {"No preemption victims found for incoming pod": victims,
              "Preemption is not helpful for scheduling": nodes - victims}
    return f"0/{nodes} nodes are available: {_counts(obstacles)}. " \
        f"preemption: 0/{nodes} nodes are available: {_counts(helped)}."


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items() if count))
