"""A whole table packed: what libiptc is given rule by rule, and what the kernel makes of it."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate, chain

from netlab.kernel.iptables_mould import packed
from netlab.kernel.iptables_pack import LAYOUT
from netlab.kernel.iptables_strand import VERDICTS, Strand, end, jump, offset_target, whole
from netlab.model.family import IPV4, IPV6
from netlab.netfilter.ruleset import BUILTIN, Table

HOOKS = {"PREROUTING": 0, "INPUT": 1, "FORWARD": 2, "OUTPUT": 3, "POSTROUTING": 4}  # NF_INET_*
ROOM = 96  # bytes of struct ipt_replace in front of the entries
PROGRAMS = {IPV4: "iptables", IPV6: "ip6tables"}
_VERDICTS = {jump(name): offset_target(value) for name, value in VERDICTS.items()}


class PackedTable:
    """A table's chains in the kernel's order, with packed rules, as libiptc lays them out.

    Built-in chains, then the others by name; a chain is an ERROR entry with its name (built-in ones have none), its
    rules, and an entry with its policy or RETURN; a last ERROR entry ends the table.
    """

    def __init__(self, table: Table) -> None:
        self.name, self.family = table.name, table.family
        self.layout = LAYOUT[table.family]
        builtin = [name.encode() for name in BUILTIN[table.name]]
        self.policies = dict.fromkeys(builtin, b"ACCEPT")
        pieces: dict[bytes, Strand | list[Strand]] = {name: [] for name in builtin}
        for part in table.parts:
            if part.shape is None:
                self.policies.update((one.name.encode(), one.policy.encode())
                                     for one in part.chains if one.policy != "-")
            if part.family != table.family:
                raise ValueError(f"{table}: a part of it is {part.family}")
            for piece in packed(part):
                known = pieces.setdefault(piece.name, piece)
                if type(known) is list:
                    known.append(piece)
                elif known is not piece or not piece.foot:
                    pieces[piece.name] = [piece] if known is piece else [known, piece]  # type: ignore[list-item]
        self.user_chains = sorted(pieces.keys() - self.policies.keys())
        self.names = frozenset(self.user_chains)
        self.strands: list[Strand] = []
        for name in (*builtin, *self.user_chains):
            found = pieces[name]
            self.strands.append(found if isinstance(found, Strand) else
                                whole(name, found, self.layout, policy=self.policies.get(name)))

    @property
    def program(self) -> str:
        """The program that people know its rules by."""
        return PROGRAMS[self.family]

    @property
    def chains(self) -> list[tuple[bytes, list[bytes]]]:
        """The chains with their rules, as libiptc takes them."""
        return [(strand.name, strand.rules()) for strand in self.strands]

    @cached_property
    def entries(self) -> int:
        """The number of entries in the kernel."""
        return sum([len(strand.sizes) for strand in self.strands]) + 1

    @cached_property
    def size(self) -> int:
        """The number of bytes in the kernel."""
        return sum(self._sizes) + len(end(self.layout))

    @cached_property
    def offsets(self) -> list[int]:
        """Where each entry begins."""
        return [0, *accumulate(chain.from_iterable([strand.sizes for strand in self.strands]))]

    @cached_property
    def hooks(self) -> dict[str, tuple[int, int]]:
        """Where the built-in chains begin, and where their last entries do."""
        ends = list(accumulate(self._sizes[:len(self.policies)]))
        return {strand.name.decode(): (stop - size, stop - strand.sizes[-1])
                for strand, size, stop in zip(self.strands, self._sizes, ends, strict=False)}

    @property
    def hooks_end(self) -> int:
        """Where the last built-in chain ends."""
        return sum(self._sizes[:len(self.policies)])

    @property
    def image(self) -> memoryview:
        """What the kernel keeps. A jump in it is the offset of the first entry after its chain's head."""
        return memoryview(self.message)[ROOM:]

    @cached_property
    def message(self) -> bytearray:
        """The image behind room for what the kernel wants to know of it: so many megabytes are not copied again."""
        targets, position = dict(_VERDICTS), 0
        for strand, size in zip(self.strands, self._sizes, strict=True):
            targets[strand.jump] = offset_target(position + strand.sizes[0] if strand.head else position)
            for key, offset in strand.falls:
                targets[key] = offset_target(position + offset)
            position += size
        items = [item for strand in self.strands for item in strand.items]
        items.append(end(self.layout))
        # No other item is like a jump: those have all the length of that target, and an extension its own name.
        return bytearray().join([bytes(ROOM), *map(targets.get, items, items)])

    @cached_property
    def _sizes(self) -> list[int]:
        return [sum(strand.sizes) for strand in self.strands]


def packed_table(table: Table) -> PackedTable:
    """The table packed; done once."""
    if table.packed is None:
        table.packed = PackedTable(table)
    return table.packed  # type: ignore[return-value]
