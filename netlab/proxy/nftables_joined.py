"""A node's nftables table put together from the parts of its Services' ports; a small change takes a small time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from netlab.netfilter.nft import Element, Key, NftTable
from netlab.proxy.nftables_port import NftPart

FEW = 50  # parts that come or go; with more all is put together anew
Place = tuple[str, Key]  # of an element: its set and its key


class Joined(NamedTuple):
    """A table, and what it was made of: what every node has, and the parts of ports.

    Of two Services with an address the first has it; `others` counts those that have not.
    """

    base: NftTable
    parts: list[NftPart]
    others: Counter[Place]
    table: NftTable


def joined(base: NftTable, parts: list[NftPart]) -> Joined:
    """The table of these parts."""
    chains, sets, others = dict(base.chains), dict(base.sets), Counter[Place]()
    elements = {name: dict(found) for name, found in base.elements.items()}
    for part in parts:
        for chain in part.chains:
            chains[chain.name] = chain
        for one in part.sets:
            sets[one.name] = one
        for name, key, element in part.elements:
            if key in elements[name]:
                others[name, key] += 1
            else:
                elements[name][key] = element
    return Joined(base, parts, others, replace(base, sets=sets, elements=elements, chains=chains))


def followed(before: Joined, parts: list[NftPart]) -> Joined:
    """The table of other parts, from one that is known: what did not change are the same objects."""
    old, new = set(map(id, before.parts)), set(map(id, parts))
    gone, come = old - new, new - old
    if not gone and not come:
        return before
    if len(gone) + len(come) > FEW:
        return joined(before.base, parts)
    return _patched(before, [part for part in before.parts if id(part) in gone],
                    [part for part in parts if id(part) in come], parts) or joined(before.base, parts)


def _patched(before: Joined, gone: list[NftPart], come: list[NftPart], parts: list[NftPart]) -> Joined | None:
    """The table without the one and with the other parts; None when it matters which of two Services is the first."""
    table, others = before.table, before.others.copy()
    chains, sets = dict(table.chains), dict(table.sets)
    elements: dict[str, Mapping[Key, Element]] = dict(table.elements)
    changes: dict[str, dict[Key, Element | None]] = {}
    for part in gone:
        for chain in part.chains:
            del chains[chain.name]
        for one in part.sets:
            del sets[one.name]
        for name, key, element in part.elements:
            if not others[name, key]:
                changes.setdefault(name, {})[key] = None
            elif element.verdict:
                return None
            else:
                others[name, key] -= 1
    for part in come:
        chains.update((chain.name, chain) for chain in part.chains)
        sets.update((one.name, one) for one in part.sets)
        for name, key, element in part.elements:
            if changes.get(name, {}).get(key, elements[name].get(key)) is None:
                changes.setdefault(name, {})[key] = element
            elif element.verdict:
                return None
            else:
                others[name, key] += 1
    for name, changed in changes.items():
        differing = {key: element for key, element in changed.items() if elements[name].get(key) != element}
        if differing:
            new = dict(elements[name])
            for key, changed_to in differing.items():
                if changed_to:
                    new[key] = changed_to
                else:
                    del new[key]
            elements[name] = new
    return Joined(before.base, parts, others, replace(table, sets=sets, elements=elements, chains=chains))
