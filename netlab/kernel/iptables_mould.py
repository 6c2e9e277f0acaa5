"""Parts of tables packed. Parts of one shape are cast: the sample is packed once, the others differ in a few places.

Where the sample's words are in its packed rules is found by looking for them; a comment is filled in as text. One join
and one unpack then make all rules of a part.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from operator import itemgetter
from socket import AF_INET6, inet_aton, inet_pton
from typing import Any

from netlab.kernel.iptables_pack import comment_text, pack
from netlab.model.family import IPV4
from netlab.netfilter.part import Part, Words

Packed = Sequence[tuple[bytes, tuple[bytes, ...]]]  # chains with their rules, as far as they are in the part
_COMMENT = struct.pack("<H29sB", 288, b"comment", 0)


def packed(part: Part) -> Packed:
    """The part's chains with their rules packed; done once."""
    if part.packed is None:
        shape = part.shape
        part.packed = _mould(shape.sample).cast(shape.words) if shape else _pack(part)
    return part.packed  # type: ignore[return-value]


def _pack(part: Part) -> Packed:
    return [(chain.name.encode(), tuple([pack(rule, part.family) for rule in chain.rules])) for chain in part.chains]


def _mould(sample: Part) -> Mould:
    if sample.packed is None:
        sample.packed = Mould(sample)
    return sample.packed  # type: ignore[return-value]


class Mould:
    """Makes the packed rules of any part that has the sample's shape."""

    def __init__(self, sample: Part) -> None:
        chains = _pack(sample)
        sizes = [len(name) for name, _ in chains] + [len(rule) for _, rules in chains for rule in rules]
        data = b"".join([name for name, _ in chains] + [rule for _, rules in chains for rule in rules])
        self._unpack = struct.Struct("".join(f"{size}s" for size in sizes)).unpack
        self._spans = []
        position = len(chains)
        for _, rules in chains:
            self._spans.append((position, position + len(rules)))
            position += len(rules)
        words, self._family = sample.words, sample.family
        comments, slots = _comments(data, words)
        self._comments = list(comments.values())
        first = len(self._comments)
        data = _without(data, slots)
        for n, value in enumerate(_binary(words, self._family)):
            for offset in _places(data, value):
                slots.append((offset, len(value), first + n))
        self._first = first + len(_binary(words, self._family))
        self._pieces, order = _cut(data, sorted(slots), self._first)
        self._order: Callable[[Sequence[bytes]], tuple[bytes, ...]] = itemgetter(*order)

    def cast(self, words: Words) -> Packed:
        """The chains with these words."""
        texts = (*words.names, *words.addresses, *words.ports)
        values = [comment_text(make(texts)) for make in self._comments]
        found = self._unpack(b"".join(self._order((*values, *_binary(words, self._family), *self._pieces))))
        return [(found[n], found[a:b]) for n, (a, b) in enumerate(self._spans)]


def _binary(words: Words, family: str) -> list[bytes]:
    """The words as they stand in packed rules."""
    packed_address = inet_aton if family == IPV4 else partial(inet_pton, AF_INET6)
    return [*[label.encode() for label in words.labels], *map(packed_address, words.addresses),
            *map(_matched, words.ports), *map(_destination, words.ports)]


@lru_cache(maxsize=4096)
def _matched(port: int) -> bytes:
    return struct.pack("<HH", port, port)


@lru_cache(maxsize=4096)
def _destination(port: int) -> bytes:
    return struct.pack(">HH", port, port)


def _comments(data: bytes, words: Words) -> tuple[dict[str, Callable[[Any], str]], list[tuple[int, int, int]]]:
    """What makes the comments that have words in them, by the sample's text; where such comments are."""
    texts = (*words.names, *words.addresses, *map(str, words.ports))
    found: dict[str, Callable[[Any], str]] = {}
    slots = []
    for offset in _places(data, _COMMENT):
        start = offset + len(_COMMENT)
        text = data[start:start + 256].rstrip(b"\0").decode()
        if any(word in text for word in texts):
            found.setdefault(text, _template(text, texts))
            slots.append((start, 256, list(found).index(text)))
    return found, slots


def _template(text: str, words: Sequence[str]) -> Callable[[Any], str]:
    text = text.replace("{", "{{").replace("}", "}}")
    for n, word in enumerate(words):
        text = text.replace(word, f"{{{n}}}")
    return lambda values: text.format(*values)


def _places(data: bytes, value: bytes) -> list[int]:
    found, offset = [], data.find(value)
    while offset >= 0:
        found.append(offset)
        offset = data.find(value, offset + len(value))
    return found


def _without(data: bytes, slots: Sequence[tuple[int, int, int]]) -> bytes:
    rest = bytearray(data)
    for offset, size, _ in slots:
        rest[offset:offset + size] = bytes(size)
    return bytes(rest)


def _cut(data: bytes, slots: Sequence[tuple[int, int, int]], first: int) -> tuple[tuple[bytes, ...], list[int]]:
    """What is between the slots, and the order in which values (before `first`) and these pieces make the whole."""
    pieces: dict[bytes, int] = {}
    order, position = [], 0
    for offset, size, value in (*slots, (len(data), 0, -1)):
        between = data[position:offset]
        if between:
            order.append(first + pieces.setdefault(between, len(pieces)))
        if value >= 0:
            order.append(value)
        position = offset + size
    return tuple(pieces), order
