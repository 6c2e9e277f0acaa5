"""`reload`: an edited Corefile takes effect without a restart."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.dns.chain import Plugin
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.plugins.setup import Scope, duration, only


@dataclass(frozen=True)
class Reload(Plugin):
    """The seconds between two looks at the file, and what they vary by; a lab looks at least once a second."""

    name = "reload"
    interval: float = 30.0
    jitter: float = 15.0


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    words = only("reload", directives).texts()
    if len(words) > 2:
        raise directives[0].wrong_count()
    interval = duration(words[0]) if words else 30.0
    if interval < 2:
        raise CorefileError("invalid interval value")
    jitter = duration(words[1]) if len(words) > 1 else min(15.0, interval / 2)
    if jitter < 1:
        raise CorefileError("invalid jitter value")
    return (Reload(interval, min(jitter, interval / 2)),)
