"""Sets and maps as messages: those with a name, their elements, and those that a rule has for itself."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_network

from netlab.kernel.nftables_words import (
    CREATE,
    EXCLUSIVE,
    NEWSET,
    NEWSETELEM,
    PROTOCOLS,
    LeftToNft,
    attribute,
    data,
    message,
    nest,
    note,
    noted,
    number,
    packed,
    text,
    verdict,
)
from netlab.netfilter.nft import Collection, Element, Key, Verdict
from netlab.netfilter.nft_render import SIZE

FULL = 60_000  # bytes of elements in a message: an attribute has at most 65,535
_ANONYMOUS, _CONSTANT, _INTERVAL, _MAP, _TIMEOUT, _EVAL = 1, 2, 4, 8, 16, 32
_TYPES = {"ipv4_addr": (7, 4), "ipv6_addr": (8, 16), "inet_proto": (12, 1), "inet_service": (13, 2)}
_INTEGER, _VERDICT = 4, 0xFFFFFF00
_HOST_ORDER, _NETWORK_ORDER = (noted(0, struct.pack("=I", order)) for order in (1, 2))
_END = number(3, 1)  # of an interval: the first that is not in it
_OPEN = attribute(6, noted(1, struct.pack("=I", 1)))  # an interval up to the last address

# Anonymous sets have names, too. A "%d" in one makes the kernel read the names of all sets of the table for a number
# that is free, so we give them ourselves; after another process in the same table, another beginning.
_BEGINNING = f"__{os.urandom(2).hex()}."
_numbers = itertools.count(1)


def named(table: bytes, family: int, found: Collection) -> bytes:
    """The message that makes a set or map."""
    parts = found.type.removesuffix(" : verdict").split(" . ")
    if not _TYPES.keys() >= set(parts):
        raise LeftToNft
    kind = size = 0
    for part in parts:
        code, length = _TYPES[part]
        kind, size = kind << 6 | code, size + (length + 3 & ~3 if len(parts) > 1 else length)
    flags = (_MAP if found.is_map else 0) | (_TIMEOUT | _EVAL if found.timeout else 0)
    body = table + text(2, found.name) + number(3, flags) + number(4, kind) + number(5, size)
    if found.is_map:
        body += number(6, _VERDICT) + number(7, 0)
    body += number(10, next(_numbers))
    if found.timeout:
        body += nest(9, number(1, SIZE)) + attribute(11, struct.pack(">Q", found.timeout * 1000))
    user = noted(0, struct.pack("=I", 0 if len(parts) > 1 else 2)) \
        + (noted(1, bytes(4)) if found.is_map else b"") \
        + (noted(7, found.comment.encode() + b"\0") if found.comment else b"")
    return message(NEWSET, CREATE | EXCLUSIVE, family, body + attribute(13, user))


def elements(kind: int, table: bytes, family: int, name: str, pairs: Iterable[tuple[Key, Element]]) -> Iterator[bytes]:
    """The messages that put elements into a set, or take them out."""
    head, body, size = table + text(2, name), [], 0
    flags = CREATE if kind == NEWSETELEM else 0
    for key, element in pairs:
        body.append(_element(key, element))
        size += len(body[-1])
        if size > FULL:
            yield message(kind, flags, family, head + nest(3, b"".join(body)))
            body, size = [], 0
    if body:
        yield message(kind, flags, family, head + nest(3, b"".join(body)))


def spread(table: bytes, family: int, chains: Sequence[str]) -> tuple[str, bytes, bytes]:
    """A rule's own map from 0, 1, ... to chains: its name, what refers to it, and the messages that make it."""
    body = b"".join([nest(1, _place(place) + verdict(Verdict("goto", chain))) for place, chain in enumerate(chains)])
    if len(body) > FULL:
        raise LeftToNft
    return _anonymous(table, family, _map_of_numbers(len(chains)), body)


def values(table: bytes, family: int, found: Sequence[str], *, size: int) -> tuple[str, bytes, bytes]:
    """A rule's own set of addresses, CIDRs and ranges: as `spread`."""
    plain = not any("/" in value or "-" in value for value in found)
    body = b"".join(nest(1, nest(1, data(packed(value)))) for value in found) if plain else _intervals(found, size)
    if len(body) > FULL:
        raise LeftToNft
    kind, most = _TYPES["ipv4_addr" if size == 4 else "ipv6_addr"][0], len(found) if plain else len(found) * 2 + 1
    return _anonymous(table, family, number(3, _ANONYMOUS | _CONSTANT | (0 if plain else _INTERVAL)) + number(4, kind)
                      + number(5, size) + nest(9, number(1, most)) + attribute(13, _NETWORK_ORDER), body)


def _anonymous(table: bytes, family: int, properties: bytes, body: bytes) -> tuple[str, bytes, bytes]:
    place = next(_numbers)
    name = f"{_BEGINNING}{place:x}"
    made = message(NEWSET, CREATE | EXCLUSIVE, family, table + text(2, name) + properties + number(10, place))
    reference = number(4, place)  # among those of this transaction: quicker to find than a name
    return name, reference, made + message(NEWSETELEM, CREATE, family, table + reference + nest(3, body))


def _intervals(found: Sequence[str], size: int) -> bytes:
    ranges = sorted(map(_ends, found))
    past = 1 << size * 8
    if any(before[1] + 1 >= after[0] for before, after in itertools.pairwise(ranges)):
        raise LeftToNft

    def bound(place: int, more: bytes, behind: bytes) -> bytes:
        return nest(1, more + nest(1, data(place.to_bytes(size, "big"))) + behind)

    body = bound(0, _END, b"") if ranges[0][0] else b""
    for first, last in ranges:
        if last + 1 == past:
            return body + bound(first, b"", _OPEN)
        body += bound(first, b"", b"") + bound(last + 1, _END, b"")
    return body


def _ends(value: str) -> tuple[int, int]:
    if "-" in value:
        first, last = (int.from_bytes(packed(end), "big") for end in value.split("-"))
        return first, last
    network = ip_network(value)
    return int(network[0]), int(network[-1])


def _element(key: Key, element: Element) -> bytes:
    value = packed(key[0]) if len(key) == 1 else b"".join(map(_part, key))
    body = _before_key(len(value)) + value
    if element.verdict:
        body += verdict(element.verdict)
    return nest(1, body + note(6, element.comment) if element.comment else body)


@lru_cache(8)
def _before_key(size: int) -> bytes:
    return nest(1, data(bytes(size)))[:-size]


@lru_cache(64)
def _place(place: int) -> bytes:
    return nest(1, data(struct.pack("=I", place)))


@lru_cache(64)
def _map_of_numbers(size: int) -> bytes:
    return number(3, _ANONYMOUS | _CONSTANT | _MAP) + number(4, _INTEGER) + number(5, 4) + number(6, _VERDICT) \
        + number(7, 0) + nest(9, number(1, size)) + attribute(13, _HOST_ORDER)


def _part(part: str) -> bytes:
    """What a concatenation has of it: filled up to four bytes."""
    if part in PROTOCOLS:
        return bytes([PROTOCOLS[part], 0, 0, 0])
    return struct.pack(">HH", int(part), 0) if part.isdigit() else packed(part)
