"""What dataplane and DNS need of a Service, parsed from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netlab.model import meta
from netlab.model.errors import invalid
from netlab.model.fields import Reader
from netlab.model.meta import Manifest

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("TCP", "UDP", "SCTP")
POLICIES = ("Cluster", "Local")
AFFINITY_SECONDS = 10800
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
RANGES = "spec.LoadBalancerSourceRanges"
SOURCE_RANGES_ANNOTATION = "service.beta.kubernetes.io/load-balancer-source-ranges"


@dataclass(frozen=True)
class ServicePort:
    """One of `spec.ports`; `node_port` 0 is none, `target_port` is a number or a container port's name."""

    name: str
    port: int
    protocol: str = "TCP"
    target_port: int | str = 0
    node_port: int = 0
    app_protocol: str = ""


@dataclass(frozen=True)
class Service:
    """A Service. Addresses are canonical texts; `affinity_seconds` 0 is no session affinity.

    `load_balancer_ips` are those of the status that the nodes answer for themselves (ipMode VIP); there they let in
    `source_ranges`. A load balancer lets in `balancer_ranges`: it knows the annotation too, which kube-proxy does not.
    """

    namespace: str
    name: str
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    headless: bool = False
    ports: tuple[ServicePort, ...] = ()
    external_name: str = ""
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    balancer_ranges: tuple[str, ...] = ()
    external_policy: str = "Cluster"
    internal_policy: str = "Cluster"
    affinity_seconds: int = 0
    health_check_node_port: int = 0
    publish_not_ready: bool = False
    selector: tuple[tuple[str, str], ...] = ()
    proxied: bool = True  # False: labelled as another proxy's business


def parse_service(manifest: Manifest) -> Service:
    """The Service that a manifest describes; ApiError (422) names the field that cannot be used."""
    read = Reader(manifest, "Service")
    spec = read.mapping(manifest.get("spec"), "spec")
    labels = meta.labels(manifest)
    kind = read.choice(spec.get("type"), "spec.type", TYPES)
    ips = read.items(spec.get("clusterIPs"), "spec.clusterIPs") or [ip for ip in [spec.get("clusterIP")] if ip]
    headless = ips == ["None"]
    affinity = read.choice(spec.get("sessionAffinity"), "spec.sessionAffinity", ("None", "ClientIP"))
    external = read.choice(spec.get("externalTrafficPolicy"), "spec.externalTrafficPolicy", POLICIES)
    ranges = _ranges(read, read.items(spec.get("loadBalancerSourceRanges"), RANGES)) if kind == "LoadBalancer" else ()
    check_port = read.port(spec.get("healthCheckNodePort"), "spec.healthCheckNodePort")
    return Service(
        namespace=meta.namespace(manifest),
        name=meta.name(manifest),
        type=kind,
        cluster_ips=() if headless or kind == "ExternalName" else
        tuple(read.address(ip, f"spec.clusterIPs[{i}]") for i, ip in enumerate(ips)),
        headless=headless,
        ports=tuple(_port(read, item, f"spec.ports[{i}]")
                    for i, item in enumerate(read.items(spec.get("ports"), "spec.ports"))),
        external_name=read.text(spec.get("externalName"), "spec.externalName", needed=kind == "ExternalName"),
        external_ips=tuple(read.address(ip, f"spec.externalIPs[{i}]")
                           for i, ip in enumerate(read.items(spec.get("externalIPs"), "spec.externalIPs"))),
        load_balancer_ips=_load_balancer_ips(read, kind),
        source_ranges=ranges,
        balancer_ranges=ranges or (_annotated_ranges(read) if kind == "LoadBalancer" else ()),
        external_policy=external,
        internal_policy=read.choice(spec.get("internalTrafficPolicy"), "spec.internalTrafficPolicy", POLICIES),
        affinity_seconds=_affinity_seconds(read, spec) if affinity == "ClientIP" else 0,
        health_check_node_port=check_port if kind == "LoadBalancer" and external == "Local" else 0,
        publish_not_ready=read.flag(spec.get("publishNotReadyAddresses"), "spec.publishNotReadyAddresses",
                                    absent=False),
        selector=tuple(sorted((str(k), str(v)) for k, v in
                              read.mapping(spec.get("selector"), "spec.selector").items())),
        proxied=PROXY_NAME_LABEL not in labels and HEADLESS_LABEL not in labels,
    )


def _port(read: Reader, value: Any, path: str) -> ServicePort:
    item = read.mapping(value, path)
    port = read.port(item.get("port"), f"{path}.port", needed=True)
    target = item.get("targetPort") or port
    if not isinstance(target, str):
        target = read.port(target, f"{path}.targetPort")
    return ServicePort(
        name=read.text(item.get("name"), f"{path}.name"),
        port=port,
        protocol=read.choice(item.get("protocol"), f"{path}.protocol", PROTOCOLS),
        target_port=target,
        node_port=read.port(item.get("nodePort"), f"{path}.nodePort"),
        app_protocol=read.text(item.get("appProtocol"), f"{path}.appProtocol"),
    )


def _load_balancer_ips(read: Reader, kind: str) -> tuple[str, ...]:
    balancer = read.mapping(meta.status(read.manifest).get("loadBalancer"), "status.loadBalancer")
    path = "status.loadBalancer.ingress"
    entries = [(read.mapping(item, f"{path}[{i}]"), f"{path}[{i}].ip")
               for i, item in enumerate(read.items(balancer.get("ingress"), path))]
    return tuple(read.address(item["ip"], field) for item, field in entries
                 if item.get("ip") and item.get("ipMode", "VIP") == "VIP" and kind == "LoadBalancer")


def _annotated_ranges(read: Reader) -> tuple[str, ...]:
    said = meta.annotations(read.manifest).get(SOURCE_RANGES_ANNOTATION, "")
    return _ranges(read, [part for part in said.split(",") if part.strip()])


def _ranges(read: Reader, values: list[Any]) -> tuple[str, ...]:
    return tuple(read.cidr(value, f"{RANGES}[{i}]") for i, value in enumerate(values))


def _affinity_seconds(read: Reader, spec: Mapping[str, Any]) -> int:
    path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
    config = read.mapping(spec.get("sessionAffinityConfig"), "spec.sessionAffinityConfig")
    seconds = read.mapping(config.get("clientIP"), "spec.sessionAffinityConfig.clientIP").get("timeoutSeconds")
    if seconds is None:
        return AFFINITY_SECONDS
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= 86400:
        raise read.refuse(invalid(path, seconds, "must be greater than 0 and less than 86400"))
    return seconds
