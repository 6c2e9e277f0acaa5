"""Rulesets as values: print them as iptables-save or nft does, read such text, compare, follow a packet through them.

Rules of nftables are in the modules `nft...`.
"""

from netlab.netfilter.diff import diff
from netlab.netfilter.dispatch import AnyRuleset, render, trace
from netlab.netfilter.parse import NotUnderstood, parse
from netlab.netfilter.rule import Rule
from netlab.netfilter.ruleset import Chain, Ruleset, Table
from netlab.netfilter.trace import Outcome, Packet, Trace

__all__ = ["AnyRuleset", "Chain", "NotUnderstood", "Outcome", "Packet", "Rule", "Ruleset", "Table", "Trace", "diff",
           "parse", "render", "trace"]
