"""Which nodes a DaemonSet's pods belong on, and what has to go and to come there (upstream: pkg/controller/daemon)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netlab.controllers import fit
from netlab.model import meta
from netlab.model.meta import Manifest

_NODE = "node.kubernetes.io/"
TOLERATIONS = tuple(
    {"key": _NODE + key, "operator": "Exists", "effect": effect} for key, effect in (
        ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule")))
HOST_NETWORK = {"key": _NODE + "network-unavailable", "operator": "Exists", "effect": "NoSchedule"}


@dataclass(frozen=True)
class DaemonPod:
    """One pod of a set: what the arithmetic of updates needs of it. `old`: of a former template."""

    name: str
    created: str = ""
    old: bool = False
    available: bool = True
    deleting: bool = False
    failed: bool = False


@dataclass
class Plan:
    """Nodes that get a pod, and names of pods that go; `failed` are those that go since they have ended."""

    create: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def tolerating(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tolerations of a DaemonSet's pod: its own, and those that every one has."""
    spec = template.get("spec") or {}
    found = list(spec.get("tolerations") or ())
    added = [*TOLERATIONS, *([HOST_NETWORK] if spec.get("hostNetwork") else [])]
    return found + [dict(each) for each in added if each not in found]


def fits(template: Mapping[str, Any], node: Manifest) -> tuple[bool, bool]:
    """(whether a pod of the template shall be made on the node, whether one that is there may stay)."""
    pod = {**template, "spec": {**(template.get("spec") or {}), "tolerations": tolerating(template)}}
    named = pod["spec"].get("nodeName")
    if (named and named != meta.name(node)) or not fit.selects(pod, node):
        return False, False
    stays = not any(fit.untolerated(pod, node, "NoExecute"))
    return stays and not any(fit.untolerated(pod, node, "NoSchedule")), stays


def node_of(pod: Manifest) -> str:
    """The node that a DaemonSet's pod is on, or is made for; "" when it is neither."""
    spec = meta.spec(pod)
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for expression in term.get("matchFields") or ():
            if expression.get("key") == "metadata.name" and len(expression.get("values") or ()) == 1:
                return str(expression["values"][0])
    return ""


def manage(nodes: Mapping[str, tuple[bool, bool]], pods: Mapping[str, Sequence[DaemonPod]], *, surge: bool) -> Plan:
    """One pod per node that shall have one; none on the others. With `surge` a new one may stand beside an old one."""
    plan = Plan()
    for node, (wanted, stays) in sorted(nodes.items()):
        here = pods.get(node, ())
        if wanted and not here:
            plan.create.append(node)
        elif not stays:
            plan.delete += [pod.name for pod in here if not pod.deleting]
        else:
            plan.failed += [pod.name for pod in here if pod.failed and not pod.deleting]
            running = sorted((pod for pod in here if not pod.failed and not pod.deleting), key=lambda pod: pod.created)
            plan.delete += _surplus(running, surge=surge)
    for node, here in pods.items():
        if node and node not in nodes:
            plan.delete += [pod.name for pod in here if not pod.deleting]
    return plan


def _surplus(running: Sequence[DaemonPod], *, surge: bool) -> list[str]:
    if not surge:
        return [pod.name for pod in running[1:]]
    old, new = [pod for pod in running if pod.old], [pod for pod in running if not pod.old]
    ready = bool(new) and new[0].available
    return [pod.name for pod in (*(old if ready else old[1:]), *new[1:])]


def update(nodes: Mapping[str, tuple[bool, bool]], pods: Mapping[str, Sequence[DaemonPod]], *, unavailable: int,
           surge: int) -> Plan:
    """The next step of a rolling update: old pods go as far as `unavailable` allows, or new ones come beside them."""
    if surge:
        return _surge(nodes, pods, surge)
    plan, down, candidates = Plan(), 0, []
    for node, (wanted, _) in sorted(nodes.items()):
        if not wanted:
            continue
        new, old, clear = _pair(pods.get(node, ()))
        if not clear or (new is None) == (old is None):
            down += 1  # the other part sees to this node
        elif new is not None:
            down += not new.available
        elif old is not None and not old.available:
            plan.delete.append(old.name)
            down += 1
        elif old is not None:
            candidates.append(old.name)
    plan.delete += candidates[:max(0, unavailable - down)]
    return plan


def _surge(nodes: Mapping[str, tuple[bool, bool]], pods: Mapping[str, Sequence[DaemonPod]], surge: int) -> Plan:
    plan, under_way, candidates = Plan(), 0, []
    for node, (wanted, _) in sorted(nodes.items()):
        if not wanted:
            continue
        new, old, clear = _pair(pods.get(node, ()))
        if not clear or old is None:
            continue
        if new is None and not old.available:
            plan.create.append(node)
        elif new is None:
            candidates.append(node)
        elif new.available:
            plan.delete.append(old.name)
        else:
            under_way += 1
    plan.create += candidates[:max(0, surge - under_way)]
    return plan


def _pair(here: Sequence[DaemonPod]) -> tuple[DaemonPod | None, DaemonPod | None, bool]:
    """The new and the old pod of a node, and whether there is at most one of each."""
    alive = [pod for pod in here if not pod.deleting]
    new, old = [pod for pod in alive if not pod.old], [pod for pod in alive if pod.old]
    return (new[0] if new else None), (old[0] if old else None), len(new) < 2 and len(old) < 2
