"""Answers from a zone's records: names, aliases followed, `*` for what is below a name (RFC 1034, RFC 4592).

It is the zone of the root, so every name has an answer: what is not in it does not exist.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from netlab.dns.answer import Answer, Question
from netlab.dns.names import IPAddress, Name, parse_address
from netlab.dns.records import MAX_LINKS, Record

TTL = 300  # seconds, of addresses
# As the root's servers say it; the serial is any number.
SOA = Record(Name(), "SOA", 86400, (Name.of("a.root-servers.net"), Name.of("nstld.verisign-grs.com"), 1, 1800, 900,
                                    604800, 86400))
_NAMED = ("CNAME", "NS", "PTR", "SRV")  # types whose last field is a name


@dataclass(frozen=True)
class Zone:
    """Records by the lower-case name. `names` are all that exist, those above the records' names too."""

    records: dict[Name, tuple[Record, ...]] = field(default_factory=dict)
    names: frozenset[Name] = frozenset()

    @classmethod
    def of(cls, records: Iterable[Record]) -> Zone:
        """The zone of those records."""
        by_name: dict[Name, tuple[Record, ...]] = {}
        for record in dict.fromkeys(records):
            name = record.name.lower()
            by_name[name] = (*by_name.get(name, ()), record)
        return cls(by_name, frozenset(Name(name[start:]) for name in by_name for start in range(len(name) + 1)))

    @classmethod
    def parse(cls, text: str) -> Zone:
        """The zone of lines `NAME TTL TYPE DATA`; ValueError names one that is none."""
        return cls.of(map(_read, filter(None, map(str.strip, text.splitlines()))))

    def answer(self, question: Question) -> Answer:
        """The whole answer, aliases followed to their end; the code is that of the last name (RFC 6604)."""
        found: list[Record] = []
        name = question.name
        for _ in range(MAX_LINKS):
            records = self._at(name)
            if records is None:
                return Answer("NXDOMAIN", tuple(found), (SOA,), authoritative=False)
            alias = next((record for record in records if record.type == "CNAME"), None)
            if alias is None or question.type in ("CNAME", "ANY"):
                matching = [record for record in records if question.type in (record.type, "ANY")]
                found += matching
                return Answer(answer=tuple(found), authority=() if matching else (SOA,), authoritative=False)
            found.append(alias)
            target = alias.data[0]
            assert isinstance(target, Name)
            name = target
        return Answer("SERVFAIL", authoritative=False)

    def _at(self, name: Name) -> tuple[Record, ...] | None:
        """The records of a name in the case of the question; None when there is no such name."""
        key = name.lower()
        if key in self.names:
            found = self.records.get(key, ())
        else:
            above = next(Name(key[start:]) for start in range(len(key) + 1) if Name(key[start:]) in self.names or
                         start == len(key))
            star = self.records.get(Name(("*",)) + above)
            if star is None:
                return None
            found = star
        return tuple(replace(record, name=name) for record in found)


def reverse_name(address: IPAddress) -> Name:
    """The name under in-addr.arpa or ip6.arpa."""
    return Name.of(address.reverse_pointer)


def host_lines(names: Iterable[str], addresses: Iterable[IPAddress]) -> list[str]:
    """The zone's lines of a host: its addresses, and back from them to the first name that stands for itself only."""
    plain = [name for name in names if not name.startswith("*.")]
    lines = []
    for address in addresses:
        lines += [f"{name} {TTL} {'A' if address.version == 4 else 'AAAA'} {address}" for name in names]
        lines += [f"{reverse_name(address)} {TTL} PTR {plain[0]}"] if plain else []
    return lines


def _read(line: str) -> Record:
    try:
        name, ttl, kind, *data = shlex.split(line)
        fields: tuple[str | int | Name, ...] = tuple(data)
        if kind in _NAMED:
            fields = (*map(int, data[:-1]), Name.of(data[-1]))
        if not data or (kind in ("A", "AAAA") and parse_address(data[0]) is None):
            raise ValueError("no data")
        return Record(Name.of(name), kind, int(ttl), fields)
    except (ValueError, IndexError) as error:
        raise ValueError(f"not a record of a zone: {line!r} ({error})") from None
