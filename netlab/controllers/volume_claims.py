"""PersistentVolumeClaims: nothing provides storage in a lab, and each claim's events say what it waits for."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.meta import Manifest

PLURAL = "persistentvolumeclaims"


class VolumeClaims(PerObject):
    """Tells once for each claim, and again when its storage class appears or goes."""

    name = "persistentvolume-binder"
    resources = (PLURAL, "storageclasses")

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._recorder = EventRecorder(registry, "persistentvolume-controller")
        self._told: dict[str, str] = {}

    def changed(self) -> Iterable[Name]:
        """The claims that have not been told what they wait for."""
        claims = self.registry.list(PLURAL)
        present = {meta.uid(claim) for claim in claims}
        self._told = {uid: text for uid, text in self._told.items() if uid in present}
        return {(meta.namespace(claim), meta.name(claim)) for claim in claims
                if self._told.get(meta.uid(claim)) != self._event(claim)[2]}

    def _event(self, claim: Manifest) -> tuple[str, str, str]:
        name = meta.spec(claim).get("storageClassName")
        if not name:
            return "Normal", "FailedBinding", ("no persistent volumes available for this claim and no storage class "
                                               "is set")
        found = self.registry.find("storageclasses", name)
        if found is None:
            return "Warning", "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found'
        if found.get("volumeBindingMode") == "WaitForFirstConsumer":
            return "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
        return "Normal", "ExternalProvisioning", (
            f"Waiting for a volume to be created either by the external provisioner '{found.get('provisioner')}' or "
            "manually by the system administrator. If volume creation is delayed, please verify that the provisioner "
            "is running and correctly registered.")

    def sync(self, namespace: str, name: str) -> None:
        """Writes one claim's event."""
        claim = self.registry.find(PLURAL, name, namespace)
        if claim is None or meta.is_deleting(claim):
            return
        event = self._event(claim)
        self._told[meta.uid(claim)] = event[2]
        self._recorder.event(claim, *event)
