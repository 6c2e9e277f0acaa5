"""Rules as the kernel has them: steps that load registers, compare them, and act; as nft makes them of its text.

What is not known here is left to nft. Constants are made once: a thousand Services have ten thousand rules.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from netlab.kernel.nftables_words import (
    FAMILIES,
    PROTOCOLS,
    LeftToNft,
    attribute,
    data,
    expression,
    nest,
    number,
    packed,
    text,
    verdict,
)
from netlab.netfilter.nft import (
    Action,
    ChangeMark,
    Compare,
    Dnat,
    Lookup,
    Masquerade,
    Match,
    Reject,
    Unmarked,
    Update,
    Verdict,
)

EQUAL, UNEQUAL = 0, 1
NETWORK, TRANSPORT = 1, 2  # the header that an offset counts from
_ADDRESSES = {"ip saddr": (12, 4), "ip daddr": (16, 4), "ip6 saddr": (8, 16), "ip6 daddr": (24, 16)}
_META = {"mark": 3, "iifname": 6, "l4proto": 16}
_FIB = {"fib saddr type": 1, "fib daddr type": 2}
_LOCAL = struct.pack("=I", 2)  # RTN_LOCAL
_STATE_NEW = struct.pack("=I", 8)
_NAME_SIZE = 16  # of an interface, with its zero
_ANYWHERE = -1
_PORT_UNREACHABLE = {"ip": 3, "ip6": 4}
_FULLY_RANDOM = 0x10


def match_words(match: Match) -> bytes:
    """The steps that go on when the packet is like that. LeftToNft also for several values, which need a set."""
    if isinstance(match, Unmarked):
        return _unmarked(match.mask)
    key, values, inverted = match
    if len(values) > 1:
        raise LeftToNft
    operator = UNEQUAL if inverted else EQUAL
    if key in _ADDRESSES:
        return _address(key, values[0], operator)
    if key == "meta l4proto" and values[0] in PROTOCOLS:
        return _protocol(values[0], operator)
    return _rarely(match, operator)


def action_words(action: Action, family: str) -> bytes:
    """The steps that do it."""
    make = _ACTIONS.get(type(action))
    if make is None:
        raise LeftToNft
    return make(action, family)


def load(key: str, register: int = 1, *, size: int = _ANYWHERE) -> bytes:
    """A step that puts something of the packet into a register."""
    if key in _ADDRESSES:
        offset, whole = _ADDRESSES[key]
        return _payload(NETWORK, offset, whole if size == _ANYWHERE else size, register)
    if key == "th dport":
        return _payload(TRANSPORT, 2, 2, register)
    name = key.removeprefix("meta ")
    if name in _META:
        return expression("meta", number(2, _META[name]) + number(1, register))
    raise LeftToNft


def lookup(name: str, *, inverted: bool = False, answers: bool = False, number_of: bytes = b"") -> bytes:
    """A step that looks register 1 up in a set, or for a verdict in a map."""
    return expression("lookup", text(1, name) + _ONE_AS_2 + (number(3, 0) if answers else b"") + number_of
                      + (number(5, 1) if inverted else b""))


def compare(operator: int, value: bytes) -> bytes:
    """A step that compares register 1."""
    return expression("cmp", number(1, 1) + number(2, operator) + nest(3, data(value)))


def _payload(header: int, offset: int, size: int, register: int) -> bytes:
    return expression("payload", number(1, register) + number(2, header) + number(3, offset) + number(4, size))


def _masked(mask: bytes, xor: bytes) -> bytes:
    return expression("bitwise", number(1, 1) + number(2, 1) + number(3, len(mask)) + nest(4, data(mask))
                      + nest(5, data(xor)))


def _address(key: str, value: str, operator: int) -> bytes:
    if value[0] == "@":
        return _loaded(key) + lookup(value[1:], inverted=operator == UNEQUAL)
    if "/" in value:
        return _network(key, value, operator)
    if "-" in value:
        ends = [packed(end) for end in value.split("-")]
        return _loaded(key) + expression("range", number(1, 1) + number(2, operator) + nest(3, data(ends[0]))
                                         + nest(4, data(ends[1])))
    return _to_whole_address(key, operator) + packed(value)


@lru_cache(64)
def _network(key: str, value: str, operator: int) -> bytes:
    network = ip_network(value)
    size, rest = divmod(network.prefixlen, 8)
    address = network.network_address.packed
    if size and not rest:
        return load(key, size=size) + compare(operator, address[:size])
    return load(key) + _masked(network.netmask.packed, bytes(len(address))) + compare(operator, address)


@lru_cache(8)
def _loaded(key: str) -> bytes:
    return load(key)


@lru_cache(16)
def _to_whole_address(key: str, operator: int) -> bytes:
    """The steps up to the address itself, which is the end of them."""
    size = _ADDRESSES[key][1]
    return (load(key) + compare(operator, bytes(size)))[:-size]


@lru_cache(16)
def _protocol(value: str, operator: int) -> bytes:
    return load("meta l4proto") + compare(operator, bytes([PROTOCOLS[value]]))


def _rarely(match: Compare, operator: int) -> bytes:
    key, (value,), _ = match
    if key.endswith(" dport") and key.split()[0] in PROTOCOLS and value.isdigit():
        return _protocol(key.split()[0], EQUAL) + load("th dport") + compare(operator, struct.pack(">H", int(value)))
    if key in _FIB and value == "local":
        return expression("fib", number(3, _FIB[key]) + number(2, 3) + number(1, 1)) + compare(operator, _LOCAL)
    if key == "ct state" and value == "new" and operator == EQUAL:
        return expression("ct", number(2, 0) + number(1, 1)) + _masked(_STATE_NEW, bytes(4)) \
            + compare(UNEQUAL, bytes(4))
    if key == "iifname" and len(value) > 2 and value[0] == value[-1] == '"':
        name = value[1:-1].encode()
        whole = name[:-1] if name.endswith(b"*") else name.ljust(_NAME_SIZE, b"\0")
        if 0 < len(whole) <= _NAME_SIZE and not whole.endswith(b"\\"):
            return load("iifname") + compare(operator, whole)
    raise LeftToNft


@lru_cache(8)
def _unmarked(mask: int) -> bytes:
    return load("mark") + _masked(struct.pack("=I", mask), bytes(4)) + compare(EQUAL, bytes(4))


def _changed_mark(action: ChangeMark, _: str) -> bytes:
    kept = {"|": ~action.value & 0xFFFFFFFF, "^": 0xFFFFFFFF}.get(action.operator)
    if kept is None:
        raise LeftToNft
    return load("mark") + _masked(struct.pack("=I", kept), struct.pack("=I", action.value)) \
        + expression("meta", number(2, _META["mark"]) + number(3, 1))


def _looked_up(action: Lookup, _: str) -> bytes:
    """The parts of a concatenation lie one behind the other, in registers of four bytes."""
    words, place = b"", 0
    for key in action.keys:
        words += load(key, 8 + place // 4 if place else 1)
        place += _ADDRESSES[key][1] if key in _ADDRESSES else 4
    return words + lookup(action.map, answers=True)


def _natted(action: Dnat, family: str) -> bytes:
    before, between, after = _nat_words(family)
    return before + packed(action.address) + between + struct.pack(">H", action.port) + after


@lru_cache(2)
def _nat_words(family: str) -> tuple[bytes, bytes, bytes]:
    """What stands before, between and behind address and port."""
    size = ip_address("::" if family == "ip6" else "0.0.0.0").max_prefixlen // 8
    address = expression("immediate", number(1, 1) + nest(2, data(bytes(size))))
    port = expression("immediate", number(1, 2) + nest(2, data(bytes(2))))
    nat = expression("nat", number(1, 1) + number(2, FAMILIES[family]) + number(3, 1) + number(5, 2))
    return address[:-size], port[:-4], bytes(2) + nat


def _decided(action: Verdict, _: str) -> bytes:
    return _at_once(action)


@lru_cache(64)
def _at_once(action: Verdict) -> bytes:
    return expression("immediate", number(1, 0) + verdict(action))


def _updated(action: Update, _: str) -> bytes:
    if action.key not in _ADDRESSES:
        raise LeftToNft
    return _loaded(action.key) + expression("dynset", number(4, 1) + number(3, 1) + text(1, action.set))


def _rejected(_: Reject, family: str) -> bytes:
    return expression("reject", number(1, 0) + attribute(2, bytes([_PORT_UNREACHABLE[family]])))


def _masqueraded(_: Masquerade, family: str) -> bytes:
    return expression("masq", number(1, _FULLY_RANDOM))


_ONE_AS_2 = number(2, 1)
_ACTIONS: dict[type, Callable[[Any, str], bytes]] = {
    Verdict: _decided, Dnat: _natted, Lookup: _looked_up, Update: _updated, ChangeMark: _changed_mark,
    Reject: _rejected, Masquerade: _masqueraded}
