"""On which family a server listens that wants to be reached by all that its netns has."""

from __future__ import annotations

import socket

MAPPED = "::ffff:"


def wildcard() -> tuple[int, str]:
    """(family, address) to bind to: IPv6's, which takes IPv4 as well, where the netns has an IPv6 address."""
    try:
        with open("/proc/thread-self/net/if_inet6") as file:
            has_ipv6 = bool(file.readline())
    except OSError:
        has_ipv6 = False
    return (socket.AF_INET6, "::") if has_ipv6 else (socket.AF_INET, "0.0.0.0")


def listening(kind: int, port: int, address: str = "") -> socket.socket:
    """A socket bound to the port and an address, or to all (both families in one). OSError when it is taken."""
    family, everything = wildcard()
    if address:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and not address:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((address or everything, port))
    except BaseException:
        made.close()
        raise
    return made


def plain(address: str) -> str:
    """An address as its owner writes it: that of an IPv4 peer without the prefix that IPv6 sockets give it."""
    return address.removeprefix(MAPPED) if "." in address else address
