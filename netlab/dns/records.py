"""Resource records, and how each type is answered. A new type is a function here and an entry in RECORDS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from netlab.dns.find import Lookup, find, name_servers, reverse_names
from netlab.dns.names import Name, NameServer, SchemaVersion

SCHEMA_VERSION = "1.1.0"
SCHEMA_TTL = 28800  # seconds
SOA_TTL = 300  # seconds, at most
MAX_LINKS = 10  # CNAMEs in one answer


class Record(NamedTuple):
    """A resource record; prints as a line of a zone file. `data` has the fields of its type in order.

    Of types that this server has no records of, it is the type's number and the data as bytes, without compression.
    """

    name: Name
    type: str
    ttl: int
    data: tuple[str | int | Name | bytes, ...]

    def __str__(self) -> str:
        if self.data and isinstance(self.data[-1], bytes):
            data = f"\\# {len(self.data[-1])} {self.data[-1].hex()}"  # as of a type that nobody knows (RFC 3597)
        else:
            data = " ".join(f'"{field!s}"' if self.type == "TXT" else str(field) for field in self.data)
        return f"{self.name} {self.ttl} IN {self.type} {data}"


class Found(NamedTuple):
    """The records of a name; none at all when it is there but has none of the type."""

    answer: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


def soa(lookup: Lookup) -> Record:
    """The zone's SOA, as the authority section of negative answers has it too."""
    return _soa_of(lookup.zone, lookup.view.serial, lookup.zones.ttl)


@lru_cache(64)
def _soa_of(zone: Name, serial: int, ttl: int) -> Record:
    names = (Name(("ns", "dns")) + zone, Name(("hostmaster",)) + zone)
    return Record(zone, "SOA", min(ttl, SOA_TTL), (*names, serial, 7200, 1800, 86400, ttl))


def _address(name: Name, address: str, ttl: int) -> Record:
    return Record(name, "AAAA" if ":" in address else "A", ttl, (address,))


def _unique(records: Iterable[Record]) -> tuple[Record, ...]:
    return tuple(dict.fromkeys(records))


def _a(lookup: Lookup) -> Found | None:
    return _resolved(lookup, 4)


def _aaaa(lookup: Lookup) -> Found | None:
    return _resolved(lookup, 6)


def _resolved(lookup: Lookup, version: int, chain: tuple[Name, ...] = ()) -> Found | None:
    targets = find(lookup)
    if targets is None:
        return None
    records: list[Record] = []
    for target in targets:
        if target.alias is not None:
            records += _follow(lookup, target.alias, version, chain)
        elif target.address and (6 if ":" in target.address else 4) == version:
            records.append(_address(lookup.name, target.address, lookup.zones.ttl))
    return Found(_unique(records))


def _follow(lookup: Lookup, alias: Name, version: int, chain: tuple[Name, ...]) -> tuple[Record, ...]:
    """The CNAME and what is behind it; nothing for loops, for too many links, and when nothing is behind it.

    Names outside of the domain have nobody to ask: the CNAME stands alone.
    """
    here = lookup.name.lower()
    if alias.within(lookup.name) or here in chain or len(chain) >= MAX_LINKS:
        return ()
    link = Record(lookup.name, "CNAME", lookup.zones.ttl, (alias,))
    domain = lookup.zones.domain
    if not alias.within(domain):
        return (link,)
    there = Lookup.of(alias, lookup.view, lookup.zones)
    behind = _resolved(there, version, (*chain, here)) if there else None
    return (link, *behind.answer) if behind and behind.answer else ()


def _cname(lookup: Lookup) -> Found | None:
    targets = find(lookup)
    if targets is None:
        return None
    return Found(tuple(Record(lookup.name, "CNAME", lookup.zones.ttl, (t.alias,)) for t in targets if t.alias))


def _srv(lookup: Lookup) -> Found | None:
    targets = find(lookup)
    if targets is None:
        return None
    ttl = lookup.zones.ttl
    weight = max(1, 100 // max(1, len(targets)))  # shared by all matches, those that merge into one record included
    named = [(Name(t.labels) + lookup.zone, t.address, t.port)
             for t in targets if t.address and t.port is not None]
    return Found(_unique(Record(lookup.name, "SRV", ttl, (0, weight, port, name)) for name, _, port in named),
                 _unique(_address(name, address, ttl) for name, address, _ in named))


def _ptr(lookup: Lookup) -> Found | None:
    names = reverse_names(lookup)
    if names:
        return Found(tuple(Record(lookup.name, "PTR", lookup.zones.ttl, (name,)) for name in names))
    return _exists(lookup)


def _soa(lookup: Lookup) -> Found | None:
    if lookup.at_apex:
        return Found((soa(lookup),))
    return Found()  # CoreDNS does not look whether there is such a name


def _ns(lookup: Lookup) -> Found | None:
    if not lookup.at_apex:
        return _exists(lookup)
    servers, ttl = name_servers(lookup), lookup.zones.ttl
    return Found(_unique(Record(lookup.zone, "NS", ttl, (name,)) for name, _ in servers),
                 _unique(_address(name, address, ttl) for name, address in servers))


def _txt(lookup: Lookup) -> Found | None:
    if isinstance(lookup.asked, SchemaVersion):
        return Found((Record(lookup.name, "TXT", SCHEMA_TTL, (SCHEMA_VERSION,)),))
    # As CoreDNS has it: a name without records of another type (a namespace, the zone) is no name for TXT.
    return Found() if not isinstance(lookup.asked, NameServer) and find(lookup) else None


def _exists(lookup: Lookup) -> Found | None:
    return None if find(lookup) is None else Found()


RECORDS: dict[str, Callable[[Lookup], Found | None]] = {
    "A": _a,
    "AAAA": _aaaa,
    "CNAME": _cname,
    "NS": _ns,
    "PTR": _ptr,
    "SOA": _soa,
    "SRV": _srv,
    "TXT": _txt,
}


def records(type: str, lookup: Lookup) -> Found | None:
    """The records of that type at the name; None when there is no such name."""
    return RECORDS.get(type, _exists)(lookup)
