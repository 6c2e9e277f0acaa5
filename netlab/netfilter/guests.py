"""Rules in a table that are not kube-proxy's: those that people write by hand, and their own chains and policies.

kube-proxy owns the chains `KUBE-...` and the rules of built-in chains that lead there; it leaves all others alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

OURS = "KUBE-"
FRONT, BACK = "front", "back"
_RULE = re.compile(r"(?P<counters>\[\d+:\d+\] )?-A (?P<chain>\S+)(?P<rest>.*)")
_CHAIN = re.compile(r":(?P<chain>\S+) (?P<policy>\S+) (?P<counters>\[\d+:\d+\])")
_QUOTED = re.compile(r'"(\\.|[^"\\])*"')
_LEADS_TO_US = re.compile(rf" -[jg] {OURS}")


@dataclass(frozen=True)
class Guests:
    """What of a table is not kube-proxy's, as `iptables-save -c` prints it.

    `policies` are those other than ACCEPT. `rules` are those of built-in chains, each with the rule of kube-proxy's
    that it comes after: FRONT before all of them, BACK behind. `chains` are other chains with their rules.
    """

    policies: dict[str, str] = field(default_factory=dict)
    rules: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.policies or self.rules or self.chains)


def find(saved: str) -> Guests:
    """The guests in what `iptables-save -c -t TABLE` prints."""
    found = Guests()
    passed: dict[str, str] = {}  # the last rule of ours in each built-in chain
    lines = saved.splitlines()
    ours_in = {rule["chain"] for line in lines if (rule := _RULE.match(line)) and _is_ours(rule["rest"])}
    for line in lines:
        chain, rule = _CHAIN.match(line), _RULE.match(line)
        if chain and chain["policy"] == "-" and not chain["chain"].startswith(OURS):
            found.chains[chain["chain"]] = []
        elif chain and chain["policy"] not in ("-", "ACCEPT"):
            found.policies[chain["chain"]] = chain["policy"]
        elif rule and rule["chain"] in found.chains:
            found.chains[rule["chain"]].append(line)
        elif rule and not rule["chain"].startswith(OURS):
            if _is_ours(rule["rest"]):
                passed[rule["chain"]] = rule["rest"]
            else:
                # Where no rule leads to us yet, ours come first: kube-proxy prepends them.
                place = passed.get(rule["chain"], FRONT if rule["chain"] in ours_in else BACK)
                found.rules.setdefault(rule["chain"], []).append((place, line))
    return found


def without(saved: str) -> str:
    """The table without its guests, as it is rendered: counters are zero."""
    return "".join(f"{line}\n" for line in _without(saved))


def _without(saved: str) -> Iterator[str]:
    for line in saved.splitlines():
        chain, rule = _CHAIN.match(line), _RULE.match(line)
        if chain:
            if chain["policy"] != "-" or chain["chain"].startswith(OURS):
                yield f":{chain['chain']} {'-' if chain['policy'] == '-' else 'ACCEPT'} [0:0]"
        elif rule:
            if rule["chain"].startswith(OURS) or _is_ours(rule["rest"]):
                yield f"-A {rule['chain']}{rule['rest']}"
        elif line and not line.startswith("#"):
            yield line


def _is_ours(rule: str) -> bool:
    """Whether a rule's target is one of our chains, whatever its comment says."""
    return bool(_LEADS_TO_US.search(_QUOTED.sub("", rule)))


def merge(rendered: str, guests: Guests) -> str:
    """The table with its guests, for `iptables-restore -c`."""
    heads: list[str] = []
    rules: dict[str, list[str]] = {}
    waiting = {chain: list(placed) for chain, placed in guests.rules.items()}
    for chain_name in waiting:
        rules[chain_name] = _taken(waiting, chain_name, FRONT)
    name, *lines = rendered.splitlines()
    for line in lines:
        chain, rule = _CHAIN.match(line), _RULE.match(line)
        if chain:
            policy = guests.policies.get(chain["chain"], chain["policy"])
            heads.append(f":{chain['chain']} {policy} [0:0]")
        elif rule:
            rules.setdefault(rule["chain"], []).extend(
                (f"[0:0] {line}", *_taken(waiting, rule["chain"], rule["rest"])))
    heads += [f":{chain} - [0:0]" for chain in guests.chains]
    for chain_name, placed in waiting.items():  # their neighbour is not there any more
        rules[chain_name] += [line for _, line in placed]
    for chain_name, lines in guests.chains.items():
        rules.setdefault(chain_name, []).extend(lines)
    everything = [line for lines in rules.values() for line in lines]
    return "".join(f"{line}\n" for line in (name, *heads, *everything, "COMMIT"))


def _taken(waiting: dict[str, list[tuple[str, str]]], chain: str, place: str) -> list[str]:
    """The chain's guests of that place, which wait no more."""
    there = waiting.get(chain, [])
    found = [line for where, line in there if where == place]
    if found:
        waiting[chain] = [(where, line) for where, line in there if where != place]
    return found
