"""default/kubernetes: the Service by which pods find the API server."""

from __future__ import annotations

from netlab.api.registry import Registry
from netlab.controllers.mirror_content import SKIP
from netlab.controllers.runtime import Controller
from netlab.controllers.slice_content import SERVICE_NAME
from netlab.model import meta
from netlab.model.family import family_of
from netlab.model.meta import Manifest

NAME, NAMESPACE = "kubernetes", "default"


class KubernetesService(Controller):
    """Keeps the Service, its Endpoints and its EndpointSlice in place; all three are named `kubernetes`."""

    name = "kubernetes-service"
    resources = ("namespaces", "services", "endpoints", "endpointslices")

    def __init__(self, registry: Registry, *, address: str, port: int) -> None:
        super().__init__(registry)
        self._address = address
        self._port = port

    async def reconcile(self) -> float | None:
        """Writes what is missing or different."""
        if self.registry.find("namespaces", NAMESPACE) is not None:
            self._keep_service()
            self._keep("endpoints", self._endpoints())
            self._keep("endpointslices", self._slice())
        return None

    def _keep_service(self) -> None:
        ports = [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": self._port}]
        present = self.registry.find("services", NAME, NAMESPACE)
        if present is None:
            address = str(self.registry.spec.api_ip)
            self.registry.create("services", {
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": NAME, "namespace": NAMESPACE,
                             "labels": {"component": "apiserver", "provider": "kubernetes"}},
                "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": ports,
                         "sessionAffinity": "None", "ipFamilyPolicy": "SingleStack", "ipFamilies": [family_of(address)],
                         "internalTrafficPolicy": "Cluster"}})
        elif [{key: port.get(key) for key in ports[0]} for port in meta.spec(present).get("ports") or ()] != ports:
            self.registry.update("services", present | {"spec": meta.spec(present) | {"ports": ports}})

    def _keep(self, resource: str, wanted: Manifest) -> None:
        present = self.registry.find(resource, NAME, NAMESPACE)
        if present is None:
            self.registry.create(resource, wanted)
            return
        labels = meta.labels(present) | meta.labels(wanted)
        content = {key: value for key, value in wanted.items() if key != "metadata"}
        if labels != meta.labels(present) or any(present.get(key) != value for key, value in content.items()):
            self.registry.update(resource, present | content | {"metadata": present["metadata"] | {"labels": labels}})

    def _endpoints(self) -> Manifest:
        return {"apiVersion": "v1", "kind": "Endpoints",
                "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {SKIP: "true"}},
                "subsets": [{"addresses": [{"ip": self._address}],
                             "ports": [{"name": "https", "port": self._port, "protocol": "TCP"}]}]}

    def _slice(self) -> Manifest:
        return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {SERVICE_NAME: NAME}},
                "addressType": family_of(self._address),
                "endpoints": [{"addresses": [self._address], "conditions": {"ready": True}}],
                "ports": [{"name": "https", "port": self._port, "protocol": "TCP"}]}
