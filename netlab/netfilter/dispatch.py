"""Printing and following packets, whichever kind of ruleset it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import netlab.netfilter.render as iptables_render
import netlab.netfilter.trace as iptables_trace
from netlab.netfilter.nft import NftRuleset
from netlab.netfilter.nft_render import render_nft
from netlab.netfilter.nft_trace import trace_nft
from netlab.netfilter.ruleset import Ruleset
from netlab.netfilter.trace import Packet, Trace

AnyRuleset = Ruleset | NftRuleset


def render(ruleset: AnyRuleset) -> str:
    """The text of `iptables-legacy-save` or `nft --stateless list ruleset` for fresh tables."""
    return render_nft(ruleset) if isinstance(ruleset, NftRuleset) else iptables_render.render(ruleset)


def trace(ruleset: AnyRuleset, packet: Packet, *, addresses: Collection[str] = (),
          remembered: Mapping[str, Collection[str]] | None = None) -> Trace:
    """Where the packet may end, through a node with these addresses of its own.

    `remembered` are the sources that affinity lists (or sets) hold, all of them fresh.
    """
    follow = trace_nft if isinstance(ruleset, NftRuleset) else iptables_trace.trace
    return follow(ruleset, packet, addresses=addresses, remembered=remembered)  # type: ignore[arg-type]
