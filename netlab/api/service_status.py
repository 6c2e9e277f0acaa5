"""What is wrong with a Service's load balancer status (k8s.io/kubernetes/pkg/apis/core/validation)."""

from __future__ import annotations

from netlab.model import addresses, meta, names
from netlab.model.errors import FieldError, forbidden, invalid, not_supported
from netlab.model.meta import Manifest

MODES = ["Proxy", "VIP"]


def status_errors(new: Manifest, old: Manifest | None) -> list[FieldError]:
    """Everything wrong with the status; an address without ipMode has got its default before."""
    path = "status.loadBalancer.ingress"
    ingresses = (meta.status(new).get("loadBalancer") or {}).get("ingress") or []
    if ingresses and meta.spec(new).get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    errors = []
    for index, ingress in enumerate(ingresses):
        where, ip, host, mode = f"{path}[{index}]", ingress.get("ip"), ingress.get("hostname"), ingress.get("ipMode")
        if ip and not addresses.is_ip(ip):
            errors.append(invalid(f"{where}.ip", ip, addresses.NO_IP))
        if mode is not None and not ip:
            errors.append(forbidden(f"{where}.ipMode", "may not be specified when `ip` is not set"))
        elif mode is not None and mode not in MODES:
            errors.append(not_supported(f"{where}.ipMode", mode, MODES))
        if host:
            errors += [invalid(f"{where}.hostname", host, text) for text in names.dns_subdomain(host)]
            if addresses.is_ip(host):
                errors.append(invalid(f"{where}.hostname", host, "must be a DNS name, not an IP address"))
    return errors
