"""The objects that a new cluster starts with: nodes, cluster DNS, settings. As kubeadm leaves them."""

from __future__ import annotations

import os

from netlab import __version__
from netlab.api import service_ranges
from netlab.api.registry import Registry
from netlab.api.resources.priorities import system_classes
from netlab.controllers.kubelet.node_status import conditions as node_conditions
from netlab.kernel import machine
from netlab.lab import cluster_dns, policy
from netlab.lab.cluster_dns import CONTROL_PLANE
from netlab.model import meta
from netlab.model.lab_spec import LabSpec, joined
from netlab.model.meta import Manifest
from netlab.topology import names

KUBERNETES_VERSION = "v1.33.0"
SETTINGS = "kubeadm-config"
API_PORT = 6443


def bootstrap(registry: Registry) -> None:
    """Creates them, once in a lab's life: what a user deleted later stays deleted.

    The last one, the ConfigMap with the cluster's settings, marks that all are there: one that was killed in the
    middle is completed by the next.
    """
    if registry.find("configmaps", SETTINGS, "kube-system"):
        return
    _ensure(registry, service_ranges.CIDRS, service_ranges.default_range(registry))
    for node in registry.spec.nodes:
        _ensure(registry, "nodes", node_manifest(registry.spec, node))
        registry.update("nodes", registry.get("nodes", node) | {"status": node_status(registry, node)},
                        subresource="status")
    for manifest in system_classes():
        _ensure(registry, "priorityclasses", manifest)
    for resource, manifest in policy.roles():
        _ensure(registry, resource, manifest)
    _ensure(registry, "serviceaccounts", {"metadata": {"name": "coredns", "namespace": "kube-system"}})
    _ensure(registry, "configmaps", cluster_dns.configuration(registry.spec))
    _ensure(registry, "services", cluster_dns.service(registry.spec))
    _ensure(registry, "deployments", cluster_dns.deployment(registry.spec))
    _ensure(registry, "configmaps", settings(registry.spec))


def _ensure(registry: Registry, resource: str, manifest: Manifest) -> None:
    if not registry.find(resource, meta.name(manifest), meta.namespace(manifest)):
        registry.create(resource, manifest)


def settings(spec: LabSpec) -> Manifest:
    """kube-system/kubeadm-config: the ranges and the domain, where cluster tools look for them."""
    pods, services = joined(one.pod for one in spec.ranges), joined(one.service for one in spec.ranges)
    text = (f"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: {spec.name}\n"
            f"kubernetesVersion: {KUBERNETES_VERSION}\nnetworking:\n  dnsDomain: {spec.cluster_domain}\n"
            f"  podSubnet: {pods}\n  serviceSubnet: {services}\n")
    return {"metadata": {"name": SETTINGS, "namespace": "kube-system"}, "data": {"ClusterConfiguration": text}}


def node_manifest(spec: LabSpec, node: str) -> Manifest:
    """A Node. The first one is the control plane; it is tainted when there are others to take the pods."""
    labels = {"beta.kubernetes.io/arch": _architecture(), "beta.kubernetes.io/os": "linux",
              "kubernetes.io/arch": _architecture(), "kubernetes.io/hostname": node, "kubernetes.io/os": "linux"}
    labels |= spec.node_labels.get(node, {})
    details: Manifest = {"podCIDR": str(spec.node_pod_cidr(node)), "podCIDRs": [*map(str, spec.node_pod_cidrs(node))],
                         "providerID": f"netlab://{spec.name}/{node}"}
    if node == spec.nodes[0]:
        labels[CONTROL_PLANE] = ""
        if len(spec.nodes) > 1:
            labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
            details["taints"] = [{"key": CONTROL_PLANE, "effect": "NoSchedule"}]
    annotations = {"node.alpha.kubernetes.io/ttl": "0"}
    return {"metadata": {"name": node, "labels": labels, "annotations": annotations}, "spec": details}


def node_status(registry: Registry, node: str) -> Manifest:
    """What a kubelet reports when it joins."""
    now = registry.now()
    directory = names.run_dir(registry.spec.name)
    resources = machine.capacity(directory) | {"pods": "110"}
    conditions = [condition | {"lastHeartbeatTime": now, "lastTransitionTime": now}
                  for condition in node_conditions(directory)]
    return {
        "addresses": [*({"type": "InternalIP", "address": str(ip)} for ip in registry.spec.node_ips(node)),
                      {"type": "Hostname", "address": node}],
        "capacity": resources, "allocatable": resources, "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": _architecture(), **machine.identity(registry.spec.name, node),
            "containerRuntimeVersion": f"netlab://{__version__}", "kernelVersion": os.uname().release,
            "kubeProxyVersion": KUBERNETES_VERSION, "kubeletVersion": KUBERNETES_VERSION,
            "operatingSystem": "linux", "osImage": _os_name()},
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def _os_name() -> str:
    try:
        with open("/etc/os-release") as file:
            return next(line.split("=", 1)[1].strip().strip('"') for line in file if line.startswith("PRETTY_NAME="))
    except (OSError, StopIteration):
        return "Linux"
