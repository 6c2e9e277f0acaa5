from netlab.controllers.endpointslice_mirroring import EndpointSliceMirroring
from netlab.controllers.kubernetes_service import KubernetesService
from netlab.model import meta

RESOURCES = ("services", "endpoints", "endpointslices")


def keeper(registry):
    return KubernetesService(registry, address="172.18.0.2", port=6443)


def test_the_service_of_the_api_server_is_there_and_comes_back(cluster):
    async def story(manager):
        service = cluster.registry.get("services", "kubernetes", "default")
        assert service["spec"]["clusterIP"] == "10.96.0.1"
        assert [(p["name"], p["port"], p["targetPort"]) for p in service["spec"]["ports"]] == [("https", 443, 6443)]
        assert meta.labels(service) == {"component": "apiserver", "provider": "kubernetes"}
        (part,) = cluster.list("endpointslices")  # the Endpoints object is not mirrored too
        assert part["endpoints"][0]["addresses"] == ["172.18.0.2"]
        assert part["ports"] == [{"name": "https", "port": 6443, "protocol": "TCP"}]
        assert meta.labels(part) == {"kubernetes.io/service-name": "kubernetes"}
        for resource in RESOURCES:
            if not cluster.gone(resource, "kubernetes"):  # the Endpoints may go with their Service
                cluster.registry.delete(resource, "kubernetes", namespace="default")
        await manager.settled()
        assert [cluster.names(resource) for resource in RESOURCES] == [["kubernetes"]] * 3
        revision = cluster.store.revision
        manager.controllers["kubernetes-service"].wake()
        await manager.settled()
        assert cluster.store.revision == revision

    cluster.run(story, keeper, EndpointSliceMirroring)
