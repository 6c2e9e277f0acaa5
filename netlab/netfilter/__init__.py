"""Rulesets as values: Ruleset, Table, Chain, Rule; printed as iptables-save prints them, parsed, compared, traced."""
