"""Further addresses of a host: /32 beside the one that its wiring gives it."""

from __future__ import annotations

import errno
from collections.abc import Collection
from contextlib import closing
from ipaddress import IPv4Interface

from netlab.kernel import netlink, netns
from netlab.topology.plan import ETH0
from netlab.topology.wiring import Address


def keep(name: str, wanted: Collection[str]) -> None:
    """Gives eth0 of the netns just these /32 addresses; others of another length stay.

    OSError when the kernel refuses, or there is no such netns.
    """
    link, index = ETH0

    def work() -> None:
        with closing(netlink.Channel()) as channel:
            there = {text for text, length in channel.addresses(index) if length == 32}
            messages = [netlink.address(Address(link, IPv4Interface(f"{text}/32"), prefix_route=False), index)
                        for text in sorted(set(wanted) - there)]
            messages += [netlink.delete_address(text, 32, index) for text in sorted(there - set(wanted))]
            for refusal in channel.send(messages) if messages else ():
                if refusal.code != errno.EADDRNOTAVAIL:  # somebody else took it away meanwhile
                    raise netlink.refused(refusal, f"{name}: {messages[refusal.place].what}")

    netns.visit(name, work)
