"""Sockets that belong to a netns, for use from outside of it: a socket keeps the netns that it was made in."""

from __future__ import annotations

import socket

from netlab.kernel.netns import visit


def tcp(netns: str, family: int = socket.AF_INET) -> socket.socket:
    """A non-blocking TCP socket of that netns, not connected. FileNotFoundError when there is no such netns."""
    return _make(netns, family, socket.SOCK_STREAM)


def udp(netns: str, family: int = socket.AF_INET) -> socket.socket:
    """A non-blocking UDP socket of that netns, not bound."""
    return _make(netns, family, socket.SOCK_DGRAM)


def listen(netns: str, address: str, port: int, *, backlog: int = 128, one_family: bool = False) -> socket.socket:
    """A non-blocking TCP socket that listens in that netns. OSError when the address is taken or not there.

    At "::" it takes connections of IPv4 as well, unless `one_family`.
    """
    made = _make(netns, family_of(address), socket.SOCK_STREAM)
    try:
        _only(made, one_family=one_family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(backlog)
    except BaseException:
        made.close()
        raise
    return made


def bind_udp(netns: str, address: str, port: int, *, one_family: bool = False) -> socket.socket:
    """A non-blocking UDP socket bound in that netns. OSError when the address is taken or not there."""
    made = _make(netns, family_of(address), socket.SOCK_DGRAM)
    try:
        _only(made, one_family=one_family)
        made.bind((address, port))
    except BaseException:
        made.close()
        raise
    return made


def _only(made: socket.socket, *, one_family: bool) -> None:
    if one_family and made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def family_of(address: str) -> int:
    """The socket family of an address; "" counts as IPv4."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def abstract_datagram(netns: str) -> socket.socket:
    """A non-blocking unix datagram socket; abstract addresses are private to the netns (unix(7))."""
    return _make(netns, socket.AF_UNIX, socket.SOCK_DGRAM)


def _make(netns: str, family: int, kind: int) -> socket.socket:
    made = visit(netns, lambda: socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC))
    if kind == socket.SOCK_STREAM:
        # asyncio does so only for sockets whose protocol is named; what a listener accepts inherits it.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
