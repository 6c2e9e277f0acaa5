"""Rules in a table that are not kube-proxy's: those that people write by hand, and their own chains and policies.

kube-proxy owns the chains `KUBE-...` and the rules of built-in chains that lead there; it leaves all others alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

OURS = "KUBE-"
_RULE = re.compile(r"(?P<counters>\[\d+:\d+\] )?-A (?P<chain>\S+)(?P<rest>.*)")
_CHAIN = re.compile(r":(?P<chain>\S+) (?P<policy>\S+) (?P<counters>\[\d+:\d+\])")
_QUOTED = re.compile(r'"(\\.|[^"\\])*"')
_LEADS_TO_US = re.compile(rf" -[jg] {OURS}")


@dataclass(frozen=True)
class Guests:
    """What of a table is not kube-proxy's, as `iptables-save -c` prints it.

    `policies` are those other than ACCEPT. `before` and `after` are rules by built-in chain, in front of kube-proxy's
    and behind them; `chains` are other chains with their rules.
    """

    policies: dict[str, str] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.policies or self.before or self.after or self.chains)


def find(saved: str) -> Guests:
    """The guests in what `iptables-save -c -t TABLE` prints."""
    found = Guests()
    passed: set[str] = set()  # built-in chains of which a rule of ours has come
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
                passed.add(rule["chain"])
            else:
                # Where no rule leads to us yet, ours come first: kube-proxy prepends them.
                early = rule["chain"] in ours_in and rule["chain"] not in passed
                (found.before if early else found.after).setdefault(rule["chain"], []).append(line)
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
    rules: dict[str, list[str]] = {chain: list(lines) for chain, lines in guests.before.items()}
    name, *lines = rendered.splitlines()
    for line in lines:
        chain, rule = _CHAIN.match(line), _RULE.match(line)
        if chain:
            policy = guests.policies.get(chain["chain"], chain["policy"])
            heads.append(f":{chain['chain']} {policy} [0:0]")
        elif rule:
            rules.setdefault(rule["chain"], []).append(f"[0:0] {line}")
    heads += [f":{chain} - [0:0]" for chain in guests.chains]
    for more in (guests.after, guests.chains):
        for chain_name, lines in more.items():
            rules.setdefault(chain_name, []).extend(lines)
    everything = [line for lines in rules.values() for line in lines]
    return "".join(f"{line}\n" for line in (name, *heads, *everything, "COMMIT"))
