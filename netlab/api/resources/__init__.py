"""The kinds that a lab serves, by plural name."""

from netlab.api.resource import Resource

RESOURCES: dict[str, Resource] = {
    resource.plural: resource
    for resource in (
        Resource("namespaces", "Namespace", namespaced=False, short_names=("ns",)),
        Resource("nodes", "Node", namespaced=False, short_names=("no",)),
        Resource("pods", "Pod", short_names=("po",), categories=("all",)),
        Resource("services", "Service", short_names=("svc",), categories=("all",)),
        Resource("endpoints", "Endpoints", short_names=("ep",), subresources=()),
        Resource("configmaps", "ConfigMap", short_names=("cm",), subresources=()),
        Resource("events", "Event", short_names=("ev",), subresources=()),
        Resource("replicasets", "ReplicaSet", "apps", short_names=("rs",), categories=("all",)),
        Resource("deployments", "Deployment", "apps", short_names=("deploy",), categories=("all",)),
        Resource("endpointslices", "EndpointSlice", "discovery.k8s.io", subresources=()),
    )
}
