"""What a Service says when its author left it open, and what an update keeps or drops.

Sources: k8s.io/kubernetes pkg/apis/core/v1/defaults.go and pkg/registry/core/service (strategy.go, storage).
"""

from __future__ import annotations

from typing import Any

from netlab.model import addresses, meta
from netlab.model.meta import Manifest

NODE_PORT_TYPES = ("NodePort", "LoadBalancer")


def needs_cluster_ip(spec: dict[str, Any]) -> bool:
    """Whether the type has a cluster IP (a headless Service has the text None)."""
    return spec.get("type") in ("ClusterIP", *NODE_PORT_TYPES)


def needs_node_ports(spec: dict[str, Any]) -> bool:
    """Whether every port gets a node port."""
    return spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def needs_health_check_port(spec: dict[str, Any]) -> bool:
    """Whether the nodes tell a load balancer if they have endpoints of the Service."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def externally_accessible(spec: dict[str, Any]) -> bool:
    """Whether traffic from outside of the cluster can reach it."""
    return spec.get("type") in NODE_PORT_TYPES or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def is_headless(spec: dict[str, Any]) -> bool:
    """Whether it has no virtual IP on purpose."""
    return spec.get("clusterIP") == "None" or (spec.get("clusterIPs") or [""])[0] == "None"


def default_service(service: Manifest) -> None:
    """Fills in everything that needs no other object."""
    spec: dict[str, Any] = service.setdefault("spec", {})
    for field in ("clusterIP", "externalTrafficPolicy", "internalTrafficPolicy", "ipFamilyPolicy", "loadBalancerIP"):
        if spec.get(field) == "":
            del spec[field]
    for field in ("selector", "clusterIPs", "ipFamilies", "externalIPs", "loadBalancerSourceRanges", "ports"):
        if field in spec and not spec[field]:
            del spec[field]
    spec["type"] = spec.get("type") or "ClusterIP"
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
        for field in ("nodePort", "name"):
            if not port.get(field):
                port.pop(field, None)
    if not spec.get("healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)
    if externally_accessible(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if needs_cluster_ip(spec):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in (meta.status(service).get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")
    _canonical_ips(spec)


def _canonical_ips(spec: dict[str, Any]) -> None:
    if addresses.is_ip(spec.get("clusterIP", "")):
        spec["clusterIP"] = str(addresses.parse(spec["clusterIP"]))
    if "clusterIPs" in spec:
        spec["clusterIPs"] = [str(addresses.parse(ip)) if addresses.is_ip(ip) else ip for ip in spec["clusterIPs"]]


def carry_over(new: dict[str, Any], old: dict[str, Any]) -> None:
    """Gives an updated spec what the server had allocated and the client left out."""
    if needs_cluster_ip(new) and needs_cluster_ip(old) and "clusterIP" not in new:
        _take(new, old, "clusterIP")
    if new.get("type") in NODE_PORT_TYPES and old.get("type") in NODE_PORT_TYPES:
        before = {port.get("name", ""): port.get("nodePort") for port in old.get("ports") or ()}
        used = {port.get("nodePort") for port in new.get("ports") or ()} & set(before.values())
        for port in new.get("ports") or ():
            kept = before.get(port.get("name", ""))
            if "nodePort" not in port and kept and kept not in used:
                port["nodePort"] = kept
                used.add(kept)
    if needs_health_check_port(new) and needs_health_check_port(old) and "healthCheckNodePort" not in new:
        _take(new, old, "healthCheckNodePort")


def sync_cluster_ips(new: dict[str, Any], old: dict[str, Any] | None) -> None:
    """Makes `clusterIPs` follow `clusterIP` where the client wrote one of them only."""
    first = new.get("clusterIP")
    if old is not None and new.get("clusterIPs") == old.get("clusterIPs") and first != old.get("clusterIP"):
        new.pop("clusterIPs", None)
    if first and not new.get("clusterIPs"):
        same = old is not None and first == old.get("clusterIP") and old.get("clusterIPs")
        new["clusterIPs"] = list(old["clusterIPs"]) if old and same else [first]


def drop_by_type(new: dict[str, Any], old: dict[str, Any]) -> None:
    """Removes what the new type has no use for, where the client left it as it was."""
    if needs_cluster_ip(old) and not needs_cluster_ip(new):
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            _drop_unchanged(new, old, field)
    if old.get("type") in NODE_PORT_TYPES and new.get("type") not in NODE_PORT_TYPES and _ports(new) == _ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    if needs_health_check_port(old) and not needs_health_check_port(new):
        _drop_unchanged(new, old, "healthCheckNodePort")
    if old.get("type") == "LoadBalancer" and new.get("type") != "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            _drop_unchanged(new, old, field)
    if externally_accessible(old) and not externally_accessible(new):
        _drop_unchanged(new, old, "externalTrafficPolicy")


def _take(new: dict[str, Any], old: dict[str, Any], field: str) -> None:
    if field in old:
        new[field] = old[field]


def _drop_unchanged(new: dict[str, Any], old: dict[str, Any], field: str) -> None:
    if new.get(field) == old.get(field):
        new.pop(field, None)


def _ports(spec: dict[str, Any]) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
