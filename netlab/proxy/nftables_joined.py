"""A node's nftables table put together from the parts of its Services' ports; a small change takes a small time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from netlab.netfilter.layered import Layered, layered
from netlab.netfilter.nft import Element, Key, NftTable
from netlab.proxy.nftables_port import NftPart
from netlab.proxy.snapshot import Proxied

FEW = 50  # rows that come or go; with more all is put together anew
Place = tuple[str, Key]  # of an element: its set and its key


class Joined:
    """A table that follows the rows it is made of, on top of what it has without any. `part` computes what a row adds.

    Of two Services with an address the first has it; `_others` counts those that have not.
    """

    def __init__(self, base: NftTable, rows: Sequence[Proxied], part: Callable[[Proxied], NftPart]) -> None:
        self._base, self.table, self.rows = base, base, rows
        self._parts: dict[int, NftPart] = {}  # by the identity of their rows
        self._others = Counter[Place]()
        self._join(rows, {id(row): part(row) for row in rows})

    def follow(self, rows: Sequence[Proxied], part: Callable[[Proxied], NftPart]) -> None:
        """Makes `table` that of other rows. What did not change are the same objects as before."""
        if rows is self.rows:
            return
        new = set(map(id, rows))
        gone, come = self._parts.keys() - new, new - self._parts.keys()
        came = {id(row): part(row) for row in rows if id(row) in come} if come else {}
        went = [self._parts.pop(number) for number in gone]
        self._parts |= came
        if len(went) + len(came) > FEW or not self._patch(went, list(came.values())):
            self._join(rows, self._parts)
        self.rows = rows  # held, so that no other row gets the identity of one of them

    def _join(self, rows: Sequence[Proxied], parts: dict[int, NftPart]) -> None:
        base = self._base
        chains, sets, others = dict(base.chains), dict(base.sets), Counter[Place]()
        elements = {name: dict(found) for name, found in base.elements.items()}
        for row in rows:
            part = parts[id(row)]
            for chain in part.chains:
                chains[chain.name] = chain
            for one in part.sets:
                sets[one.name] = one
            for name, key, element in part.elements:
                if key in elements[name]:
                    others[name, key] += 1
                else:
                    elements[name][key] = element
        self.rows, self._parts, self._others = rows, parts, others
        self.table = replace(base, sets=sets, elements=elements, chains=Layered(chains))

    def _patch(self, gone: list[NftPart], come: list[NftPart]) -> bool:
        """Takes some parts out and puts others in; False when it matters which of two Services is the first."""
        table, others = self.table, self._others.copy()
        elements: dict[str, Mapping[Key, Element]] = dict(table.elements)
        changes: dict[str, dict[Key, Element | None]] = {}
        for part in gone:
            for name, key, element in part.elements:
                if not others[name, key]:
                    changes.setdefault(name, {})[key] = None
                elif element.verdict:
                    return False
                else:
                    others[name, key] -= 1
        for part in come:
            for name, key, element in part.elements:
                if changes.get(name, {}).get(key, elements[name].get(key)) is None:
                    changes.setdefault(name, {})[key] = element
                elif element.verdict:
                    return False
                else:
                    others[name, key] += 1
        for name, changed in changes.items():
            elements[name] = _changed(elements[name], changed)
        sets = table.sets
        if any(part.sets for part in (*gone, *come)):
            left = {one.name for part in gone for one in part.sets}
            sets = {name: one for name, one in sets.items() if name not in left} \
                | {one.name: one for part in come for one in part.sets}
        chains = layered(table.chains).changed({chain.name: chain for part in come for chain in part.chains},
                                               without=[chain.name for part in gone for chain in part.chains])
        self.table, self._others = replace(table, sets=sets, elements=elements, chains=chains), others
        return True


def _changed(elements: Mapping[Key, Element], changes: Mapping[Key, Element | None]) -> Mapping[Key, Element]:
    """The same object when nothing differs."""
    differing = {key: element for key, element in changes.items() if elements.get(key) != element}
    if not differing:
        return elements
    found = dict(elements)
    for key, element in differing.items():
        if element:
            found[key] = element
        else:
            del found[key]
    return found
