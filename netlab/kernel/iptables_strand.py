"""Packed chains, cut where the kernel wants offsets: each jump stands apart, as libiptc takes it, with a chain's name.

What is kept so is joined to a table of any layout by looking up each jump, and is shared by all tables that it is in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from netlab.kernel.iptables_pack import Layout

VERDICTS = {b"DROP": -1, b"ACCEPT": -2, b"RETURN": -5}  # -NF_x - 1
STANDARD, ERROR = 40, 64  # sizes of these targets
_TARGET = struct.Struct("<H30xi4x")  # size, verdict; the name is empty
_JUMP = struct.Struct("<H29sB8x")  # the same for libiptc: size, name, revision
_SIZE = struct.Struct("<H")
_NOTHING = _JUMP.pack(STANDARD, b"", 0)


class Strand(NamedTuple):
    """A chain's rules, or some of them.

    `items` joined are the rules as libiptc takes them, and `sizes` their lengths. A whole chain has a `foot`, one that
    is not built-in a `head` too: entries that only the kernel keeps. `falls` are the items of rules without a target,
    which lead to what follows them: that many bytes after the strand's begin.
    """

    name: bytes
    jump: bytes
    items: tuple[bytes, ...]
    sizes: tuple[int, ...]
    head: int = 0
    foot: int = 0
    falls: tuple[tuple[bytes, int], ...] = ()

    def rules(self) -> list[bytes]:
        """The rules one by one, as libiptc takes them."""
        falls = {key for key, _ in self.falls}
        items = iter([_NOTHING if item in falls else item for item in self.items] if falls else self.items)
        found = [item if len(item) == size else item + next(items) for size, item in zip(self.sizes, items)]  # noqa: B905
        return found[self.head:len(found) - self.foot]


def strand(name: bytes, rules: Iterable[bytes], layout: Layout) -> Strand:
    """These rules, cut."""
    items: list[bytes] = []
    sizes = []
    falls: list[tuple[bytes, int]] = []
    for rule in rules:
        sizes.append(len(rule))
        (target,) = _SIZE.unpack_from(rule, layout.origin - 4)
        if len(rule) - target != STANDARD:
            items.append(rule)
            continue
        end = rule[target:]
        if end == _NOTHING:
            end += b"%s %d" % (name, len(falls))
            falls.append((end, sum(sizes)))
        items += (rule[:target], end)
    return Strand(name, jump(name), tuple(items), tuple(sizes), falls=tuple(falls))


def whole(name: bytes, pieces: Sequence[Strand], layout: Layout, *, policy: bytes | None = None) -> Strand:
    """The chain of these pieces, in their order; `policy` makes it a built-in one, which has no head."""
    head, foot = (() if policy else (_error(name, layout),)), (last(policy or b"RETURN", layout),)
    items, sizes, falls = list(head), list(map(len, head)), []
    for number, piece in enumerate(pieces):
        if piece.foot:
            piece = strand(name, piece.rules(), layout)
        for key, offset in piece.falls:
            own = key + b"/%d" % number
            falls.append((own, sum(sizes) + offset))
            piece = piece._replace(items=tuple([own if item == key else item for item in piece.items]))
        items += piece.items
        sizes += piece.sizes
    return Strand(name, jump(name), (*items, *foot), (*sizes, *map(len, foot)), len(head), 1, tuple(falls))


def jump(name: bytes) -> bytes:
    """A target that goes to the chain or verdict of that name, for libiptc."""
    return _JUMP.pack(STANDARD, name, 0)


def offset_target(offset: int) -> bytes:
    """A target that goes to that place, or a verdict, for the kernel."""
    return _TARGET.pack(STANDARD, offset)


def last(verdict: bytes, layout: Layout) -> bytes:
    """A chain's last entry, its policy or RETURN."""
    return _blank(layout, STANDARD) + offset_target(VERDICTS[verdict])


def end(layout: Layout) -> bytes:
    """A table's last entry."""
    return _error(b"ERROR", layout)


def _error(name: bytes, layout: Layout) -> bytes:
    """An entry with an ERROR target: in front of a chain it holds the name."""
    return _blank(layout, ERROR) + struct.pack("<H30s32s", ERROR, b"ERROR", name)


def _blank(layout: Layout, extension: int) -> bytes:
    """An entry that matches everything, without its extension of that size."""
    offsets = struct.pack("<HH", layout.size, layout.size + extension)
    return offsets.rjust(layout.origin, b"\0").ljust(layout.size, b"\0")
