"""Parts of tables packed: chains as the kernel keeps them, but for the jumps, which lead to other places in each table.

What is kept so is shared by all tables that it is in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from netlab.kernel.iptables_pack import LAYOUT, Layout, pack
from netlab.netfilter.part import Part
from netlab.netfilter.rule import Jump, Rule

VERDICTS = {b"DROP": -1, b"ACCEPT": -2, b"RETURN": -5}  # -NF_x - 1
STANDARD, ERROR = 40, 64  # sizes of these targets
AFTER = 8  # bytes from a verdict to the next entry: 4, and 4 of padding
NEXT = -1  # the target of a rule without one
_NAME = 30  # bytes from a target's name, as libiptc takes it, to its verdict
_TARGET = struct.Struct("<H30xi4x")  # size, verdict; the name is empty


class Form(NamedTuple):
    """What parts that differ only in words have in common.

    `shared` are the names of the chains that the pieces belong to, `sizes` those of the entries of each whole chain and
    then of each piece. A jump has three numbers: of its chain among the names (of its piece, behind all names); of
    bytes from the first rule there to its verdict; and of its target among the names.
    """

    shared: tuple[bytes, ...]
    sizes: tuple[tuple[int, ...], ...]
    jumps: tuple[tuple[int, int, int], ...]


class PackedPart(NamedTuple):
    """The chains of a part: whole ones, which are in no other part, and pieces of others.

    A whole chain begins and ends with an entry that only the kernel knows. `names` are those of the whole chains, and
    then of all else that is jumped to.
    """

    names: tuple[bytes, ...]
    chains: tuple[bytes, ...]
    pieces: tuple[bytes, ...]
    form: Form

    def rules(self, layout: Layout) -> Iterator[tuple[bytes, list[bytes]]]:
        """Each chain's rules as libiptc takes them: with names in the place of verdicts."""
        names, chains, pieces, form = self
        first, last = len(head(b"", layout)), len(foot(b"RETURN", layout))
        data = {n: bytearray(one[first:len(one) - last]) for n, one in enumerate(chains)}
        data |= {n: bytearray(one) for n, one in enumerate(pieces, len(names))}
        for number, place, target in form.jumps:
            if target != NEXT:
                data[number][place - _NAME:place - _NAME + len(names[target])] = names[target]
        for n, (name, one) in enumerate(zip((*names[:len(chains)], *form.shared), data.values(), strict=True)):
            sizes = form.sizes[n][1:-1] if n < len(chains) else form.sizes[n]
            yield name, [bytes(one[end - size:end]) for size, end in zip(sizes, accumulate(sizes), strict=True)]


def pack_part(part: Part, labels: Sequence[bytes] = ()) -> PackedPart:
    """The part's rules packed; chains that end with one of the labels are whole."""
    layout = LAYOUT[part.family]
    found = sorted([(chain.name.encode(), chain.rules) for chain in part.chains],
                   key=lambda pair: not pair[0].endswith(tuple(labels)))
    chains = [name for name, _ in found if name.endswith(tuple(labels))]
    jumped = [rule.target.chain.encode() for _, rules in found for rule in rules if type(rule.target) is Jump]
    names = {name: n for n, name in enumerate(dict.fromkeys([*chains, *jumped]))}
    data, sizes, jumps = [], [], []
    for n, (name, rules) in enumerate(found):
        packed = []
        for rule, end, blob in _ends(rules, part.family):
            if rule.target is None or type(rule.target) is Jump:
                blob = blob[:-STANDARD] + standard(0)
                number = n if n < len(chains) else n - len(chains) + len(names)
                jumps.append((number, end - AFTER, names[rule.target.chain.encode()] if rule.target else NEXT))
            packed.append(blob)
        if n < len(chains):
            packed = [head(name, layout), *packed, foot(b"RETURN", layout)]
        data.append(b"".join(packed))
        sizes.append(tuple(map(len, packed)))
    form = Form(tuple([name for name, _ in found[len(chains):]]), tuple(sizes), tuple(jumps))
    return PackedPart(tuple(names), tuple(data[:len(chains)]), tuple(data[len(chains):]), form)


def _ends(rules: Sequence[Rule], family: str) -> Iterator[tuple[Rule, int, bytes]]:
    """The rules packed, and where they end."""
    end = 0
    for rule in rules:
        packed = pack(rule, family)
        end += len(packed)
        yield rule, end, packed


def standard(verdict: int) -> bytes:
    """A target that goes to that place, or a verdict, for the kernel."""
    return _TARGET.pack(STANDARD, verdict)


def head(name: bytes, layout: Layout) -> bytes:
    """The entry in front of a chain that is not built-in; named ERROR, the last entry of a table."""
    return _blank(layout, ERROR) + struct.pack("<H30s32s", ERROR, b"ERROR", name)


def foot(verdict: bytes, layout: Layout) -> bytes:
    """A chain's last entry: its policy, or RETURN."""
    return _blank(layout, STANDARD) + standard(VERDICTS[verdict])


def _blank(layout: Layout, extension: int) -> bytes:
    """An entry that matches everything, without its extension of that size."""
    offsets = struct.pack("<HH", layout.size, layout.size + extension)
    return offsets.rjust(layout.origin, b"\0").ljust(layout.size, b"\0")
