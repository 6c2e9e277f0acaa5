"""DaemonSets: a pod on every node that the template fits, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from netlab.api.registry import Registry
from netlab.api.resources.daemonsets import GENERATION
from netlab.controllers import daemon_nodes
from netlab.controllers.daemon_nodes import DaemonPod, Plan
from netlab.controllers.per_object import Name
from netlab.controllers.pod_owner import PodOwner
from netlab.controllers.pod_template import pod_from_template
from netlab.controllers.revisions import REVISION_LABEL, Revisions
from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

Nodes = Mapping[str, tuple[bool, bool]]
Pods = Mapping[str, Sequence[tuple[DaemonPod, Manifest]]]


class DaemonSets(PodOwner):
    """Makes one pod per node; a pod is replaced when the one before it is gone."""

    name = "daemonsets"
    component = "daemonset-controller"
    also = ("nodes", "controllerrevisions")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._revisions = Revisions(registry, hash_label=REVISION_LABEL)
        self._nodes_revision = -1

    def changed(self) -> set[Name]:
        """Sets that were written, or one of their pods or revisions was; all when a node was."""
        names = self.touched(self.pods, self._revisions.owned)
        revision = self.store.revision_of("nodes")
        if revision != self._nodes_revision:
            self._nodes_revision = revision
            names.update((meta.namespace(item), meta.name(item)) for item in self.registry.list("daemonsets"))
        return names

    def sync(self, namespace: str, name: str) -> float | None:
        """Makes one DaemonSet's pods right, then goes one step on with its update."""
        owner = self.registry.find("daemonsets", name, namespace)
        if owner is None or meta.is_deleting(owner):
            return None
        self.pods.claim(owner)
        history = self._revisions.follow(owner)
        if history.present is None:
            self.write_status(owner, meta.status(owner) | {"collisionCount": history.collisions})
            return 0.0
        value = meta.labels(history.present).get(REVISION_LABEL, "")
        template = meta.spec(owner)["template"]
        nodes = {meta.name(node): daemon_nodes.fits(template, node) for node in self.registry.list("nodes")
                 if not meta.is_deleting(node)}
        unavailable, surge, rolling = _limits(owner, sum(wanted for wanted, _ in nodes.values()))
        pods, _ = self._pods_by_node(owner, value)
        failure = self._carry_out(owner, value, daemon_nodes.manage(nodes, _views(pods), surge=surge > 0), pods)
        if rolling:
            pods, _ = self._pods_by_node(owner, value)
            failure = self._carry_out(owner, value, daemon_nodes.update(
                nodes, _views(pods), unavailable=unavailable, surge=surge), pods) or failure
        pods, wait = self._pods_by_node(owner, value)
        self._write(owner, nodes, pods)
        live = {f"{name}-{meta.labels(pod).get(REVISION_LABEL, '')}" for here in pods.values() for _, pod in here}
        self._revisions.clean_up(owner, history, live)
        return self.RETRY if failure else wait

    def _pods_by_node(self, owner: Manifest, value: str) -> tuple[Pods, float | None]:
        """The set's pods by node, and the seconds until one of them counts as available."""
        least, now = int(meta.spec(owner).get("minReadySeconds") or 0), self.registry.clock()
        found: dict[str, list[tuple[DaemonPod, Manifest]]] = {}
        waits = []
        for pod in self.pods.of(owner):
            left = pod_status.available_in(pod, least, now)
            waits += [left] if left else []
            found.setdefault(daemon_nodes.node_of(pod), []).append((DaemonPod(
                meta.name(pod), meta.metadata(pod).get("creationTimestamp", ""),
                old=meta.labels(pod).get(REVISION_LABEL) != value, available=left == 0.0,
                deleting=meta.is_deleting(pod), failed=pod_status.is_finished(pod)), pod))
        return found, min(waits, default=None)

    def _carry_out(self, owner: Manifest, value: str, plan: Plan, pods: Pods) -> str:
        known = {view.name: pod for here in pods.values() for view, pod in here}
        for name in plan.failed:
            node = daemon_nodes.node_of(known[name])
            word, reason = ("failed", "FailedDaemonPod") if pod_status.phase(known[name]) == "Failed" else \
                ("succeeded", "SucceededDaemonPod")
            self.recorder.event(owner, "Warning" if word == "failed" else "Normal", reason,
                                f"Found {word} daemon pod {meta.namespace(owner)}/{name} on node {node}, will try to "
                                f"{'kill' if word == 'failed' else 'delete'} it")
        self.delete_pods(owner, [known[name] for name in (*plan.failed, *plan.delete)])
        return self.create_pods(owner, [pod_for(owner, node, value) for node in plan.create])

    def _write(self, owner: Manifest, nodes: Nodes, pods: Pods) -> None:
        old = meta.status(owner)
        wanted = [node for node, (here, _) in nodes.items() if here]
        first = {node: sorted(pods[node], key=lambda pair: (pair[0].deleting, pair[0].old, not pair[0].available,
                                                            pair[0].created))[0] for node in wanted if pods.get(node)}
        available = sum(view.available for view, _ in first.values())
        status: dict[str, Any] = {
            "currentNumberScheduled": len(first),
            "numberMisscheduled": sum(1 for node, here in pods.items() if here and not nodes.get(node, (False,))[0]),
            "desiredNumberScheduled": len(wanted),
            "numberReady": sum(pod_status.is_ready(pod) for _, pod in first.values()),
            "observedGeneration": meta.metadata(owner).get("generation", 1),
            "updatedNumberScheduled": sum(not view.old for view, _ in first.values()),
            "numberAvailable": available, "numberUnavailable": len(wanted) - available,
            "collisionCount": int(old.get("collisionCount") or 0)}
        status = {key: value for key, value in status.items() if value or key in (
            "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")}
        self.write_status(owner, status | ({"conditions": old["conditions"]} if old.get("conditions") else {}))


def _views(pods: Pods) -> dict[str, list[DaemonPod]]:
    return {node: [view for view, _ in here] for node, here in pods.items()}


def _limits(owner: Manifest, nodes: int) -> tuple[int, int, bool]:
    """maxUnavailable and maxSurge as numbers of nodes, rounded up, and whether there is a rolling update at all."""
    strategy = meta.spec(owner).get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate") or {}

    def number(value: Any) -> int:
        return math.ceil(int(value[:-1]) * nodes / 100) if isinstance(value, str) else int(value)

    surge, unavailable = number(rolling.get("maxSurge", 0)), number(rolling.get("maxUnavailable", 1))
    return unavailable if unavailable or surge else 1, surge, strategy.get("type", "RollingUpdate") == "RollingUpdate"


def pod_for(owner: Manifest, node: str, value: str) -> Manifest:
    """The pod for a node: the scheduler puts it there since its node affinity names that node only."""
    template = meta.spec(owner)["template"]
    pod = pod_from_template(owner)
    spec, data = pod["spec"], pod["metadata"]
    affinity = dict(spec.get("affinity") or {})
    only = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}
    affinity["nodeAffinity"] = {**(affinity.get("nodeAffinity") or {}),
                                "requiredDuringSchedulingIgnoredDuringExecution": only}
    spec |= {"affinity": affinity, "tolerations": daemon_nodes.tolerating(template)}
    data["labels"] = {**(data.get("labels") or {}), REVISION_LABEL: value,
                      "pod-template-generation": meta.annotations(owner).get(GENERATION, "1")}
    return pod
