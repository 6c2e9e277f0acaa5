"""A packet's way through a node in the IPVS mode, without a kernel: see `trace_ipvs`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from netlab.netfilter.rule import InSet, NotBridged, VirtualService
from netlab.netfilter.trace import Ends, Flow, Packet, Trace, Walk, traced
from netlab.proxy.ipvs import Ipvs


def trace_ipvs(dataplane: Ipvs, packet: Packet, *, addresses: Collection[str] = (),
               remembered: Mapping[str, Collection[str]] | None = None) -> Trace:
    """Where the packet may end, through a node with these addresses of its own beside those of kube-ipvs0.

    All real servers are as likely. Persistence is not followed: `remembered` is ignored.
    """
    return traced(_IpvsWalk(dataplane, frozenset(addresses)), packet)


class _IpvsWalk(Walk):
    """IPVS sits at INPUT behind the filter, and at OUTPUT behind nat (net/netfilter/ipvs/ip_vs_core.c)."""

    def __init__(self, dataplane: Ipvs, addresses: frozenset[str]) -> None:
        super().__init__(dataplane.rules, addresses | frozenset(dataplane.addresses), {})
        self.servers = dataplane.by_key
        self.sets = {one.name: one for one in dataplane.sets}

    def at_hook(self, hook: str, *, skip: str) -> Iterable[Callable[[Flow], Ends]]:
        found = list(super().at_hook(hook, skip=skip))
        if hook == "OUTPUT" and not skip:
            found.insert(2, self._hand_out)  # mangle, nat, IPVS, filter
        return found

    def _arrived(self, flow: Flow) -> Ends:
        if not self.is_local(flow.packet.destination):
            return super()._arrived(flow)
        return self._then(self._then(super()._arrived(flow), self._hand_out), self._sent_on)

    def _sent_on(self, flow: Flow) -> Ends:
        """What IPVS sends on leaves as if the node sent it, but for the nat table, which has seen the connection."""
        if not flow.translated:
            return [(flow, "ACCEPT")]
        return self._then(self._hooks([flow], "OUTPUT", skip="nat"), lambda one: self._hooks([one], "POSTROUTING"))

    def _hand_out(self, flow: Flow) -> Ends:
        packet = flow.packet
        server = self.servers.get((packet.protocol.upper(), packet.destination, packet.port))
        if server is None or flow.translated:
            return [(flow, "ACCEPT")]
        reals = [real for real in server.reals if real.weight]
        return [(flow._replace(packet=packet._replace(destination=real.address, port=real.port), translated=True,
                               weight=flow.weight / len(reals)), "ACCEPT") for real in reals] or [(flow, "REJECT")]

    def _matches(self, match: Any, flow: Flow) -> bool:
        packet = flow.packet
        if isinstance(match, InSet):
            place = {"src": packet.source, "dst": packet.destination}
            addresses = tuple(place[side] for number, side in enumerate(match.sides) if number != 1)
            port = packet.source_port if match.sides[min(1, len(match.sides) - 1)] == "src" else packet.port
            return self.sets[match.name].has(addresses, packet.protocol, port)
        if isinstance(match, NotBridged):
            return True  # pods are routed, no node has a bridge
        if isinstance(match, VirtualService):
            return flow.translated and packet.protocol == match.protocol and packet.source == match.address
        return super()._matches(match, flow)
