"""`forward`: the questions of a zone go to other DNS servers."""

from __future__ import annotations

from dataclasses import dataclass, field

from netlab.dns.answer import Answer
from netlab.dns.chain import Effect, Handler, Plugin, Request, failure
from netlab.dns.corefile import CorefileError, Directive, Line
from netlab.dns.names import Name, longest, parse_address, zones_of
from netlab.dns.plugins.setup import Scope, duration, integer, zones

MAX_UPSTREAMS = 15
POLICIES = ("random", "round_robin", "sequential")


@dataclass(frozen=True)
class Upstream:
    """Another DNS server."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Ask(Effect):
    """Ask the plugin's servers."""

    forward: Forward
    request: Request


@dataclass(frozen=True)
class Forward(Plugin):
    """The servers of a zone, and how they are used. Times are in seconds; `max_concurrent` 0: no limit."""

    name = "forward"
    zone: Name
    upstreams: tuple[Upstream, ...] = ()
    excepted: tuple[Name, ...] = ()
    policy: str = "random"
    max_fails: int = 2
    max_concurrent: int = 0
    check_every: float = 0.5
    check_name: Name = field(default=Name())
    check_recursion: bool = True
    force_tcp: bool = False
    prefer_udp: bool = False
    expire: float = 10.0
    fail_fast: bool = False

    async def serve(self, request: Request, next: Handler) -> Answer:
        """What a server says; the next plugin's answer for names that are none of the zone's."""
        name = request.question.name
        if not name.within(self.zone) or longest(name, self.excepted) is not None:
            return await next(request)
        if not self.upstreams:
            return failure("no healthy proxies: no server is named")
        return await Ask(self, request)


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile; several are asked in their order."""
    return tuple(_one(directive, scope) for directive in directives)


def _one(directive: Directive, scope: Scope) -> Forward:
    if len(directive.arguments) < 2:
        raise directive.wrong_count()
    zone, *servers = directive.texts()
    upstreams = tuple(upstream for text in servers for upstream in _upstreams(text, scope))
    if len(upstreams) > MAX_UPSTREAMS:
        raise CorefileError(f"more than {MAX_UPSTREAMS} TOs configured: {len(upstreams)}")
    options: dict[str, object] = {}
    for line in directive.lines:
        options |= _option(line)
    return Forward(zones_of(zone)[0], upstreams, **options)  # type: ignore[arg-type]


def _upstreams(text: str, scope: Scope) -> tuple[Upstream, ...]:
    """One server from an address with or without a port, or those of a file like resolv.conf, which may be none."""
    if "://" in text:
        transport, _, rest = text.partition("://")
        if transport != "dns":
            raise CorefileError(f"'{transport}' is not supported as a destination protocol in forward: {text}")
        text = rest
    host, port = _host_and_port(text)
    if parse_address(host):
        return (Upstream(str(parse_address(host)), port),)
    try:
        lines = scope.around.read(text).splitlines()
    except OSError:
        raise CorefileError(f'not an IP address or file: "{text}"') from None
    words = [line.split() for line in lines]
    return tuple(Upstream(word[1]) for word in words if len(word) > 1 and word[0] == "nameserver"
                 and parse_address(word[1]))


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (host.startswith("[") or ":" not in host):
        return host.strip("[]"), int(port)
    return text.strip("[]"), 53


def _option(line: Line) -> dict[str, object]:
    match line.name.text:
        case "except":
            return {"excepted": zones(line.some())}
        case "max_fails":
            return {"max_fails": _natural("max_fails", line.one())}
        case "max_concurrent":
            return {"max_concurrent": _natural("max_concurrent", line.one())}
        case "health_check":
            return _health_check(line)
        case "policy":
            policy = line.one()
            if policy not in POLICIES:
                raise line.arguments[0].error(f"unknown policy '{policy}'")
            return {"policy": policy}
        case "expire":
            return {"expire": _positive("expire", line.one())}
        case ("force_tcp" | "prefer_udp") as flag:
            line.none()
            return {flag: True}
        case "failfast_all_unhealthy_upstreams":
            line.none()
            return {"fail_fast": True}
        case "tls" | "tls_servername" | "next" | "failover":
            raise line.name.error(f"'{line.name.text}' is not available in a lab's forward")
    raise line.unknown()


def _health_check(line: Line) -> dict[str, object]:
    interval, *rest = line.some()
    options: dict[str, object] = {"check_every": _positive("health_check", interval)}
    while rest:
        word = rest.pop(0)
        if word == "no_rec":
            options["check_recursion"] = False
        elif word == "domain" and rest:
            options["check_name"] = Name.of(rest.pop(0))
        elif word == "domain":
            raise line.arguments[-1].wrong_count()
        else:
            raise CorefileError(f"health_check: unknown option {word}")
    return options


def _natural(name: str, text: str) -> int:
    number = integer(text)
    if number < 0:
        raise CorefileError(f"{name} can't be negative: {number}")
    return number


def _positive(name: str, text: str) -> float:
    seconds = duration(text)
    if seconds < 0:
        raise CorefileError(f"{name} can't be negative: {text}")
    return seconds
