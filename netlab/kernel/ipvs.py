"""kube-proxy's IPVS mode in a netns: kube-ipvs0, ipsets, virtual servers, iptables rules, in that order.

It was not run on a kernel with ip_vs so far; the ipsets and the iptables rules were, each by themselves.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from functools import partial
from itertools import takewhile
from typing import Any

from netlab.kernel import conntrack, ip_sets, ipvs_servers, netns
from netlab.kernel.iptables import NodeTables, restore
from netlab.model.family import BITS, IPV4, IPV6, family_of
from netlab.model.fields import contains
from netlab.netfilter.parse import NotUnderstood, parse
from netlab.netfilter.ruleset import Ruleset, table
from netlab.netfilter.virtual_server import Change, VirtualServer, changes
from netlab.proxy.ipvs import DEVICE, Ipvs

SYSCTLS = {"ipv4/vs/conntrack": "1", "ipv4/vs/expire_nodest_conn": "1", "ipv4/vs/expire_quiescent_template": "1",
           "ipv4/ip_forward": "1"}
REUSE, REUSE_IS_GOOD_SINCE = {"ipv4/vs/conn_reuse_mode": "0"}, (5, 9)
STRICT_ARP = {"ipv4/conf/all/arp_ignore": "1", "ipv4/conf/all/arp_announce": "2"}


class IpvsTables:
    """All that the mode has in one netns. Methods block, for milliseconds; OSError when there is no such netns."""

    def __init__(self, netns: str) -> None:
        self.netns = netns

    def replace(self, dataplane: Ipvs) -> None:
        """Makes the netns what the value says for its family. Real servers with connections go when those have ended.
        """
        netns.visit(self.netns, partial(_replace, dataplane))

    def matches(self, dataplane: Ipvs) -> bool:
        """Whether all is as the value says, and no real server waits for its removal."""
        return netns.visit(self.netns, partial(_matches, dataplane)) and rules_match(self.netns, dataplane.rules)

    def remove(self, dataplane: Ipvs) -> None:
        """Takes everything of the family away; it may be gone already."""
        netns.visit(self.netns, partial(_remove, dataplane))

    def close(self) -> None:
        """Nothing to end: the kernel works by itself."""

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]], family: str = IPV4) -> None:
        """Ends tracked UDP flows to a Service that none of its backends answers: see `conntrack.delete_udp`."""
        netns.visit(self.netns, lambda: conntrack.delete_udp(serving, family=family))


def rules_match(name: str, rules: Ruleset) -> bool:
    """Whether the netns has just these iptables rules, however the program writes them."""
    try:
        return parse(NodeTables(name).save(rules.family), family=rules.family) == rules
    except NotUnderstood:
        return False


def _replace(dataplane: Ipvs) -> None:
    for key, value in {**sysctls(os.uname().release), **(STRICT_ARP if dataplane.strict_arp else {})}.items():
        _write(key, value)
    ip_sets.keep(dataplane.sets)
    surplus = _bind(dataplane)
    ipvs_servers.apply(_pending(dataplane))
    restore(dataplane.rules)
    _unbind(surplus)


def sysctls(release: str) -> dict[str, str]:
    """What kube-proxy sets on that kernel: an older one delays connections from a port that was used before."""
    major, minor = (int("".join(takewhile(str.isdigit, part)) or 0) for part in (*release.split("."), "")[:2])
    return SYSCTLS if (major, minor) >= REUSE_IS_GOOD_SINCE else SYSCTLS | REUSE


def _matches(dataplane: Ipvs) -> bool:
    return _bound(dataplane.family) == set(dataplane.addresses) and not _pending(dataplane) \
        and ip_sets.matches(dataplane.sets)


def _remove(dataplane: Ipvs) -> None:
    restore(Ruleset(tuple(table(one.name, {}, family=one.family) for one in dataplane.tables), dataplane.family))
    ip_sets.remove(dataplane.sets)
    ipvs_servers.apply([Change("delete", server) for server in _ours(dataplane, ipvs_servers.held()[0])])
    _unbind(_bound(dataplane.family))


def _pending(dataplane: Ipvs) -> list[Change]:
    servers, connections = ipvs_servers.held()
    return changes(_ours(dataplane, servers), dataplane.servers, connections=connections)


def _ours(dataplane: Ipvs, servers: list[VirtualServer]) -> list[VirtualServer]:
    return [server for server in servers if family_of(server.address) == dataplane.family
            and not any(contains(cidr, server.address) for cidr in dataplane.excluded)]


def _bind(dataplane: Ipvs) -> set[str]:
    """Gives kube-ipvs0 the addresses; those that it has beside them."""
    there = _bound(dataplane.family)
    with _routes() as handle:
        if not handle.link_lookup(ifname=DEVICE):
            handle.link("add", ifname=DEVICE, kind="dummy")
        for address in sorted(set(dataplane.addresses) - there):
            handle.addr("add", index=handle.link_lookup(ifname=DEVICE)[0], address=address,
                        prefixlen=BITS[dataplane.family])
    return there - set(dataplane.addresses)


def _unbind(addresses: Collection[str]) -> None:
    with _routes() as handle:
        for address in addresses:
            handle.addr("del", index=handle.link_lookup(ifname=DEVICE)[0], address=address,
                        prefixlen=BITS[family_of(address)])


def _bound(family: str) -> set[str]:
    with _routes() as handle:
        links = handle.link_lookup(ifname=DEVICE)
        number = socket.AF_INET6 if family == IPV6 else socket.AF_INET
        return {found.get_attr("IFA_ADDRESS") for found in handle.get_addr(family=number, index=links[0])} \
            if links else set()


def _routes() -> Any:
    from pyroute2 import IPRoute

    return IPRoute()


def _write(key: str, value: str) -> None:
    with open(f"/proc/thread-self/root/proc/sys/net/{key}", "w") as file:
        file.write(value)
