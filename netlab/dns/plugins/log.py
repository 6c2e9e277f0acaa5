"""`log` and `errors`: which questions are worth a line, and how it reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from netlab.dns.chain import Plugin
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.names import Name, longest, zones_of
from netlab.dns.plugins.setup import Scope, duration, only

COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} ' \
         "{duration}"
COMBINED = COMMON + ' "{>opcode}"'
CLASSES = ("success", "denial", "error", "all")
_FLAGS = ((0x8000, "qr"), (0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0040, "z"),
          (0x0020, "ad"), (0x0010, "cd"))
_PLACE = re.compile(r"\{[^{}\s]*\}")


@dataclass(frozen=True)
class Exchange:
    """A question and its response as they were on the wire. `seconds` is how long the answer took."""

    client: str
    client_port: int
    id: int
    name: str
    type: str
    klass: str
    transport: str
    size: int
    dnssec_ok: bool
    buffer: int
    rcode: str
    flags: int
    response_size: int
    seconds: float
    opcode: int = 0
    answered: bool = True  # whether the answer section has records

    @property
    def kind(self) -> str:
        """The class of the response, for the log: success, denial or error."""
        if self.rcode == "NOERROR":
            return "success" if self.answered else "denial"
        return "denial" if self.rcode == "NXDOMAIN" else "error"


def _remote(exchange: Exchange) -> str:
    return f"[{exchange.client}]" if ":" in exchange.client else exchange.client


_PLACES: dict[str, Callable[[Exchange], str]] = {
    "{remote}": _remote,
    "{port}": lambda e: str(e.client_port),
    "{type}": lambda e: e.type,
    "{class}": lambda e: e.klass,
    "{name}": lambda e: e.name,
    "{proto}": lambda e: e.transport,
    "{size}": lambda e: str(e.size),
    "{rcode}": lambda e: e.rcode,
    "{rsize}": lambda e: str(e.response_size),
    "{duration}": lambda e: f"{e.seconds:.9f}".rstrip("0").rstrip(".") + "s",
    "{>id}": lambda e: str(e.id),
    "{>opcode}": lambda e: str(e.opcode),
    "{>do}": lambda e: "true" if e.dnssec_ok else "false",
    "{>bufsize}": lambda e: str(e.buffer),
    "{>rflags}": lambda e: ",".join(name for bit, name in _FLAGS if e.flags & bit),
}


def _shown(place: str, exchange: Exchange) -> str:
    return _PLACES[place](exchange) if place in _PLACES else "-"


@dataclass(frozen=True)
class Rule:
    """One `log`: of these names and classes, in this format."""

    zones: tuple[Name, ...]
    format: str = COMMON
    classes: frozenset[str] = frozenset(("all",))


@dataclass(frozen=True)
class Log(Plugin):
    """The rules of a server; the first whose zone the name is in counts."""

    name = "log"
    rules: tuple[Rule, ...]

    def applies(self, name: Name) -> bool:
        """Whether questions for the name may get a line."""
        return any(longest(name, rule.zones) is not None for rule in self.rules)

    def line(self, name: Name, exchange: Exchange) -> str | None:
        """The line about an exchange; None when there is none to be."""
        for rule in self.rules:
            if longest(name, rule.zones) is not None:
                if "all" not in rule.classes and exchange.kind not in rule.classes:
                    return None
                return _PLACE.sub(lambda match: _shown(match[0], exchange), rule.format)
        return None


@dataclass(frozen=True)
class Errors(Plugin):
    """Failures get a line, except those that `consolidate` sums up: (seconds, pattern)."""

    name = "errors"
    consolidated: tuple[tuple[float, str], ...] = ()
    compiled: tuple[re.Pattern[str], ...] = field(default=(), compare=False, repr=False)

    def rule(self, text: str) -> int | None:
        """The number of the first rule that sums up the error; None: it gets its own line."""
        return next((number for number, pattern in enumerate(self.compiled) if pattern.search(text)), None)


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """`log` from the Corefile; it may stand several times."""
    return (Log(tuple(rule for directive in directives for rule in _rules(directive, scope))),)


def _rules(directive: Directive, scope: Scope) -> list[Rule]:
    words = list(directive.texts())
    shape = COMMON
    if words and "{" in words[-1]:
        shape = words.pop().replace("{common}", COMMON).replace("{combined}", COMBINED)
        for place in _PLACE.findall(shape):
            if place not in _PLACES and not place.startswith(("{/", "{local", "{>")):
                raise CorefileError(f"unsupported placeholder {place} in the log's format")
    classes: set[str] = set()
    for line in directive.lines:
        if line.name.text != "class":
            raise line.name.wrong_count()
        for name in line.some():
            if name not in CLASSES:
                raise CorefileError(f"invalid class: {name}")
            classes.add(name)
    named = [zones_of(word) for word in words] or [scope.zones]
    return [Rule(zone, shape, frozenset(classes or ("all",))) for zone in named]


def errors(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """`errors` from the Corefile."""
    directive = only("errors", directives)
    if directive.arguments and directive.texts() != ("stdout",):
        raise CorefileError(f"invalid log file: {directive.texts()[0]}")
    rules = []
    for line in directive.lines:
        if line.name.text == "stacktrace":
            line.none()
            continue
        if line.name.text != "consolidate":
            raise line.unknown()
        words = line.some()
        if len(words) < 2:
            raise line.arguments[-1].wrong_count()
        seconds = duration(words[0])
        try:
            re.compile(words[1])
        except re.error as error:
            raise line.arguments[1].error(f"error parsing regexp: {error}") from None
        rules.append((seconds, words[1]))
    return (Errors(tuple(rules), tuple(re.compile(pattern) for _, pattern in rules)),)


