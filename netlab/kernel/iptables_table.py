"""A whole table packed: what libiptc is given rule by rule, and what the kernel makes of it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, chain
from typing import NamedTuple

from netlab.kernel.iptables_mould import packed
from netlab.kernel.iptables_pack import LAYOUT, Layout
from netlab.model.family import IPV4, IPV6
from netlab.netfilter.ruleset import BUILTIN, Table

HOOKS = {"PREROUTING": 0, "INPUT": 1, "FORWARD": 2, "OUTPUT": 3, "POSTROUTING": 4}  # NF_INET_*
PROGRAMS = {IPV4: "iptables", IPV6: "ip6tables"}
_VERDICTS = {b"DROP": -1, b"ACCEPT": -2, b"RETURN": -5}  # -NF_x - 1
_STANDARD, _ERROR = 40, 64  # sizes of these targets
_TARGET = struct.Struct("<H30xi4x")  # size, verdict; the name is empty
_JUMP = struct.Struct("<H29sB8x")  # the same for libiptc: size, name, revision


class Image(NamedTuple):
    """The table's bytes as the kernel keeps them, where each entry begins, and first and last entry of each hook."""

    data: bytes
    offsets: list[int]
    hooks: dict[str, tuple[int, int]]


class PackedTable:
    """A table's chains in the kernel's order, with packed rules. `accepted` once a kernel has taken it."""

    def __init__(self, table: Table) -> None:
        self.name, self.family = table.name, table.family
        self.layout = LAYOUT[table.family]
        self.accepted = False
        builtin = [name.encode() for name in BUILTIN[table.name]]
        rules: dict[bytes, Sequence[bytes]] = dict.fromkeys(builtin, ())
        self.policies = dict.fromkeys(builtin, b"ACCEPT")
        for part in table.parts:
            if part.shape is None:
                self.policies.update((one.name.encode(), one.policy.encode())
                                     for one in part.chains if one.policy != "-")
            if part.family != table.family:
                raise ValueError(f"{table}: a part of it is {part.family}")
            for name, blobs in packed(part):
                known = rules.get(name)
                if not known:
                    rules[name] = blobs
                elif type(known) is list:
                    known.extend(blobs)
                else:
                    rules[name] = [*known, *blobs]
        self.user_chains = sorted(rules.keys() - set(builtin))
        self.names = frozenset(self.user_chains)
        self.chains = [(name, rules[name]) for name in (*builtin, *self.user_chains)]

    @property
    def program(self) -> str:
        """The program that people know its rules by."""
        return PROGRAMS[self.family]

    @property
    def _head(self) -> int:
        return self.layout.size + _ERROR

    @property
    def _foot(self) -> int:
        return self.layout.size + _STANDARD

    @property
    def entries(self) -> int:
        """The number of entries in the kernel: each chain has a last one, user chains and the end have a first one."""
        return sum([len(rules) for _, rules in self.chains]) + len(self.chains) + len(self.user_chains) + 1

    @cached_property
    def size(self) -> int:
        """The number of bytes in the kernel."""
        return sum(map(len, chain.from_iterable(rules for _, rules in self.chains))) \
            + self._foot * len(self.chains) + self._head * (len(self.user_chains) + 1)

    @cached_property
    def image(self) -> Image:
        """What the kernel keeps, laid out as libiptc does it.

        Built-in chains, then the others by name; a chain is an ERROR entry with its name (built-in ones have none), its
        rules, and an entry with its policy or RETURN; a last ERROR entry ends the table. A jump is the offset of the
        first entry after its chain's head.
        """
        verdicts, position, head, foot = dict(_VERDICTS), 0, self._head, self._foot
        hooks = {}
        for name, rules in self.chains:
            position += 0 if name in self.policies else head
            verdicts[name] = position
            start = position
            position += sum(map(len, rules))
            if name in self.policies:
                hooks[name.decode()] = start, position
            position += foot
        # Jumps and verdicts are told by their whole target: no other kind of target ends like that.
        targets = {_JUMP.pack(_STANDARD, name, 0): _TARGET.pack(_STANDARD, at) for name, at in verdicts.items()}
        nothing = _JUMP.pack(_STANDARD, b"", 0)
        parts: list[bytes] = []
        sizes: list[int] = []
        position = 0
        for name, rules in self.chains:
            policy = self.policies.get(name)
            if policy is None:
                parts.append(_error(name, self.layout))
                sizes.append(head)
                position += head
            for rule in rules:
                size = len(rule)
                position += size
                sizes.append(size)
                end = rule[-_STANDARD:]
                target = targets.get(end)
                if target is not None:
                    parts += (rule[:-_STANDARD], target)
                elif end == nothing:
                    parts += (rule[:-_STANDARD], _TARGET.pack(_STANDARD, position))
                else:
                    parts.append(rule)
            parts.append(_last(policy or b"RETURN", self.layout))
            sizes.append(foot)
            position += foot
        parts.append(_error(b"ERROR", self.layout))
        return Image(b"".join(parts), [0, *accumulate(sizes)], hooks)


def packed_table(table: Table) -> PackedTable:
    """The table packed; done once."""
    if table.packed is None:
        table.packed = PackedTable(table)
    return table.packed  # type: ignore[return-value]


def _blank(layout: Layout, extension: int) -> bytes:
    """An entry that matches everything, without its extension of that size."""
    offsets = struct.pack("<HH", layout.size, layout.size + extension)
    return offsets.rjust(layout.origin, b"\0").ljust(layout.size, b"\0")


def _last(verdict: bytes, layout: Layout) -> bytes:
    return _blank(layout, _STANDARD) + _TARGET.pack(_STANDARD, _VERDICTS[verdict])


def _error(name: bytes, layout: Layout) -> bytes:
    return _blank(layout, _ERROR) + struct.pack("<H30s32s", _ERROR, b"ERROR", name)
