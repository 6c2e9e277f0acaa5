"""What makes one nftables table another, and the commands for `nft -f` that do it in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from netlab.netfilter.layered import FEW, Layered, may_differ
from netlab.netfilter.nft import Chain, Collection, Element, Key, NftTable
from netlab.netfilter.nft_render import collection_lines, element_text, hook_text, rule_text

Pairs = list[tuple[Key, Element]]


class Difference(NamedTuple):
    """What one table has and another has not. Elements with another verdict are removed and added."""

    new_sets: list[Collection]
    gone_sets: list[Collection]
    new_chains: list[Chain]
    changed_chains: list[Chain]  # those with other rules
    gone_chains: list[str]
    flushed_chains: list[str]  # changed or gone ones that have rules
    removed: Mapping[str, Pairs]
    added: Mapping[str, Pairs]


def difference(old: NftTable, new: NftTable) -> Difference | None:
    """What makes the old table the new one; None when it cannot: hooks, types and comments are for ever."""
    names = list(may_differ(old.chains, new.chains))
    before, after = (chains.flat() if isinstance(chains, Layered) and len(names) > FEW else chains
                     for chains in (old.chains, new.chains))
    gone = [name for name in names if name not in after and name in before]
    differing = [chain for name in names if (chain := after.get(name))
                 and (known := before.get(name)) is not chain and known != chain]
    changed = [chain for chain in differing if chain.name in old.chains]
    if (old.family, old.name, old.comment) != (new.family, new.name, new.comment) \
            or any(old.chains[name].hook for name in gone) \
            or any(_fixed(chain) != _fixed(old.chains[chain.name]) for chain in changed) \
            or any(new.sets.get(name, found) != found for name, found in old.sets.items()):
        return None
    return Difference([found for name, found in new.sets.items() if name not in old.sets],
                      [found for name, found in old.sets.items() if name not in new.sets],
                      [chain for chain in differing if chain.name not in old.chains], changed, gone,
                      [name for name in (*[chain.name for chain in changed], *gone) if old.chains[name].rules],
                      {name: pairs for name, pairs in _elements(old, new) if name in new.sets},
                      dict(_elements(new, old)))


def changes(old: NftTable | None, new: NftTable, *, stale: Iterable[str] = ()) -> str:
    """The commands that make `old` (None: whatever there is) the new table; "" when nothing differs.

    Chains that are not needed any more are emptied. Those in `stale` were emptied before, and are deleted.
    """
    found = difference(old, new) if old else None
    if old is None or found is None:
        name = f"table {new.family} {new.name}"
        empty = NftTable(new.family, new.name, new.comment)
        comment = f' {{ comment "{new.comment}" ; }}' if new.comment else ""
        return f"add {name}\ndelete {name}\nadd {name}{comment}\n" + changes(empty, new)
    return "".join(_lines(f"{new.family} {new.name}", found, [name for name in stale if name in found.gone_chains]))


def _fixed(chain: Chain) -> tuple[object, str]:
    return chain.hook, chain.comment


def _elements(having: NftTable, other: NftTable) -> Iterator[tuple[str, Pairs]]:
    """The elements of one that the other has not, or with another verdict."""
    for name, elements in having.elements.items():
        theirs = other.elements.get(name, {})
        if theirs is not elements:
            pairs = [(key, element) for key, element in elements.items() if theirs.get(key) != element]
            if pairs:
                yield name, pairs


def _lines(where: str, found: Difference, stale: Iterable[str]) -> Iterator[str]:
    for one in found.new_sets:
        yield f"add {_kind(one)} {where} {one.name} {{ {' ; '.join(collection_lines(one))} ; }}\n"
    for chain in found.new_chains:
        yield _add_chain(where, chain)
    for name in found.flushed_chains:
        yield f"flush chain {where} {name}\n"
    for name, pairs in found.removed.items():
        texts = ", ".join(element_text(key, Element(element.verdict)) for key, element in pairs)
        yield f"delete element {where} {name} {{ {texts} }}\n"
    for chain in (*found.new_chains, *found.changed_chains):
        for rule in chain.rules:
            yield f"add rule {where} {chain.name} {rule_text(rule)}\n"
    for name, pairs in found.added.items():
        texts = ", ".join(element_text(key, element) for key, element in pairs)
        yield f"add element {where} {name} {{ {texts} }}\n"
    for one in found.gone_sets:
        yield f"delete {_kind(one)} {where} {one.name}\n"
    for name in stale:
        yield f"delete chain {where} {name}\n"


def _add_chain(where: str, chain: Chain) -> str:
    inside = hook_text(chain.hook) if chain.hook else ""
    inside += f' comment "{chain.comment}" ;' if chain.comment else ""
    return f"add chain {where} {chain.name}" + (f" {{ {inside} }}\n" if inside else "\n")


def _kind(found: Collection) -> str:
    return "map" if found.is_map else "set"
