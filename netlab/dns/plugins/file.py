"""`file`: zones from files in the format of RFC 1035, answered with authority."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from netlab.dns.answer import Answer, Question
from netlab.dns.chain import Handler, Plugin, Request, failure
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.names import Name, longest
from netlab.dns.plugins.setup import Scope, duration, zones
from netlab.dns.zone import Zone, ZoneError
from netlab.dns.zone_file import read_zone

RELOAD = 60.0  # seconds from look to look


@dataclass(frozen=True)
class File(Plugin):
    """Zones, each with the path that it was read from. A file is read again every so many seconds; 0: never."""

    name = "file"
    zones: dict[Name, tuple[str, Zone]]
    every: float = RELOAD
    read: Callable[[str], str] = field(default=lambda path: "", compare=False)
    checked: dict[Name, float] = field(default_factory=dict, compare=False)

    async def serve(self, request: Request, next: Handler) -> Answer:
        """What the zone says; what an alias to elsewhere leads to is asked of the whole server."""
        question = request.question
        origin = longest(question.name, self.zones)
        if origin is None:
            return await next(request)
        if question.type in ("AXFR", "IXFR"):
            return Answer("REFUSED", authoritative=False, by=self.name)
        self._look(origin, request.now)
        answer, elsewhere = self.zones[origin][1].answer(question)
        if elsewhere is not None:
            behind = await request.lookup(Question(elsewhere, question.type), request.type)
            return answer._replace(rcode=behind.rcode if behind.rcode == "NXDOMAIN" else answer.rcode,
                           answer=answer.answer + behind.answer, keep=False, truncated=behind.truncated, by=self.name)
        if answer.rcode == "SERVFAIL":
            return failure(f"plugin/file: aliases of {question.name} lead in a circle")
        return answer._replace(keep=not self.every, by=self.name)

    def _look(self, origin: Name, now: float) -> None:
        """Takes a file's new text when its SOA has another serial, as upstream does it."""
        if not self.every or now - self.checked.setdefault(origin, now) < self.every:
            return
        self.checked[origin] = now
        path, held = self.zones[origin]
        try:
            new = read_zone(self.read(path), origin)
        except (OSError, ZoneError):
            return  # it is just being written, or wrong: the old one stays
        if new.soa.data[2] != held.soa.data[2]:
            self.zones[origin] = path, new


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile: `file DBFILE [ZONES...] { reload DURATION }`, once for each file."""
    return tuple(_one(directive, scope) for directive in directives)


def _one(directive: Directive, scope: Scope) -> File:
    if not directive.arguments:
        raise directive.wrong_count()
    path, *named = directive.texts()
    every = RELOAD
    for line in directive.lines:
        if line.name.text != "reload":
            if line.name.text in ("fallthrough", "upstream", "transfer"):
                raise line.name.error(f"'{line.name.text}' is not available in a lab's file")
            raise line.unknown()
        every = duration(line.one())
    found: dict[Name, tuple[str, Zone]] = {}
    for origin in zones(named) or scope.zones:
        try:
            found[origin] = path, read_zone(scope.around.read(path), origin)
        except OSError as error:
            raise CorefileError(f"open {path}: {(error.strerror or 'no such file or directory').lower()}") from None
        except ZoneError as error:
            raise CorefileError(f'file "{path}" {error}') from None
    return File(found, every, scope.around.read)
