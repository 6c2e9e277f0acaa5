"""The bytes that nftables' netlink messages are made of (linux/netfilter/nf_tables.h, RFC 3549 section 2.3)."""

from __future__ import annotations

import socket
import struct

from netlab.netfilter.nft import Verdict

NEWTABLE, GETTABLE, NEWCHAIN, DELCHAIN, NEWRULE, DELRULE = 0, 1, 3, 5, 6, 8
NEWSET, DELSET, NEWSETELEM, DELSETELEM = 9, 11, 12, 14
SUBSYSTEM, REQUEST, ACK, EXCLUSIVE, CREATE, APPEND = 10, 1, 4, 0x200, 0x400, 0x800
NESTED = 0x8000
FAMILIES = {"ip": int(socket.AF_INET), "ip6": int(socket.AF_INET6)}
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
CODES = {"drop": 0, "accept": 1, "jump": -3, "goto": -4, "return": -5}

_HEAD = struct.Struct("=IHHIIBBH").pack
_ATTRIBUTE = struct.Struct("=HH").pack
_TO_CHAIN = struct.Struct("=HHHH8s").pack
_PADDING = b"", b"\0\0\0", b"\0\0", b"\0"
_ENDS = b"\0", b"\0\0\0\0", b"\0\0\0", b"\0\0"  # of strings


class LeftToNft(Exception):
    """There is something that only nft knows how to say."""


def message(kind: int, flags: int, family: int, body: bytes) -> bytes:
    """A request about tables of a family."""
    return _HEAD(20 + len(body), SUBSYSTEM << 8 | kind, REQUEST | flags, 0, 0, family, 0, 0) + body


def attribute(kind: int, body: bytes) -> bytes:
    """A value under a number."""
    size = len(body)
    return _ATTRIBUTE(size + 4, kind) + body + _PADDING[size & 3]


def nest(kind: int, body: bytes) -> bytes:
    """Attributes under a number."""
    return _ATTRIBUTE(len(body) + 4, kind | NESTED) + body


def text(kind: int, value: str) -> bytes:
    """A string."""
    data = value.encode()
    size = len(data) + 1
    return _ATTRIBUTE(size + 4, kind) + data + _ENDS[size & 3]


def number(kind: int, value: int) -> bytes:
    """A number of 32 bits."""
    return attribute(kind, struct.pack(">I", value))


def data(value: bytes) -> bytes:
    """What registers have, as a value."""
    return attribute(1, value)


def verdict(found: Verdict) -> bytes:
    """What a step does, or what a map has for a key."""
    if not found.chain:
        return nest(2, nest(2, _CODES[found.kind]))
    name = text(2, found.chain)
    size = len(name)
    return _TO_CHAIN(size + 16, 2 | NESTED, size + 12, 2 | NESTED, _CODES[found.kind]) + name


def expression(name: str, body: bytes) -> bytes:
    """One step of a rule."""
    return nest(1, text(1, name) + nest(2, body))


def note(kind: int, value: str) -> bytes:
    """User data with a comment, which the kernel keeps for nft."""
    return attribute(kind, noted(0, value.encode() + b"\0"))


def noted(kind: int, value: bytes) -> bytes:
    """An item of user data."""
    if len(value) > 255:
        raise LeftToNft
    return bytes([kind, len(value)]) + value


def packed(address: str) -> bytes:
    """An address's bytes."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


_CODES = {kind: attribute(1, struct.pack(">i", code)) for kind, code in CODES.items()}
