"""Rules as the kernel takes them: `struct ipt_entry`, then matches, then the target (linux/netfilter_ipv4/ip_tables.h).

IPv6 has longer addresses and a `struct ip6t_entry` (linux/netfilter_ipv6/ip6_tables.h); matches and targets are the
same, but for the numbers of ICMP answers.

Sizes and revisions of extensions are those of iptables 1.8 and Linux 5.x to 6.x; a kernel that knows others refuses
the whole table with EINVAL.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, NamedTuple

from netlab.model.family import IPV4, IPV6, family_of
from netlab.netfilter.rule import (
    ANY_PORT,
    AddressType,
    Chance,
    Comment,
    Dnat,
    Jump,
    Marked,
    Masquerade,
    Ports,
    Recent,
    Redirect,
    Reject,
    Rule,
    SetMark,
    State,
    Target,
)

PROTOCOLS = {"": 0, "icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132}
STATES = {"INVALID": 1, "ESTABLISHED": 2, "RELATED": 4, "NEW": 8, "SNAT": 0x40, "DNAT": 0x80, "UNTRACKED": 0x100}
TYPES = {"": 0, "UNICAST": 2, "LOCAL": 4, "BROADCAST": 8, "MULTICAST": 32}
RECENT = {"rcheck": 1, "set": 2, "update": 4, "remove": 8}
REJECT = {"icmp-net-unreachable": 0, "icmp-host-unreachable": 1, "icmp-proto-unreachable": 2,
          "icmp-port-unreachable": 3, "icmp-net-prohibited": 5, "icmp-host-prohibited": 6, "tcp-reset": 7,
          "icmp-admin-prohibited": 8}
REJECT6 = {"icmp6-no-route": 0, "icmp6-adm-prohibited": 1, "icmp6-addr-unreachable": 3, "icmp6-port-unreachable": 4,
           "tcp-reset": 6, "icmp6-policy-fail": 7, "icmp6-reject-route": 8}
INVERTED = {"in_interface": 1, "out_interface": 2, "source": 8, "destination": 0x10, "protocol": 0x40}
PROTOCOL_GIVEN = 1  # in ip6t_ip6.flags; IPv4 knows it by the number


class Layout(NamedTuple):
    """How a family's entries are laid out.

    `size` is that of struct ipt_entry or ip6t_entry without extensions, `cache` and `origin` (followed by the counters)
    are where the kernel and libiptc make notes, `goto` a bit of the flags.
    """

    address: int
    head: struct.Struct  # struct ipt_ip after its addresses, nfcache
    tail: struct.Struct  # target_offset, next_offset, comefrom, counters
    goto: int
    protocol_given: int
    size: int
    cache: int
    origin: int


LAYOUT = {
    IPV4: Layout(4, struct.Struct("<16s16s16s16sHBBI"), struct.Struct("<HHIQQ"), 2, 0, 112, 84, 92),
    IPV6: Layout(16, struct.Struct("<16s16s16s16sHxBB3xI"), struct.Struct("<HHI4xQQ"), 4, PROTOCOL_GIVEN, 168, 136,
                 144),
}
SOCKETS = {IPV4: AF_INET, IPV6: AF_INET6}
_EXTENSION = struct.Struct("<H29sB")  # size, name, revision


def pack(rule: Rule, family: str = IPV4) -> bytes:
    """The rule as one entry of that family; jumps carry the name of their chain, libiptc makes offsets of them."""
    matches, target, source, destination, protocol, inside, outside, inverted = rule
    parts = [_MATCHES[type(match)](match) for match in matches]
    packed = _target(target, family)
    offset = LAYOUT[family].size + sum(map(len, parts))
    goto = type(target) is Jump and target.goto
    from_address, from_mask = _network(source, family)
    to_address, to_mask = _network(destination, family)
    return b"".join((from_address, to_address, from_mask, to_mask,
                     _rest(protocol, inside, outside, inverted, goto, family),
                     _tail(offset, offset + len(packed), family), *parts, packed))


def _target(target: Target | None, family: str) -> bytes:
    if target is None:
        return _NOTHING
    own = _OWN_TARGETS.get(type(target))
    return own(target, family) if own else _TARGETS[type(target)](target)


@lru_cache(maxsize=1024)
def _rest(protocol: str, in_interface: str, out_interface: str, inverted: frozenset[str], goto: bool,
          family: str) -> bytes:
    (inside, inside_mask), (outside, outside_mask) = _interface(in_interface), _interface(out_interface)
    inversions = sum(INVERTED[field] for field in inverted)
    layout = LAYOUT[family]
    flags = (layout.goto if goto else 0) | (layout.protocol_given if protocol else 0)
    return layout.head.pack(inside, outside, inside_mask, outside_mask, PROTOCOLS[protocol], flags, inversions, 0)


@lru_cache(maxsize=256)
def _tail(target: int, size: int, family: str) -> bytes:
    return LAYOUT[family].tail.pack(target, size, 0, 0, 0)


@lru_cache(maxsize=4096)
def _network(cidr: str, family: str) -> tuple[bytes, bytes]:
    size = LAYOUT[family].address
    if not cidr:
        return bytes(size), bytes(size)
    address, _, length = cidr.partition("/")
    bits = 8 * size
    mask = (1 << bits) - (1 << bits - int(length))
    return binary(address, family), mask.to_bytes(size, "big")


def binary(address: str, family: str) -> bytes:
    """The address as it stands in rules; OSError if it is not of the family."""
    return inet_pton(SOCKETS[family], address)


def _interface(name: str) -> tuple[bytes, bytes]:
    if not name:
        return b"", b""
    # eth0: all of it and its end count. veth+: only what is before the +.
    length = len(name) - 1 if name.endswith("+") else len(name) + 1
    return name.encode(), b"\xff" * length


def _extension(name: str, revision: int, data: bytes) -> bytes:
    size = 32 + len(data) + 7 & ~7
    return (_EXTENSION.pack(size, name.encode(), revision) + data).ljust(size, b"\0")


_NOTHING = _extension("", 0, bytes(8))
_COMMENT = _EXTENSION.pack(288, b"comment", 0)


def comment_text(text: str) -> bytes:
    """The data of a comment match; ValueError if the text is too long."""
    data = text.encode()
    if len(data) > 255:
        raise ValueError(f"a rule's comment has at most 255 bytes: {text!r}")
    return data.ljust(256, b"\0")


def _comment(match: Comment) -> bytes:
    return _COMMENT + comment_text(match.text)


@lru_cache(maxsize=1024)
def _ports(match: Ports) -> bytes:
    if match.protocol == "tcp":  # ..., option, flag mask, flags, inversions
        return _extension("tcp", 0, struct.pack("<HHHHBBBB", *match.source, *match.destination, 0, 0, 0, 0))
    if match.protocol == "udp":
        return _extension("udp", 0, struct.pack("<HHHHB", *match.source, *match.destination, 0))
    # sctp: destination first; then chunk types (none, four unused flags); flags 1: source, 2: destination ports.
    flags = (match.source != ANY_PORT) | (match.destination != ANY_PORT) << 1
    ports = struct.pack("<HHHH", *_sctp(match.destination), *_sctp(match.source))
    return _extension("sctp", 0, ports + bytes(260) + b"\xff\0\0" * 4 + struct.pack("<III", 0, flags, 0))


def _sctp(ports: tuple[int, int]) -> tuple[int, int]:
    return (0, 0) if ports == ANY_PORT else ports


@lru_cache(maxsize=64)
def _state(match: State) -> bytes:
    states = sum(STATES[state] for state in match.states)
    fields = struct.pack("<HHHH", 1 | match.old_name << 13, int(match.inverted), states, 0)  # what is matched, inverted
    return _extension("conntrack", 3, bytes(146) + fields + bytes(8))


@lru_cache(maxsize=64)
def _marked(match: Marked) -> bytes:
    return _extension("mark", 1, struct.pack("<IIB", match.value, match.mask, match.inverted))


@lru_cache(maxsize=1024)
def _chance(match: Chance) -> bytes:
    return _extension("statistic", 0, struct.pack("<HHIIIQ", 0, 0, match.share, 0, match.share, 0))


@lru_cache(maxsize=64)
def _address_type(match: AddressType) -> bytes:
    return _extension("addrtype", 1, struct.pack("<HHI", TYPES[match.source], TYPES[match.destination],
                                                    int(match.not_source)))


def _recent(match: Recent) -> bytes:
    checks = RECENT[match.action] | (0x20 if match.reap else 0)
    data = struct.pack("<IIBB200sBx", match.seconds, 0, checks, 0, match.name.encode(), 0)
    return _extension("recent", 1, data + binary(match.mask, family_of(match.mask)).ljust(16, b"\0"))


def _jump(target: Jump) -> bytes:
    name = target.chain.encode()
    if len(name) > 28:
        raise ValueError(f"a chain's name has at most 28 characters: {target.chain!r}")
    return _EXTENSION.pack(40, name, 0) + bytes(8)


@lru_cache(maxsize=64)
def _set_mark(target: SetMark) -> bytes:
    return _extension("MARK", 2, struct.pack("<II", target.value, target.mask))


def _redirect(target: Redirect, family: str) -> bytes:
    if family == IPV6:  # struct nf_nat_range: flags (a port is given), two addresses, two ports
        return _extension("REDIRECT", 0, struct.pack("<I32x", 2) + struct.pack(">HH", target.port, target.port))
    return _extension("REDIRECT", 0, struct.pack("<IIII", 1, 2, 0, 0) + struct.pack(">HH", target.port, target.port))


@lru_cache(maxsize=4)
def _masquerade(target: Masquerade, family: str) -> bytes:
    flags = 0x10 if target.random_fully else 0
    if family == IPV6:  # struct nf_nat_range: flags, two addresses, two ports
        return _extension("MASQUERADE", 0, struct.pack("<I36x", flags))
    return _extension("MASQUERADE", 0, struct.pack("<IIIIHH", 1, flags, 0, 0, 0, 0))


_DNAT = _EXTENSION.pack(80, b"DNAT", 2) + struct.pack("<I", 3)  # flags: an address and a port are given


def _dnat(target: Dnat) -> bytes:
    address = binary(target.address, family_of(target.address)).ljust(16, b"\0")
    port = target.port.to_bytes(2, "big")
    return b"".join((_DNAT, address, address, port, port, bytes(8)))


@lru_cache(maxsize=16)
def _reject(target: Reject, family: str) -> bytes:
    answers = REJECT6 if family == IPV6 else REJECT
    return _extension("REJECT", 0, struct.pack("<I", answers[target.answer]))


_MATCHES: dict[type, Callable[[Any], bytes]] = {
    Comment: _comment, Ports: _ports, State: _state, Marked: _marked, Chance: _chance,
    AddressType: _address_type, Recent: _recent,
}
_TARGETS: dict[type, Callable[[Any], bytes]] = {
    Jump: _jump, SetMark: _set_mark, Dnat: _dnat,
}
_OWN_TARGETS: dict[type, Callable[[Any, str], bytes]] = {  # by family
    Masquerade: _masquerade, Redirect: _redirect, Reject: _reject,
}
