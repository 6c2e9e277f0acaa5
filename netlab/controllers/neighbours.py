"""Where a pod may run in view of the other pods: topology spread constraints, pod affinity and anti-affinity.

API documentation: PodSpec.topologySpreadConstraints, Affinity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from netlab.controllers import fit
from netlab.model import meta, selectors
from netlab.model.meta import Manifest

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
SPREAD = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{SPREAD} (missing required label)"
AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
OTHERS_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

Term = Mapping[str, Any]


def has_anti_affinity(pod: Manifest) -> bool:
    """Whether the pod keeps others away."""
    return bool(_terms(pod, "podAntiAffinity"))


class Neighbours:
    """The other pods as one pod that is to be placed sees them.

    `placed` gives a namespace's pods that have a node, `repelling` are those of them, anywhere, with anti-affinity.
    """

    def __init__(self, pod: Manifest, nodes: Sequence[Manifest], placed: Callable[[str], Iterable[Manifest]],
                 repelling: Iterable[Manifest]) -> None:
        self._pod = pod
        self._nodes = {meta.name(node): meta.labels(node) for node in nodes}
        self._placed = placed
        self._spread = [(constraint, self._domains(constraint, nodes))
                        for constraint in meta.spec(pod).get("topologySpreadConstraints") or ()]
        self._near = [(term, self._count(term)) for term in _terms(pod, "podAffinity")]
        self._far = [(term, self._count(term)) for term in _terms(pod, "podAntiAffinity")]
        self._soft = [(sign * int(wish["weight"]), wish["podAffinityTerm"], self._count(wish["podAffinityTerm"]))
                      for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1))
                      for wish in _affinity(pod, kind).get(PREFERRED) or ()]
        self._closed = {(term["topologyKey"], self._labels_of(other).get(term["topologyKey"]))
                        for other in repelling for term in _terms(other, "podAntiAffinity")
                        if _matches(term, pod, meta.namespace(other))}

    def obstacle(self, node: Manifest) -> str:
        """Why the pod may not run on the node, in the scheduler's words; "" when it may."""
        labels = meta.labels(node)
        for constraint, counts in self._spread:
            if constraint.get("whenUnsatisfiable", "DoNotSchedule") != "DoNotSchedule":
                continue
            domain = labels.get(constraint["topologyKey"])
            if domain is None:
                return NO_LABEL
            itself = selectors.from_manifest(constraint.get("labelSelector")).matches(meta.labels(self._pod))
            fewest = min(counts.values(), default=0)
            if len(counts) < int(constraint.get("minDomains") or 1):
                fewest = 0
            if counts.get(domain, 0) + itself - fewest > int(constraint["maxSkew"]):
                return SPREAD
        if any(not self._is_near(term, counts, labels) for term, counts in self._near):
            return AFFINITY
        if any(counts[labels.get(term["topologyKey"])] for term, counts in self._far
               if term["topologyKey"] in labels):
            return ANTI_AFFINITY
        if any(value is not None and labels.get(key) == value for key, value in self._closed):
            return OTHERS_ANTI_AFFINITY
        return ""

    def preference(self, node: Manifest) -> int:
        """How much the soft rules speak for the node; more is better."""
        labels = meta.labels(node)
        wishes = sum(weight * counts[labels.get(term["topologyKey"])] for weight, term, counts in self._soft)
        crowd = sum(counts.get(labels.get(constraint["topologyKey"]), 0) for constraint, counts in self._spread
                    if constraint.get("whenUnsatisfiable") == "ScheduleAnyway")
        return wishes - crowd

    def _is_near(self, term: Term, counts: Counter[str | None], labels: Mapping[str, str]) -> bool:
        domain = labels.get(term["topologyKey"])
        if domain is None:
            return False
        # The first of a group whose pods want to be together may go anywhere.
        first = not counts.total() and _matches(term, self._pod, meta.namespace(self._pod))
        return bool(counts[domain]) or first

    def _count(self, term: Term) -> Counter[str | None]:
        """How many pods of the term there are in each domain."""
        own = meta.namespace(self._pod)
        return Counter(domain for namespace in term.get("namespaces") or (own,) for other in self._placed(namespace)
                       if _matches(term, other, own)
                       and (domain := self._labels_of(other).get(term["topologyKey"])) is not None)

    def _domains(self, constraint: Term, nodes: Sequence[Manifest]) -> dict[str | None, int]:
        """How many of the constraint's pods there are in each domain that the pod could choose; 0 counts."""
        key = constraint["topologyKey"]
        counts: dict[str | None, int] = {
            meta.labels(node)[key]: 0 for node in nodes if key in meta.labels(node)
            and (constraint.get("nodeAffinityPolicy") == "Ignore" or fit.selects(self._pod, node))
            and (constraint.get("nodeTaintsPolicy", "Ignore") == "Ignore"
                 or not any(fit.untolerated(self._pod, node, "NoSchedule", "NoExecute")))}
        selector = selectors.from_manifest(constraint.get("labelSelector"))
        same = {name: value for name in constraint.get("matchLabelKeys") or ()
                if (value := meta.labels(self._pod).get(name)) is not None}
        for other in self._placed(meta.namespace(self._pod)):
            domain = self._labels_of(other).get(key)
            if domain in counts and not meta.is_deleting(other) and selector.matches(meta.labels(other)) \
                    and same.items() <= meta.labels(other).items():
                counts[domain] += 1
        return counts

    def _labels_of(self, other: Manifest) -> Mapping[str, str]:
        return self._nodes.get(meta.spec(other).get("nodeName") or "", {})


def _affinity(pod: Manifest, kind: str) -> Mapping[str, Any]:
    return (meta.spec(pod).get("affinity") or {}).get(kind) or {}


def _terms(pod: Manifest, kind: str) -> list[Term]:
    return list(_affinity(pod, kind).get(REQUIRED) or ())


def _matches(term: Term, other: Manifest, own_namespace: str) -> bool:
    """Whether `other` is one of the term's pods. A term without a selector has none."""
    namespaces = term.get("namespaces") or (own_namespace,)
    return term.get("labelSelector") is not None and meta.namespace(other) in namespaces \
        and selectors.from_manifest(term["labelSelector"]).matches(meta.labels(other))
