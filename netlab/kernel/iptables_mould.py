"""Parts of tables packed. Parts of one shape are cast: the sample is packed once, the others differ in a few places.

Where the sample's words are in its packed rules is found by looking for them; a comment is filled in as text. All parts
of a shape are cast at once: what they have in one place is a column, and columns are joined without a loop of ours.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import repeat
from socket import AF_INET6, inet_aton, inet_pton
from typing import Any

from netlab.kernel.iptables_pack import comment_text
from netlab.kernel.iptables_packed import PackedPart, pack_part
from netlab.model.family import IPV4
from netlab.netfilter.part import Part, Words

_COMMENT = struct.pack("<H29sB", 288, b"comment", 0)
_packed_part = partial(tuple.__new__, PackedPart)  # from a tuple, without a constructor in Python


def pack_parts(parts: Sequence[Part]) -> list[PackedPart]:
    """The parts packed; done once for each."""
    shapes: dict[int, list[Part]] = {}
    for part in parts:
        if part.packed is None:
            if part.shape:
                shapes.setdefault(id(part.shape.sample), []).append(part)
            else:
                part.packed = pack_part(part)
    for alike in shapes.values():
        for part, packed in zip(alike, _cast(alike), strict=True):
            part.packed = packed
    return [part.packed for part in parts]  # type: ignore[misc]


def _cast(alike: Sequence[Part]) -> Iterable[PackedPart]:
    """Parts of one shape packed. The mould is kept with the sample: False if it does not even give the sample."""
    assert alike[0].shape
    sample = alike[0].shape.sample
    if sample.packed is None:
        mould = Mould(sample)
        sample.packed = mould.cast([sample.words]) == [mould.packed] and mould
    if not isinstance(sample.packed, Mould):
        return map(pack_part, alike)
    return sample.packed.cast([part.words for part in alike])


class Mould:
    """Makes the packed rules of parts that have the sample's shape."""

    def __init__(self, sample: Part) -> None:
        words, self._family = sample.words, sample.family
        texts = [column[0] for column in _texts([words])]
        values = [next(iter(column)) for column in _binary([words], sample.family)]
        labels = values[:len(words.labels)]
        # A chain that bears the part's own label is whole: no other part adds rules to it.
        self.packed = packed = pack_part(sample, labels)
        self._names = [_cut(name, [(len(name) - len(label), len(label), n) for n, label in enumerate(labels)
                                   if name.endswith(label)]) for name in packed.names]
        self._comments: dict[str, Callable[[Sequence[Sequence[str]]], list[bytes]]] = {}
        self._chains, self._pieces = [
            [self._order(data, texts, values) for data in some] for some in (packed.chains, packed.pieces)]
        self._used = {item for order in (*self._names, *self._chains, *self._pieces) for item in order}

    def cast(self, many: Sequence[Words]) -> list[PackedPart]:
        """The packed rules with these words, for each of them."""
        texts = _texts(many)
        columns: dict[int, Iterable[bytes]] = {
            n: list(column) for n, column in enumerate(_binary(many, self._family)) if n in self._used}
        columns |= {-1 - n: make(texts) for n, make in enumerate(self._comments.values())}

        def column(item: int | bytes) -> Iterable[bytes]:
            return columns[item] if isinstance(item, int) else repeat(item, len(many))

        def rows(orders: Sequence[Sequence[int | bytes]]) -> Iterable[tuple[bytes, ...]]:
            joined = [map(b"".join, zip(*map(column, order), strict=True)) for order in orders]
            return zip(*joined, strict=True) if joined else repeat((), len(many))

        return list(map(_packed_part, zip(rows(self._names), rows(self._chains), rows(self._pieces),
                                          repeat(self.packed.form, len(many)), strict=True)))

    def _order(self, data: bytes, texts: Sequence[str], values: Sequence[bytes]) -> list[int | bytes]:
        """The data cut: the numbers of columns, and what stands between them."""
        slots, rest = [], bytearray(data)
        for offset in _places(data, _COMMENT):
            start, end = offset + len(_COMMENT), offset + len(_COMMENT) + 256
            text = data[start:end].rstrip(b"\0").decode()
            if any(word in text for word in texts):
                self._comments.setdefault(text, _template(text, texts))
                slots.append((start, 256, -1 - list(self._comments).index(text)))
                rest[start:end] = bytes(256)
        slots += [(offset, len(value), n) for n, value in enumerate(values) for offset in _places(rest, value)]
        return _cut(data, sorted(slots))


def _texts(many: Sequence[Words]) -> list[Sequence[str]]:
    """The words that comments may have, as columns."""
    names, labels, addresses, ports = zip(*many, strict=True)
    return [*_turned(names), *_turned(labels), *_turned(addresses),
            *[list(map(str, column)) for column in _turned(ports)]]


def _binary(many: Sequence[Words], family: str) -> list[Iterable[bytes]]:
    """The words as they stand in packed rules, as columns that can be read once."""
    _, labels, addresses, ports = zip(*many, strict=True)
    packed_address = inet_aton if family == IPV4 else partial(inet_pton, AF_INET6)
    return [*[map(str.encode, column) for column in _turned(labels)],
            *[map(packed_address, column) for column in _turned(addresses)],
            *[map(_matched, column) for column in _turned(ports)],
            *[map(_destination, column) for column in _turned(ports)]]


def _turned(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))


@lru_cache(maxsize=4096)
def _matched(port: int) -> bytes:
    return struct.pack("<HH", port, port)


@lru_cache(maxsize=4096)
def _destination(port: int) -> bytes:
    return struct.pack(">HH", port, port)


def _template(text: str, words: Sequence[str]) -> Callable[[Sequence[Sequence[str]]], list[bytes]]:
    """What makes such comments of columns of other words."""
    text = text.replace("{", "{{").replace("}", "}}")
    found = [n for n, word in enumerate(words) if word in text]
    for place, n in enumerate(found):
        text = text.replace(words[n], f"{{{place}}}")
    return lambda columns: list(map(comment_text, map(text.format, *[columns[n] for n in found])))


def _places(data: bytes | bytearray, value: bytes) -> list[int]:
    found, offset = [], data.find(value)
    while offset >= 0:
        found.append(offset)
        offset = data.find(value, offset + len(value))
    return found


def _cut(data: bytes, slots: Sequence[tuple[int, int, int]]) -> list[int | bytes]:
    """What is between the slots, and their numbers in their places."""
    order: list[int | bytes] = []
    position = 0
    for offset, size, number in slots:
        order += [data[position:offset], number]
        position = offset + size
    return [item for item in (*order, data[position:]) if item != b""]
