"""What a CNI plugin translates on a node, beside kube-proxy: ways out of the cluster, and host ports of pods.

It is an nftables table of its own, so that iptables shows kube-proxy's rules and nothing else:

    postrouting  pods to addresses outside of the cluster get the node's address (as the plugins' ipMasq does it), for
                 nobody outside has a way back to pods
    hostports    what arrives for a `hostPort` goes to its pod (as the plugin portmap does it), after kube-proxy's rules
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from netlab.model.family import IPV4, family_of, with_port
from netlab.model.ranges import Address, Network

TABLE = "cni"
_ANY = ("", "0.0.0.0", "::")
_NFPROTO = {"ip": "ipv4", "ip6": "ipv6"}
_MULTICAST = {"ip": "224.0.0.0/4", "ip6": "ff00::/8"}
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
    """Those of the node's pods that have a network of their own, once for each address of the pod, in order."""
    found = []
    for pod in pods:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        addresses = [ip["ip"] for ip in status.get("podIPs") or ()] or [ip for ip in [status.get("podIP")] if ip]
        if spec.get("nodeName") != node or spec.get("hostNetwork") or status.get("phase") in _FINISHED:
            continue
        name = f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        containers = [*(spec.get("containers") or ()),
                      *(c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always")]
        for port in (port for container in containers for port in container.get("ports") or ()):
            host = port.get("hostIP") or ""
            for address in addresses if port.get("hostPort") else ():
                if host in _ANY or family_of(host) == family_of(address):
                    found.append(HostPort((port.get("protocol") or "TCP").lower(), port["hostPort"],
                                          "" if host in _ANY else host, address, port["containerPort"], name))
    return tuple(sorted(found))


def pod_nat(*, pods: Iterable[Network], here: Iterable[Network], nodes: Iterable[Address],
            ports: Iterable[HostPort] = ()) -> str:
    """The table as `nft -f -` reads it. `pods` are the whole cluster's ranges, `here` the node's part of them."""
    parts = {_ip(cidr): cidr for cidr in here}
    known = list(nodes)
    ways_in: list[str] = []
    ways_out: list[str] = []
    for row in ports:
        ip = "ip" if family_of(row.address) == IPV4 else "ip6"
        if ip not in parts:
            continue
        family = f"meta nfproto {_NFPROTO[ip]} " if not row.host_address else ""
        place = f"{ip} daddr {row.host_address}" if row.host_address else f"{family}fib daddr type local"
        ways_in.append(f'\t\t{place} {row.protocol} dport {row.port} dnat {ip} to '
                       f'{with_port(row.address, row.target)} comment "{_comment(row.pod)}"')
        own = f"{{ 127.0.0.0/8, {parts[ip]} }}" if ip == "ip" else str(parts[ip])
        ways_out.append(f"\t\t{ip} saddr {own} {ip} daddr {row.address} {row.protocol} dport {row.target} "
                        f"ct status dnat ct original proto-dst {row.port} masquerade")
    for cidr in pods:
        ip = _ip(cidr)
        inside = [str(cidr), *(str(node) for node in known if node.version == cidr.version), _MULTICAST[ip]]
        ways_out.append(f'\t\t{ip} saddr {cidr} {ip} daddr != {{ {", ".join(inside)} }} masquerade '
                        'comment "out of the cluster"')
    lines = [f"table inet {TABLE} {{", "\tchain hostports {", *ways_in, "\t}"]
    for hook, priority in (("prerouting", "dstnat + 5"), ("output", "-95")) if ways_in else ():
        lines += [f"\tchain {hook} {{", f"\t\ttype nat hook {hook} priority {priority}; policy accept;",
                  "\t\tjump hostports", "\t}"]
    lines += ["\tchain postrouting {", "\t\ttype nat hook postrouting priority srcnat + 5; policy accept;", *ways_out,
              "\t}", "}"]
    return "\n".join(lines) + "\n"


def _ip(cidr: Network) -> str:
    return "ip" if cidr.version == 4 else "ip6"


def _comment(text: str) -> str:
    return text[:127]  # NFTNL_UDATA_COMMENT_MAXLEN
