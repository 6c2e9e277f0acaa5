"""What a CNI plugin translates on a node, beside kube-proxy: ways out of the cluster, and host ports of pods.

It is an nftables table of its own, so that iptables shows kube-proxy's rules and nothing else:

    postrouting  pods to addresses outside of the cluster get the node's address (as the plugins' ipMasq does it), for
                 nobody outside has a way back to pods
    hostports    what arrives for a `hostPort` goes to its pod (as the plugin portmap does it), after kube-proxy's rules
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

TABLE = "cni"
_FINISHED = ("Succeeded", "Failed")


class HostPort(NamedTuple):
    """A port of the node that leads to a pod; `host_address` "" is every address of the node."""

    protocol: str
    port: int
    host_address: str
    address: str
    target: int
    pod: str


def host_ports(pods: Iterable[Mapping[str, Any]], *, node: str) -> tuple[HostPort, ...]:
    """Those of the node's pods that have a network of their own and an address, in order."""
    found = []
    for pod in pods:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        address = status.get("podIP")
        if spec.get("nodeName") != node or spec.get("hostNetwork") or not address or ":" in address \
                or status.get("phase") in _FINISHED:
            continue
        name = f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        containers = [*(spec.get("containers") or ()),
                      *(c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always")]
        for port in (port for container in containers for port in container.get("ports") or ()):
            host = port.get("hostIP") or ""
            if port.get("hostPort") and ":" not in host:
                found.append(HostPort((port.get("protocol") or "TCP").lower(), port["hostPort"],
                                      "" if host == "0.0.0.0" else host, address, port["containerPort"], name))
    return tuple(sorted(found))


def pod_nat(*, pod_cidr: IPv4Network, node_cidr: IPv4Network, nodes: Iterable[IPv4Address],
            ports: Iterable[HostPort] = ()) -> str:
    """The table as `nft -f -` reads it. `pod_cidr` is the whole cluster's, `node_cidr` the node's part of it."""
    inside = ", ".join([str(pod_cidr), *map(str, nodes), "224.0.0.0/4"])
    ways_in: list[str] = []
    hairpins: list[str] = []
    for row in ports:
        place = f"ip daddr {row.host_address}" if row.host_address else "fib daddr type local"
        ways_in.append(f'\t\t{place} {row.protocol} dport {row.port} dnat to {row.address}:{row.target} '
                       f'comment "{_comment(row.pod)}"')
        hairpins.append(f"\t\tip saddr {{ 127.0.0.0/8, {node_cidr} }} ip daddr {row.address} "
                        f"{row.protocol} dport {row.target} ct status dnat ct original proto-dst {row.port} masquerade")
    hooks = (("prerouting", "dstnat + 5"), ("output", "-95"))
    lines = [f"table ip {TABLE} {{"]
    lines += ["\tchain hostports {", *ways_in, "\t}"]
    for hook, priority in hooks if ways_in else ():
        lines += [f"\tchain {hook} {{", f"\t\ttype nat hook {hook} priority {priority}; policy accept;",
                  "\t\tjump hostports", "\t}"]
    lines += ["\tchain postrouting {", "\t\ttype nat hook postrouting priority srcnat + 5; policy accept;", *hairpins,
              f'\t\tip saddr {pod_cidr} ip daddr != {{ {inside} }} masquerade comment "out of the cluster"', "\t}", "}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return text[:127]  # NFTNL_UDATA_COMMENT_MAXLEN
