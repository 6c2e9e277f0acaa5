"""Rulesets as values: print them as iptables-save does, read such text, compare, follow a packet through them."""

from netlab.netfilter.render import render
from netlab.netfilter.rule import Rule
from netlab.netfilter.ruleset import Chain, Ruleset, Table

__all__ = ["Chain", "Rule", "Ruleset", "Table", "render"]
