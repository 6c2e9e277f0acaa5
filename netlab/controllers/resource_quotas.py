"""ResourceQuotas: how much of each is used, in its status."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.api import quotas
from netlab.api.registry import Registry
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.meta import Manifest
from netlab.model.quantity import parse_all

BUSY = ("events", "leases")  # written so often that their counts wait for another change


class ResourceQuotas(PerObject):
    """Counts again after every write that may matter; without quotas that costs nothing."""

    name = "resourcequota"

    def __init__(self, registry: Registry) -> None:
        self.resources = tuple(kind.plural for kind in registry.kinds() if kind.namespaced and kind.plural not in BUSY)
        super().__init__(registry)

    def changed(self) -> Iterable[Name]:
        """The quotas whose status is not what is used."""
        return {(meta.namespace(quota), meta.name(quota)) for quota in self.registry.list("resourcequotas")
                if not meta.is_deleting(quota) and self._status(quota) != meta.status(quota)}

    def _status(self, quota: Manifest) -> Manifest:
        hard = parse_all(meta.spec(quota).get("hard"))
        used = quotas.used_of(self.registry, quota, set(hard))
        return {"hard": {name: str(amount) for name, amount in hard.items()},
                "used": {name: str(used[name]) for name in hard}}

    def sync(self, namespace: str, name: str) -> None:
        """Writes one status."""
        quota = self.registry.find("resourcequotas", name, namespace)
        if quota is not None:
            self.registry.update("resourcequotas", quota | {"status": self._status(quota)}, subresource="status")
