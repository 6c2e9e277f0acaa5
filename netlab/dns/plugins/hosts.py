"""`hosts`: names and addresses from a file like /etc/hosts, and from the Corefile itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from netlab.dns.answer import Answer
from netlab.dns.chain import Handler, Plugin, Request
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.names import IPAddress, Name, longest, parse_address, reverse_address
from netlab.dns.plugins.setup import Fall, Scope, duration, integer, only, zones
from netlab.dns.records import Record

FILE = "/etc/hosts"


@dataclass(frozen=True)
class Table:
    """Addresses by name and names by address."""

    addresses: dict[Name, list[IPAddress]] = field(default_factory=dict)
    names: dict[IPAddress, list[Name]] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[list[str]], *, reverse: bool = True) -> Table:
        """The table of lines, each an address and names; others are left out."""
        table = cls()
        for words in lines:
            address = parse_address(words[0]) if words else None
            for text in words[1:] if address else ():
                name = Name.of(text).lower()
                address = getattr(address, "ipv4_mapped", None) or address
                if address and address not in table.addresses.setdefault(name, []):
                    table.addresses[name].append(address)
                if address and reverse:
                    table.names.setdefault(address, []).append(name)
        return table


@dataclass(frozen=True)
class Hosts(Plugin):
    """The zones and their tables: the Corefile's lines, then the file as it is now."""

    name = "hosts"
    zones: tuple[Name, ...]
    inline: Table = field(default_factory=Table, compare=False)
    path: str = ""
    reverse: bool = True
    ttl: int = 3600
    fall: Fall = Fall()
    read: Callable[[str], str] = field(default=lambda path: "", compare=False)
    held: list[tuple[float, str, Table]] = field(default_factory=list, compare=False)
    every: float = 5.0

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The addresses of a known name, NODATA for its other types.

        Unknown names are the next plugin's or, as there is no SOA to say that they do not exist, SERVFAIL. Unknown
        addresses are always the next plugin's.
        """
        kind, name = request.question.type, request.question.name
        if longest(name, self.zones) is None and kind != "PTR":
            return await next(request)
        tables = (self._file(request.now), self.inline)
        found = self._names(name, tables) if kind == "PTR" else self._addresses(kind, name, tables)
        if found is not None:
            return Answer(answer=found, by=self.name, keep=not self.path)
        if kind == "PTR" or self.fall.through(name):
            return await next(request)
        return Answer("SERVFAIL", authoritative=False, by=self.name, keep=not self.path)

    def _names(self, name: Name, tables: Iterable[Table]) -> tuple[Record, ...] | None:
        address = reverse_address(name)
        found = [each for table in tables for each in (table.names.get(address, ()) if address else ())]
        return tuple(Record(name, "PTR", self.ttl, (each,)) for each in dict.fromkeys(found)) or None

    def _addresses(self, type: str, name: Name, tables: Iterable[Table]) -> tuple[Record, ...] | None:
        """None when the name is not known."""
        known = [each for table in tables for each in table.addresses.get(name.lower(), ())]
        version = {"A": 4, "AAAA": 6}.get(type)
        return tuple(Record(name, type, self.ttl, (str(each),)) for each in dict.fromkeys(known)
                     if each.version == version) if known else None

    def _file(self, now: float) -> Table:
        if not self.path:
            return Table()
        if not self.held or (self.every and now - self.held[0][0] >= self.every):
            try:
                text = self.read(self.path)
            except OSError:
                text = ""
            table = self.held[0][2] if self.held and self.held[0][1] == text else Table.of(
                (line.split("#")[0].split() for line in text.splitlines()), reverse=self.reverse)
            self.held[:] = [(now, text, table)]
        return self.held[0][2]


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile: `hosts [FILE [ZONES...]] { ADDRESS NAME... ; fallthrough; ttl; no_reverse; reload }`."""
    directive = only("hosts", directives)
    words = directive.texts()
    path, named = words[0] if words else FILE, zones(words[1:]) or scope.zones
    inline: list[list[str]] = []
    fall, ttl, reverse, every = Fall(), 3600, True, 5.0
    for line in directive.lines:
        match line.name.text:
            case "fallthrough":
                fall = Fall.of(token.text for token in line.arguments)
            case "no_reverse":
                reverse = False
            case "ttl":
                ttl = integer(line.one())
                if not 0 < ttl < 65536:
                    raise line.name.error("ttl provided is invalid")
            case "reload":
                every = duration(line.one())
                if every < 0:
                    raise line.name.error(f"invalid negative duration for reload '{line.one()}'")
            case word if fall.zones is None and parse_address(word):
                inline.append([word, *(token.text for token in line.arguments)])
            case word if parse_address(word):
                raise CorefileError(f"{line.name.file}:{line.name.line} - Error during parsing: inline addresses "
                                    "must stand before fallthrough")
            case _:
                raise line.unknown()
    return (Hosts(named, Table.of(inline, reverse=reverse), path, reverse, ttl, fall, scope.around.read, every=every),)
