"""Rulesets as values: print them as iptables-save does, read such text, compare, follow a packet through them."""

from netlab.netfilter.diff import diff
from netlab.netfilter.parse import NotUnderstood, parse
from netlab.netfilter.render import render
from netlab.netfilter.rule import Rule
from netlab.netfilter.ruleset import Chain, Ruleset, Table
from netlab.netfilter.trace import Outcome, Packet, Trace, trace

__all__ = ["Chain", "NotUnderstood", "Outcome", "Packet", "Rule", "Ruleset", "Table", "Trace", "diff", "parse",
           "render", "trace"]
