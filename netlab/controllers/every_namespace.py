"""What every namespace has: the ServiceAccount `default`, and the certificate by which pods know the API server."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.api.registry import Registry
from netlab.api.service_accounts import ROOT_CA
from netlab.controllers.per_object import Name, PerObject
from netlab.model import meta
from netlab.model.meta import Manifest

DESCRIPTION = ("Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
               "as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across "
               "distributions of Kubernetes clusters.")


class EveryNamespace(PerObject):
    """Keeps one object in every namespace: it comes back when it is deleted, and its data when it is changed."""

    def __init__(self, registry: Registry, *, name: str, resource: str, manifest: Manifest) -> None:
        self.name = name
        self.resources = ("namespaces", resource)
        self._resource = resource
        self._manifest = manifest
        super().__init__(registry)

    def changed(self) -> Iterable[Name]:
        """The namespaces in which it is missing or different: a look at each is cheap, and there are few."""
        return {("", meta.name(space)) for space in self.registry.list("namespaces")
                if not meta.is_deleting(space) and not self._is_right(meta.name(space))}

    def _is_right(self, namespace: str) -> bool:
        found = self.registry.find(self._resource, meta.name(self._manifest), namespace)
        return found is not None and found.get("data") == self._manifest.get("data")

    def sync(self, namespace: str, name: str) -> None:
        """Puts it into one namespace."""
        space = self.registry.find("namespaces", name)
        if space is None or meta.is_deleting(space) or self._is_right(name):
            return
        found = self.registry.find(self._resource, meta.name(self._manifest), name)
        if found is None:
            self.registry.create(self._resource, self._manifest, namespace=name)
        else:
            self.registry.update(self._resource, found | {"data": self._manifest["data"]})


def service_accounts(registry: Registry) -> EveryNamespace:
    """Keeps the ServiceAccount `default`."""
    return EveryNamespace(registry, name="serviceaccounts", resource="serviceaccounts",
                          manifest={"metadata": {"name": "default"}})


def root_certificates(registry: Registry, ca: str) -> EveryNamespace:
    """Keeps the ConfigMap kube-root-ca.crt."""
    return EveryNamespace(registry, name="root-ca-certificate-publisher", resource="configmaps", manifest={
        "metadata": {"name": ROOT_CA, "annotations": {"kubernetes.io/description": DESCRIPTION}},
        "data": {"ca.crt": ca}})
