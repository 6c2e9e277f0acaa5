"""The plugins of the DNS server, each a file. A new one is a file here and a line in SETUPS."""

from __future__ import annotations

from netlab.dns.plugins import (
    cache,
    endpoints,
    file,
    forward,
    header,
    hosts,
    kubernetes,
    loadbalance,
    log,
    loop,
    reload,
    rewrite,
)
from netlab.dns.plugins.setup import Setup

SETUPS: dict[str, Setup] = {
    "reload": reload.setup,
    "ready": endpoints.ready,
    "health": endpoints.health,
    "prometheus": endpoints.prometheus,
    "errors": log.errors,
    "log": log.setup,
    "loadbalance": loadbalance.setup,
    "cache": cache.setup,
    "rewrite": rewrite.setup,
    "header": header.setup,
    "hosts": hosts.setup,
    "kubernetes": kubernetes.setup,
    "file": file.setup,
    "loop": loop.setup,
    "forward": forward.setup,
}
"""In the order that questions go through them, whatever the order in the file (plugin.cfg of CoreDNS)."""

ELSEWHERE = frozenset((
    "acl", "any", "auto", "autopath", "azure", "bind", "bufsize", "cancel", "chaos", "clouddns", "debug", "dns64",
    "dnssec", "dnstap", "erratic", "etcd", "geoip", "grpc", "https", "k8s_external", "local",
    "metadata", "minimal", "multisocket", "nomad", "nsid", "on", "pprof", "quic", "root", "route53", "secondary",
    "sign", "template", "timeouts", "tls", "trace", "transfer", "tsig", "view", "whoami",
))
"""Directives that CoreDNS has and this server has not."""
