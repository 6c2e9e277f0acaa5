"""Answers from a zone's records: names, aliases followed, `*` for what is below a name (RFC 1034, RFC 4592)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from netlab.dns.answer import Answer, Question
from netlab.dns.names import Name
from netlab.dns.records import MAX_LINKS, Record


class ZoneError(ValueError):
    """The records are no zone that can be served."""


@dataclass(frozen=True)
class Zone:
    """Records by the lower-case name. `names` are all that exist, those between the origin and a record too."""

    origin: Name
    soa: Record
    records: dict[Name, tuple[Record, ...]] = field(default_factory=dict)
    names: frozenset[Name] = frozenset()

    @classmethod
    def of(cls, origin: Name, records: Iterable[Record]) -> Zone:
        """The zone of those records. ZoneError without an SOA record, and for parts that others answer for."""
        origin = origin.lower()
        by_name: dict[Name, tuple[Record, ...]] = {}
        for record in dict.fromkeys(records):
            name = record.name.lower()
            if not name.within(origin):
                raise ZoneError(f"{record.name} is out of the zone {origin}")
            if record.type == "NS" and name != origin:
                raise ZoneError(f"NS records below the zone's origin, as of {record.name}, are not available in a lab")
            by_name[name] = (*by_name.get(name, ()), record)
        soa = next((record for record in by_name.get(origin, ()) if record.type == "SOA"), None)
        if soa is None:
            raise ZoneError(f"has no SOA record for origin {origin}")
        for name, held in by_name.items():
            if len(held) > 1 and any(record.type == "CNAME" for record in held):
                raise ZoneError(f"{name} has a CNAME and other records")
        size = len(origin)
        names = {Name(name[start:]) for name in by_name for start in range(len(name) - size + 1)}
        return cls(origin, soa, by_name, frozenset(names))

    def answer(self, question: Question) -> tuple[Answer, Name | None]:
        """(the answer, the name outside of the zone that an alias leads to, whose records are missing in it).

        The code is that of the last name (RFC 6604).
        """
        found: list[Record] = []
        name = question.name
        for _ in range(MAX_LINKS):
            records = self._at(name)
            if records is None:
                return Answer("NXDOMAIN", tuple(found), (self._negative(),)), None
            alias = next((record for record in records if record.type == "CNAME"), None)
            if alias is None or question.type == "CNAME":
                matching = [record for record in records if record.type == question.type]
                servers = tuple(record for record in self.records[self.origin] if record.type == "NS")
                authority = servers if matching and matching[0] not in servers else ()
                return Answer(answer=(*found, *matching), authority=authority if matching else (self._negative(),),
                              additional=self._additional(matching)), None
            found.append(alias)
            target = alias.data[0]
            assert isinstance(target, Name)
            if not target.within(self.origin):
                return Answer(answer=tuple(found)), target
            name = target
        return Answer("SERVFAIL", authoritative=False), None

    def _negative(self) -> Record:
        """The SOA as negative answers have it (RFC 2308 section 3)."""
        return self.soa._replace(ttl=min(self.soa.ttl, int(str(self.soa.data[-1]))))

    def _additional(self, records: Iterable[Record]) -> tuple[Record, ...]:
        """The addresses in the zone of the hosts that SRV records name."""
        targets = dict.fromkeys(record.data[-1] for record in records if record.type == "SRV")
        return tuple(one for target in targets if isinstance(target, Name)
                     for one in self.records.get(target.lower(), ()) if one.type in ("A", "AAAA"))

    def _at(self, name: Name) -> tuple[Record, ...] | None:
        """The records of a name in the case of the question; None when there is no such name."""
        key = name.lower()
        held = self.records.get(key, ())
        if key not in self.names:
            above = next(Name(key[start:]) for start in range(len(key) + 1) if Name(key[start:]) in self.names)
            found = self.records.get(Name(("*",)) + above)
            if found is None:
                return None
            held = found
        return tuple(record._replace(name=name) for record in held)
