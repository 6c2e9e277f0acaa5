"""What an EndpointSlice says of a Service and of one of its pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlab.model import meta, pod_status
from netlab.model.meta import Manifest

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"
_RESERVED = (SERVICE_NAME, MANAGED_BY, HEADLESS)


def is_headless(service: Manifest) -> bool:
    """Whether the Service has no cluster IP."""
    return meta.spec(service).get("clusterIP") in (None, "", "None")


def slice_labels(service: Manifest) -> dict[str, str]:
    """The labels of the Service's slices: its own, and those by which proxies and DNS find them."""
    labels = own_labels(service) | {SERVICE_NAME: meta.name(service), MANAGED_BY: CONTROLLER}
    return labels | ({HEADLESS: ""} if is_headless(service) else {})


def own_labels(item: Manifest) -> dict[str, str]:
    """The labels that slices have from their Service, of either."""
    return {key: value for key, value in meta.labels(item).items() if key not in _RESERVED}


def is_owned_by(part: Manifest, service: Manifest) -> bool:
    """Whether the slice belongs to this very Service, and not to one that had its name before."""
    return any(reference.get("uid") == meta.uid(service) and reference.get("kind") == "Service"
               for reference in meta.metadata(part).get("ownerReferences") or ())


def families(service: Manifest) -> tuple[str, ...]:
    """The address types that the Service's slices have."""
    return tuple(meta.spec(service).get("ipFamilies") or ("IPv4",))


def is_candidate(pod: Manifest) -> bool:
    """Whether a selected pod is listed at all; it need not be ready (KEP-1672)."""
    return not pod_status.is_finished(pod) and bool(pod_status.addresses(pod))


def address_of(pod: Manifest, family: str) -> str | None:
    """The pod's address of that family."""
    return next((ip for ip in pod_status.addresses(pod) if (":" in ip) == (family == "IPv6")), None)


def endpoint(service: Manifest, pod: Manifest, address: str, zones: Mapping[str, str]) -> dict[str, Any]:
    """The pod's entry in a slice, without hints. `zones` has every node, with "" for a node without a zone."""
    publish = bool(meta.spec(service).get("publishNotReadyAddresses"))
    serving, terminating = pod_status.is_ready(pod), meta.is_deleting(pod)
    ready = publish or (serving and not terminating)
    entry: dict[str, Any] = {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)},
    }
    spec = meta.spec(pod)
    if spec.get("hostname") and spec.get("subdomain") == meta.name(service):
        entry["hostname"] = spec["hostname"]
    node = spec.get("nodeName") or ""
    zone = zones.get(node, "")
    if node:
        entry["nodeName"] = node
    if zone:
        entry["zone"] = zone
    return entry
