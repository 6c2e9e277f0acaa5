"""Tables as `nft --stateless list table` prints them (nftables 1.0.6), when they were loaded in our order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import Any

from netlab.netfilter.nft import (
    ChangeMark,
    Collection,
    Compare,
    Dnat,
    Element,
    Hook,
    Key,
    Lookup,
    Masquerade,
    NftRuleset,
    NftTable,
    Reject,
    Rule,
    Spread,
    Unmarked,
    Update,
    Verdict,
)

PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_ONLY_AT = {"dstnat": "prerouting", "srcnat": "postrouting"}
SIZE = 65535  # of sets that rules add to; the kernel's own default
_INDENT = "\t\t\t     "
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


def render_nft(ruleset: NftRuleset) -> str:
    """All tables."""
    return "".join(map(render_nft_table, ruleset.tables))


def render_nft_table(table: NftTable) -> str:
    """One table from `table` to its closing brace."""
    sections = [_collection(found, table.elements.get(found.name, {})) for found in table.sets.values()]
    for chain in table.chains.values():
        lines = [f'comment "{chain.comment}"'] if chain.comment else []
        lines += [hook_text(chain.hook)] if chain.hook else []
        sections.append(_block(f"chain {chain.name}", lines + [rule_text(rule) for rule in chain.rules]))
    head = f"table {table.family} {table.name} {{\n" + (f'\tcomment "{table.comment}"\n' if table.comment else "")
    return head + "\n".join(sections) + "}\n"


def hook_text(hook: Hook) -> str:
    """What makes a chain a base chain."""
    return f"type {hook.type} hook {hook.name} priority {_priority(hook)}; policy accept;"


def collection_lines(found: Collection) -> list[str]:
    """A set's or map's properties, a line each."""
    lines = [f"type {found.type}"]
    if found.timeout:
        lines += [f"size {SIZE}", "flags dynamic,timeout", f"timeout {duration(found.timeout)}"]
    return lines + ([f'comment "{found.comment}"'] if found.comment else [])


def element_text(key: Key, element: Element) -> str:
    """An element as it stands between braces."""
    comment = f' comment "{element.comment}"' if element.comment else ""
    return " . ".join(key) + comment + (f" : {element.verdict}" if element.verdict else "")


def rule_text(rule: Rule) -> str:
    """A rule without its chain."""
    words = [_MATCHES[type(match)](match) for match in rule.matches]
    words.append(_ACTIONS[type(rule.action)](rule.action))
    if rule.comment:
        words.append(f'comment "{rule.comment}"')
    return " ".join(words)


def duration(seconds: int) -> str:
    """`3h`, `1d2h30s`."""
    text = ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count else ""
    return text


def _priority(hook: Hook) -> str:
    for name, value in PRIORITIES.items():
        away = hook.priority - value
        if abs(away) <= 10 and _ONLY_AT.get(name, hook.name) == hook.name:
            return name if not away else f"{name} {'+' if away > 0 else '-'} {abs(away)}"
    return str(hook.priority)


def _collection(found: Collection, elements: Mapping[Key, Element]) -> str:
    lines = collection_lines(found)
    if elements:
        texts = [element_text(key, elements[key]) for key in sorted(elements, key=sort_key)]
        in_line = 2 if found.type == "ipv4_addr" else 1
        rows = [", ".join(texts[n:n + in_line]) for n in range(0, len(texts), in_line)]
        lines.append(f"elements = {{ {(',' + chr(10) + _INDENT).join(rows)} }}")
    return _block(f"{'map' if found.is_map else 'set'} {found.name}", lines)


def sort_key(key: Key) -> tuple[Any, ...]:
    """The order in which nft lists elements: by number; of concatenations the last part weighs most, and of its bytes
    the last one."""
    if len(key) == 1:
        return (_number(key[0]),)
    return tuple(int.from_bytes(_bytes(part), "little") for part in reversed(key))


def _bytes(part: str) -> bytes:
    if part in _PROTOCOLS:
        return bytes([_PROTOCOLS[part]])
    return int(part).to_bytes(2, "big") if part.isdigit() else _number(part).to_bytes(16 if ":" in part else 4, "big")


def _number(address: str) -> int:
    if ":" in address:
        from ipaddress import IPv6Address

        return int(IPv6Address(address))
    return int(IPv4Address(address))


def _block(head: str, lines: list[str]) -> str:
    return f"\t{head} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def _compare(match: Compare) -> str:
    text = match.values[0] if len(match.values) == 1 else f"{{ {', '.join(match.values)} }}"
    return f"{match.key} {'!= ' if match.inverted else ''}{text}"


def _spread(action: Spread) -> str:
    chains = ", ".join(f"{number} : goto {chain}" for number, chain in enumerate(action.chains))
    return f"numgen random mod {len(action.chains)} vmap {{ {chains} }}"


def _dnat(action: Dnat) -> str:
    return f"dnat to [{action.address}]:{action.port}" if ":" in action.address \
        else f"dnat to {action.address}:{action.port}"


_MATCHES: dict[type, Callable[[Any], str]] = {
    Compare: _compare,
    Unmarked: lambda match: f"meta mark & {match.mask:#010x} == 0x00000000",
}
_ACTIONS: dict[type, Callable[[Any], str]] = {
    Verdict: str,
    Lookup: lambda action: f"{' . '.join(action.keys)} vmap @{action.map}",
    Spread: _spread,
    Update: lambda action: f"update @{action.set} {{ {action.key} }}",
    ChangeMark: lambda action: f"meta mark set meta mark {action.operator} {action.value:#010x}",
    Masquerade: lambda action: "masquerade fully-random",
    Reject: lambda action: "reject",
    Dnat: _dnat,
}
