"""Further addresses of a host: /32 and /128 beside those that its wiring gives it."""

from __future__ import annotations

import errno
from collections.abc import Collection
from contextlib import closing
from ipaddress import ip_interface

from netlab.kernel import netlink, netns
from netlab.model.family import BITS, family_of
from netlab.topology.plan import ETH0
from netlab.topology.wiring import Address


def keep(name: str, wanted: Collection[str]) -> None:
    """Gives eth0 of the netns just these addresses; those with a network around them stay.

    They are for connections that come, not for those that the host opens itself: it has an address for that. Of IPv4
    the kernel takes that one by itself, of IPv6 it would take the one that is most like the destination.

    OSError when the kernel refuses, or there is no such netns.
    """
    link, index = ETH0

    def work() -> None:
        with closing(netlink.Channel()) as channel:
            there = {text for text, length in channel.addresses(index) if length == BITS[family_of(text)]}
            messages = [netlink.address(Address(link, ip_interface(text), prefix_route=False, source=False), index)
                        for text in sorted(set(wanted) - there)]
            messages += [netlink.delete_address(text, BITS[family_of(text)], index)
                         for text in sorted(there - set(wanted))]
            for refusal in channel.send(messages) if messages else ():
                if refusal.code != errno.EADDRNOTAVAIL:  # somebody else took it away meanwhile
                    raise netlink.refused(refusal, f"{name}: {messages[refusal.place].what}")

    netns.visit(name, work)
