"""What differs between two rulesets."""

from __future__ import annotations

from difflib import SequenceMatcher

from netlab.netfilter.render import render_chain
from netlab.netfilter.ruleset import Chain, Ruleset


def diff(old: Ruleset, new: Ruleset) -> list[str]:
    """The changes from `old` to `new`, a line each: `- TABLE RULE` went, `+ TABLE RULE` came; `:` lines are chains.

    Rules stand as iptables-save prints them; a rule that moved within its chain went and came. Empty when equal.
    """
    names = list(dict.fromkeys(table.name for side in (old, new) for table in side.tables))
    lines = []
    for name in names:
        before, after = old.table(name).by_name, new.table(name).by_name
        for chain in (*before, *(chain for chain in after if chain not in before)):
            lines += [f"{sign} {name} {text}" for sign, text in _chain(before.get(chain), after.get(chain))]
    return lines


def _chain(old: Chain | None, new: Chain | None) -> list[tuple[str, str]]:
    if old == new:
        return []
    before, after = _lines(old), _lines(new)
    changes = []
    for action, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if action != "equal":
            changes += [("-", line) for line in before[a:b]] + [("+", line) for line in after[c:d]]
    return changes


def _lines(chain: Chain | None) -> list[str]:
    return [f":{chain.name} {chain.policy}", *render_chain(chain)] if chain else []
