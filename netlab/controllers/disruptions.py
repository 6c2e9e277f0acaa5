"""PodDisruptionBudgets: what they allow, in their status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netlab.api import disruption
from netlab.api.registry import Registry
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.meta import Manifest

OWNERS = ("deployments", "replicasets", "replicationcontrollers", "statefulsets")


class Disruptions(PerObject):
    """Looks at every budget after every write to a pod: there are few of them."""

    name = "disruption"

    def __init__(self, registry: Registry) -> None:
        served = {kind.plural for kind in registry.kinds()}
        self.resources = (disruption.PLURAL, "pods", *(plural for plural in OWNERS if plural in served))
        super().__init__(registry)

    def changed(self) -> Iterable[Name]:
        """The budgets whose status is not true."""
        return {(meta.namespace(budget), meta.name(budget)) for budget in self.registry.list(disruption.PLURAL)
                if not meta.is_deleting(budget) and self._status(budget) != meta.status(budget)}

    def _status(self, budget: Manifest) -> dict[str, Any]:
        found = disruption.room(self.registry, budget)
        generation = meta.metadata(budget).get("generation", 1)
        state, reason = ("True", "SufficientPods") if found.allowed else ("False", "InsufficientPods")
        old: dict[str, Any] = next(iter(meta.status(budget).get("conditions") or ()), {})
        since = old["lastTransitionTime"] if old.get("status") == state else self.registry.now()
        return {"observedGeneration": generation, "currentHealthy": found.healthy, "desiredHealthy": found.desired,
                "expectedPods": found.expected, "disruptionsAllowed": found.allowed,
                "conditions": [{"type": "DisruptionAllowed", "status": state, "reason": reason, "message": "",
                                "observedGeneration": generation, "lastTransitionTime": since}]}

    def sync(self, namespace: str, name: str) -> None:
        """Writes one status."""
        budget = self.registry.find(disruption.PLURAL, name, namespace)
        if budget is not None:
            self.registry.update(disruption.PLURAL, budget | {"status": self._status(budget)}, subresource="status")
