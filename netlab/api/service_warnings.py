"""What the API server says about a Service that it takes (k8s.io/kubernetes/pkg/api/service, GetWarningsForService)."""

from __future__ import annotations

from netlab.api.address_warnings import cidr_warnings, ip_warnings
from netlab.api.service_defaults import is_headless
from netlab.api.service_rules import TOPOLOGY_HINTS, TOPOLOGY_MODE
from netlab.model import meta
from netlab.model.meta import Manifest


def service_warnings(new: Manifest, old: Manifest | None) -> list[str]:
    """What is odd about the Service as the client wrote it."""
    spec = meta.spec(new)
    kind, outside = spec.get("type") or "ClusterIP", spec.get("externalIPs") or []
    found = []
    if TOPOLOGY_HINTS in meta.annotations(new):
        found.append(f"annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead")
    for index, text in enumerate(spec.get("clusterIPs") or [spec.get("clusterIP", "")]):
        found += ip_warnings(f"spec.clusterIPs[{index}]", text)
    if kind == "ClusterIP" and is_headless(spec):
        if spec.get("loadBalancerIP"):
            found.append("spec.loadBalancerIP is ignored for headless services")
        if outside:
            found.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") not in (None, "", "None"):
            found.append("spec.SessionAffinity is ignored for headless services")
    for index, text in enumerate(outside):
        found += ip_warnings(f"spec.externalIPs[{index}]", text)
    found += ip_warnings("spec.loadBalancerIP", spec.get("loadBalancerIP", ""))
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        found += cidr_warnings(f"spec.loadBalancerSourceRanges[{index}]", text)
    if kind == "ExternalName" and outside:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    return found
