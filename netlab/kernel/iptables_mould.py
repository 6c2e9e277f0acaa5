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

from netlab.kernel.iptables_pack import LAYOUT, comment_text, pack
from netlab.kernel.iptables_strand import Strand, strand, whole
from netlab.model.family import IPV4
from netlab.netfilter.part import Part, Words

Packed = Sequence[Strand]  # chains with their rules, as far as they are in the part
_COMMENT = struct.pack("<H29sB", 288, b"comment", 0)


def packed(part: Part) -> Packed:
    """The part's chains with their rules packed; done once."""
    if part.packed is None:
        mould = _mould(part.shape.sample) if part.shape else None
        part.packed = mould.cast(part.shape.words) if mould and part.shape else _pack(part)
    return part.packed  # type: ignore[return-value]


def _pack(part: Part) -> Packed:
    layout = LAYOUT[part.family]
    return [strand(chain.name.encode(), [pack(rule, part.family) for rule in chain.rules], layout)
            for chain in part.chains]


def _mould(sample: Part) -> Mould | None:
    """The sample's mould; None if there are rules in it that stand for their own place in the table."""
    if sample.packed is None:
        chains = _pack(sample)
        sample.packed = not any(chain.falls for chain in chains) and Mould(sample, chains)
    return sample.packed or None  # type: ignore[return-value]


class Mould:
    """Makes the packed rules of any part that has the sample's shape."""

    def __init__(self, sample: Part, chains: Packed) -> None:
        labels = [label.encode() for label in sample.words.labels]
        # A chain that bears the part's own label is whole: no other part adds rules to it.
        chains = [whole(chain.name, [chain], LAYOUT[sample.family])
                  if any(label in chain.name for label in labels) else chain for chain in chains]
        items = [item for chain in chains for item in (chain.name, chain.jump, *chain.items)]
        data = b"".join(items)
        self._unpack = struct.Struct("".join(f"{len(item)}s" for item in items)).unpack
        self._spans = []
        position = 0
        for chain in chains:
            start, position = position, position + 2 + len(chain.items)
            self._spans.append((start, start + 2, position, chain.sizes, chain.head, chain.foot))
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
        return [Strand(found[n], found[n + 1], found[start:stop], sizes, head, foot)
                for n, start, stop, sizes, head, foot in self._spans]


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
