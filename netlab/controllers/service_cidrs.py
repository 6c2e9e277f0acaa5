"""ServiceCIDRs that are being deleted: they stay while an address of theirs would be in no other range."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from netlab.api import service_ranges
from netlab.api.registry import Registry
from netlab.api.resources.service_cidrs import FINALIZER, condition
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.meta import Manifest

TERMINATING = ("There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new "
               "ServiceCIDR")


class ServiceCIDRs(PerObject):
    """Lets go of those that nobody needs, and says of the others why they stay."""

    name = "service-cidrs"
    resources = (service_ranges.CIDRS, service_ranges.ADDRESSES)

    def changed(self) -> Iterable[Name]:
        """Those that are being deleted: there are few."""
        return {("", meta.name(item)) for item in self.registry.list(service_ranges.CIDRS) if meta.is_deleting(item)}

    def sync(self, namespace: str, name: str) -> None:
        """Takes the finalizer off, or writes the condition."""
        item = self.registry.find(service_ranges.CIDRS, name)
        if item is None or FINALIZER not in (item["metadata"].get("finalizers") or ()):
            return
        if _needed(self.registry, item):
            told = [condition("False", TERMINATING, now=self.registry.now(), reason="Terminating")]
            if (meta.status(item).get("conditions") or [{}])[0].get("status") != "False":
                self.registry.update(service_ranges.CIDRS, item | {"status": {"conditions": told}},
                                     subresource="status")
            return
        kept = [finalizer for finalizer in item["metadata"]["finalizers"] if finalizer != FINALIZER]
        self.registry.update(service_ranges.CIDRS, item | {"metadata": item["metadata"] | {"finalizers": kept}})


def _needed(registry: Registry, item: Manifest) -> bool:
    others = [network for other in registry.list(service_ranges.CIDRS) if not meta.is_deleting(other)
              for network in service_ranges.networks(other)]
    going = service_ranges.networks(item)
    for found in registry.list(service_ranges.ADDRESSES):
        address = ip_address(meta.name(found))
        if meta.labels(found).get(service_ranges.MANAGED_BY_LABEL) == service_ranges.MANAGED_BY \
                and any(address in network for network in going) \
                and not any(address in network for network in others):
            return True
    return False
