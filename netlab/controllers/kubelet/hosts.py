"""A pod's hostname and /etc/hosts, as the kubelet writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netlab.model import meta

_LOOPBACK = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hostname(pod: Mapping[str, Any]) -> str:
    """spec.hostname, or the pod's name cut to 63 characters."""
    return str(meta.spec(pod).get("hostname") or meta.name(pod)[:63].rstrip("-."))


def domain_name(pod: Mapping[str, Any], domain: str) -> str:
    """The pod's fully qualified name when it has a subdomain, else ""."""
    subdomain = meta.spec(pod).get("subdomain")
    return f"{hostname(pod)}.{subdomain}.{meta.namespace(pod)}.svc.{domain}" if subdomain else ""


def kernel_hostname(pod: Mapping[str, Any], *, domain: str, node: str) -> str:
    """What `hostname` prints in the pod: the node's name on the host network, the full name if it asks for that.

    ValueError when that name is longer than the kernel's 64 characters.
    """
    if meta.spec(pod).get("hostNetwork"):
        return node
    full = domain_name(pod, domain)
    if not (full and meta.spec(pod).get("setHostnameAsFQDN")):
        return hostname(pod)
    if len(full) > 64:
        raise ValueError(f'failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long '
                         f'(64 characters is the max, {len(full)} characters requested)')
    return full


def hosts_file(pod: Mapping[str, Any], *, domain: str, addresses: Sequence[str], node_hosts: str = "") -> str:
    """The text of /etc/hosts; `node_hosts` is the node's file, which host network pods get."""
    spec = meta.spec(pod)
    if spec.get("hostNetwork"):
        text = "# Kubernetes-managed hosts file (host network).\n" + node_hosts
    else:
        full = domain_name(pod, domain)
        names = f"{full}\t{hostname(pod)}" if full else hostname(pod)
        text = f"# Kubernetes-managed hosts file.\n{_LOOPBACK}"
        text += "".join(f"{address}\t{names}\n" for address in addresses)
    aliases = spec.get("hostAliases") or ()
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join("{}\t{}\n".format(alias["ip"], "\t".join(alias.get("hostnames") or ())) for alias in aliases)
    return text
