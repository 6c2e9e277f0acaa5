"""What a Service says when its author left it open, and what an update keeps or drops.

Sources: k8s.io/kubernetes pkg/apis/core/v1/defaults.go and pkg/registry/core/service (strategy.go, storage).
"""

from __future__ import annotations

from typing import Any

from netlab.model import addresses, meta
from netlab.model.meta import Manifest

NODE_PORT_TYPES = ("NodePort", "LoadBalancer")
OMITTED_WHEN_EMPTY = (
    "clusterIP", "clusterIPs", "externalIPs", "externalName", "externalTrafficPolicy", "healthCheckNodePort",
    "ipFamilies", "loadBalancerIP", "loadBalancerSourceRanges", "ports", "publishNotReadyAddresses", "selector")
"""Fields whose empty value says no more than their absence. Others, such as `loadBalancerClass`, may not be empty."""


def needs_cluster_ip(spec: dict[str, Any]) -> bool:
    """Whether the type has a cluster IP (a headless Service has the text None)."""
    return spec.get("type") != "ExternalName"


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
    return (spec.get("clusterIPs") or [spec.get("clusterIP", "")]) == ["None"]


def default_service(service: Manifest) -> None:
    """Fills in everything that needs no other object, and leaves out what is not written when it is empty."""
    spec: dict[str, Any] = service.setdefault("spec", {})
    for field in OMITTED_WHEN_EMPTY:
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
    if externally_accessible(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] in ("ClusterIP", *NODE_PORT_TYPES):
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
    if needs_cluster_ip(new) and needs_cluster_ip(old):
        for field in ("clusterIP", "clusterIPs"):
            _take_missing(new, old, field)
    if needs_node_ports(new) and needs_node_ports(old):
        before = {port.get("name", ""): port.get("nodePort") for port in old.get("ports") or ()}
        used = node_ports(new) & node_ports(old)
        for port in new.get("ports") or ():
            kept = before.get(port.get("name", ""))
            if "nodePort" not in port and kept and kept not in used:
                port["nodePort"] = kept
    if needs_health_check_port(new) and needs_health_check_port(old):
        _take_missing(new, old, "healthCheckNodePort")


def sync_cluster_ips(new: dict[str, Any], old: dict[str, Any] | None) -> None:
    """Makes `clusterIPs` follow `clusterIP` where the client wrote, or changed, the latter only."""
    first, before = new.get("clusterIP"), old or {}
    kept = before.get("clusterIPs") or []
    if not new.get("clusterIPs") and kept and first == before.get("clusterIP"):
        new["clusterIPs"] = list(kept)
    if first != before.get("clusterIP") and (new.get("clusterIPs") or []) == (kept if old is not None else []):
        if first:
            new["clusterIPs"] = [first]
        else:
            new.pop("clusterIPs", None)


def drop_by_type(new: dict[str, Any], old: dict[str, Any]) -> None:
    """Removes what the new type has no use for, where the client left it as it was."""
    if needs_cluster_ip(old) and not needs_cluster_ip(new):
        if all(new.get(field) == old.get(field) for field in ("clusterIP", "clusterIPs")):
            new.pop("clusterIP", None)
            new.pop("clusterIPs", None)
        for field in ("ipFamilies", "ipFamilyPolicy"):
            _drop_unchanged(new, old, field)
    if old.get("type") in NODE_PORT_TYPES and new.get("type") not in NODE_PORT_TYPES \
            and node_ports(new) <= node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    if needs_health_check_port(old) and not needs_health_check_port(new):
        _drop_unchanged(new, old, "healthCheckNodePort")
    if old.get("type") == "LoadBalancer" and new.get("type") != "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            _drop_unchanged(new, old, field)
    if externally_accessible(old) and not externally_accessible(new):
        _drop_unchanged(new, old, "externalTrafficPolicy")


def node_ports(spec: dict[str, Any]) -> set[int]:
    """The node ports of all ports that have one."""
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def _take_missing(new: dict[str, Any], old: dict[str, Any], field: str) -> None:
    if not new.get(field) and old.get(field):
        new[field] = list(old[field]) if isinstance(old[field], list) else old[field]


def _drop_unchanged(new: dict[str, Any], old: dict[str, Any], field: str) -> None:
    if new.get(field) == old.get(field):
        new.pop(field, None)
