"""A whole table packed: what libiptc is given rule by rule, and what the kernel makes of it."""

from __future__ import annotations

import errno
from functools import cached_property
from itertools import accumulate

from netlab.kernel.collector import without_collector
from netlab.kernel.iptables_mould import pack_parts
from netlab.kernel.iptables_pack import LAYOUT
from netlab.kernel.iptables_packed import AFTER, VERDICTS, foot, head, pack_part
from netlab.model.family import IPV4, IPV6
from netlab.netfilter.ruleset import BUILTIN, Table

HOOKS = {"PREROUTING": 0, "INPUT": 1, "FORWARD": 2, "OUTPUT": 3, "POSTROUTING": 4}  # NF_INET_*
ROOM = 96  # bytes of struct ipt_replace in front of the entries
PROGRAMS = {IPV4: "iptables", IPV6: "ip6tables"}


class PackedTable:
    """A table's chains in the kernel's order, with packed rules, as libiptc lays them out.

    Built-in chains, then the others by name; a chain is an ERROR entry with its name (built-in ones have none), its
    rules, and an entry with its policy or RETURN; a last ERROR entry ends the table.
    """

    def __init__(self, table: Table) -> None:
        self.name, self.family = table.name, table.family
        self.layout = LAYOUT[table.family]
        self.policies = dict.fromkeys([name.encode() for name in BUILTIN[table.name]], b"ACCEPT")
        for part in table.parts:
            if part.family != table.family:
                raise ValueError(f"{table}: a part of it is {part.family}")
            if part.shape is None:
                self.policies.update((one.name.encode(), one.policy.encode())
                                     for one in part.chains if one.policy != "-")
        self._parts = pack_parts(table.parts)
        chains, pieces = self._chains(), self._pieces()
        if len(chains) < sum([len(part.chains) for part in self._parts]) or chains.keys() & pieces.keys():
            # What passed for a whole chain is in two parts: none is whole then.
            self._parts = [pack_part(part) for part in table.parts]
            chains, pieces = {}, self._pieces()
        self._shared = {name: (b"" if name in self.policies else head(name, self.layout), found,
                               foot(self.policies.get(name, b"RETURN"), self.layout))
                        for name, found in pieces.items()}
        chains |= {name: b"".join([first, *found, last]) for name, (first, found, last) in self._shared.items()}
        self.user_chains = sorted(chains.keys() - self.policies.keys())
        self._order = [*self.policies, *self.user_chains]
        self._data = [chains[name] for name in self._order]

    def _chains(self) -> dict[bytes, bytes]:
        """The whole chains."""
        return {name: data for part in self._parts for name, data in zip(part[0], part[1])}  # noqa: B905 -- more names

    def _pieces(self) -> dict[bytes, list[bytes]]:
        """The pieces of the other chains, in their order."""
        found: dict[bytes, list[bytes]] = {name: [] for name in self.policies}
        for _, _, pieces, form in self._parts:
            for name, data in zip(form.shared, pieces, strict=True):
                found.setdefault(name, []).append(data)
        return found

    @property
    def program(self) -> str:
        """The program that people know its rules by."""
        return PROGRAMS[self.family]

    @property
    def chains(self) -> list[tuple[bytes, list[bytes]]]:
        """The chains with their rules, as libiptc takes them."""
        found: dict[bytes, list[bytes]] = {name: [] for name in self._order}
        for part in self._parts:
            for name, rules in part.rules(self.layout):
                found[name] += rules
        return list(found.items())

    @cached_property
    def entries(self) -> int:
        """The number of entries in the kernel."""
        own = sum([len(sizes) for part in self._parts for sizes in part.form.sizes])
        return own + sum([bool(first) + bool(last) for first, _, last in self._shared.values()]) + 1

    @cached_property
    def size(self) -> int:
        """The number of bytes in the kernel."""
        return self._starts[-1] + len(head(b"ERROR", self.layout))

    @cached_property
    def hooks(self) -> dict[str, tuple[int, int]]:
        """Where the built-in chains begin, and where their last entries do."""
        return {name.decode(): (start, start + len(data) - len(self._shared[name][2]))
                for name, data, start in zip(self.policies, self._data, self._starts, strict=False)}

    @property
    def hooks_end(self) -> int:
        """Where the last built-in chain ends."""
        return self._starts[len(self.policies)]

    @cached_property
    def message(self) -> bytearray:
        """What the kernel keeps, behind room for what it wants to know of it.

        A jump is the offset of the first entry after its chain's head; OSError (ENOENT) if there is no such chain.
        """
        message = bytearray().join([bytes(ROOM), *self._data, head(b"ERROR", self.layout)])
        with memoryview(message)[ROOM:].cast("i") as words:
            try:
                self._fill(words)
            except KeyError as error:
                raise OSError(errno.ENOENT, f"no chain {error.args[0].decode()}") from None
        return message

    def _fill(self, words: memoryview) -> None:
        """Writes where jumps lead to."""
        first = [0] * len(self.policies) + [len(head(b"", self.layout))] * len(self.user_chains)
        begins = {name: start + more for name, start, more in zip(self._order, self._starts, first, strict=False)}
        targets = VERDICTS | begins
        for names, _, pieces, form in self._parts:
            to = list(map(targets.__getitem__, names))
            for name, data in zip(form.shared, pieces):  # noqa: B905 -- there are thousands
                to.append(begins[name])
                begins[name] += len(data)  # where the chain's next piece begins
            for number, place, target in form.jumps:
                at = to[number] + place
                words[at >> 2] = to[target] if target >= 0 else at + AFTER

    @cached_property
    def _starts(self) -> list[int]:
        """Where each chain begins, and where the last one ends."""
        return [*accumulate(map(len, self._data), initial=0)]


def packed_table(table: Table) -> PackedTable:
    """The table packed; done once."""
    if table.packed is None:
        with without_collector():
            table.packed = PackedTable(table)
    return table.packed  # type: ignore[return-value]
