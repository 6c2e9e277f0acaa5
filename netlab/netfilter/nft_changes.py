"""The commands for `nft -f` that make one table another, in one transaction."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterator

from netlab.netfilter.nft import Chain, Collection, Element, Key, NftTable
from netlab.netfilter.nft_render import collection_lines, element_text, hook_text, rule_text


def changes(old: NftTable | None, new: NftTable, *, stale: Names[str] = ()) -> str:
    """What makes `old` (None: whatever there is) the new table; only what differs is touched. "" when nothing does.

    Chains that are not needed any more are emptied. Those in `stale` were emptied before, and are deleted.
    """
    if old is None or not fits(old, new):
        name = f"table {new.family} {new.name}"
        return f"add {name}\ndelete {name}\n" + "".join(_lines(NftTable(new.family, new.name), new, ())) or ""
    return "".join(_lines(old, new, stale))


def emptied(old: NftTable | None, new: NftTable) -> list[str]:
    """The chains that `changes` has emptied, to be deleted some time later."""
    return [] if old is None or not fits(old, new) else [name for name in old.chains if name not in new.chains]


def fits(old: NftTable, new: NftTable) -> bool:
    """Whether the old table can become the new one: hooks, types and comments are for ever."""
    return (old.family, old.name, old.comment) == (new.family, new.name, new.comment) \
        and all(chain.hook == new.chains[name].hook and chain.comment == new.chains[name].comment
                if name in new.chains else chain.hook is None for name, chain in old.chains.items()) \
        and all(found == new.sets[name] for name, found in old.sets.items() if name in new.sets)


def _lines(old: NftTable, new: NftTable, stale: Names[str]) -> Iterator[str]:
    where = f"{new.family} {new.name}"
    if not old.sets and not old.chains:
        yield f"add table {where}" + (f' {{ comment "{new.comment}" ; }}\n' if new.comment else "\n")
    for name, found in new.sets.items():
        if name not in old.sets:
            yield _add_collection(where, found)
    changed = [chain for name, chain in new.chains.items()
               if (known := old.chains.get(name)) is not chain and known != chain]
    for chain in changed:
        if chain.name not in old.chains:
            yield _add_chain(where, chain)
        elif old.chains[chain.name].rules:
            yield f"flush chain {where} {chain.name}\n"
    for name, chain in old.chains.items():
        if name not in new.chains and chain.rules:
            yield f"flush chain {where} {name}\n"
    yield from _elements("delete", where, old, new)
    for chain in changed:
        for rule in chain.rules:
            yield f"add rule {where} {chain.name} {rule_text(rule)}\n"
    yield from _elements("add", where, new, old)
    for name, found in old.sets.items():
        if name not in new.sets:
            yield f"delete {_kind(found)} {where} {name}\n"
    for name in stale:
        if name in old.chains and name not in new.chains:
            yield f"delete chain {where} {name}\n"


def _elements(verb: str, where: str, having: NftTable, other: NftTable) -> Iterator[str]:
    """The elements of one that the other has not, or with another verdict."""
    for name, elements in having.elements.items():
        if verb == "delete" and name not in other.sets:
            continue
        theirs = other.elements.get(name, {})
        differing = [(key, element) for key, element in elements.items() if theirs.get(key) != element]
        if differing:
            texts = ", ".join(_text(verb, key, element) for key, element in differing)
            yield f"{verb} element {where} {name} {{ {texts} }}\n"


def _text(verb: str, key: Key, element: Element) -> str:
    return element_text(key, element) if verb == "add" else element_text(key, Element(element.verdict))


def _add_collection(where: str, found: Collection) -> str:
    return f"add {_kind(found)} {where} {found.name} {{ {' ; '.join(collection_lines(found))} ; }}\n"


def _add_chain(where: str, chain: Chain) -> str:
    inside = hook_text(chain.hook) if chain.hook else ""
    inside += f' comment "{chain.comment}" ;' if chain.comment else ""
    return f"add chain {where} {chain.name}" + (f" {{ {inside} }}\n" if inside else "\n")


def _kind(found: Collection) -> str:
    return "map" if found.is_map else "set"
