"""The directives that make a server listen for HTTP: `health`, `ready` and `prometheus`."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.dns.chain import Plugin
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.plugins.setup import Scope, duration, only


@dataclass(frozen=True)
class Health(Plugin):
    """`/health`: the process lives. `lameduck`: seconds that it goes on answering when it is told to end."""

    name = "health"
    port: int = 8080
    lameduck: float = 0.0


@dataclass(frozen=True)
class Ready(Plugin):
    """`/ready`: the cluster's objects are known."""

    name = "ready"
    port: int = 8181


@dataclass(frozen=True)
class Prometheus(Plugin):
    """`/metrics`."""

    name = "prometheus"
    port: int = 9153


def health(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    directive, lameduck = only("health", directives), 0.0
    for line in directive.lines:
        if line.name.text != "lameduck":
            raise line.name.wrong_count()
        lameduck = duration(line.one())
    return (Health(_port(directive, 8080), lameduck),)


def ready(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    return (Ready(_port(only("ready", directives), 8181)),)


def prometheus(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    return (Prometheus(_port(only("prometheus", directives), 9153)),)


def _port(directive: Directive, usual: int) -> int:
    if not directive.arguments:
        return usual
    if len(directive.arguments) > 1:
        raise directive.wrong_count()
    text = directive.texts()[0]
    _, colon, port = text.rpartition(":")
    if not colon:
        raise CorefileError(f"address {text}: missing port in address")
    if not port.isdigit() or int(port) > 65535:
        raise CorefileError(f"address {text}: invalid port")
    return int(port)
