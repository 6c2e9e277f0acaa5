"""Resource records as bytes (RFC 1035 4.1), with compressed names and an address list that turns.

dnslib reads messages; for writing it costs ten times what the common answers need.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address

from netlab.dns.names import Name
from netlab.dns.records import Record

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
POINTER, REACH = 0xC000, 0x3FFF  # a pointer to an earlier name has 14 bits
IN = 1
_TWO_BYTES = struct.Struct("!H")
_TIMES = struct.Struct("!IIIII")  # of an SOA: serial, refresh, retry, expire, minimum
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of the data
WIDTH = {"A": 4, "AAAA": 16}  # bytes of the records that take turns in being the first


@dataclass(slots=True)
class Packed:
    """A message whose addresses may be turned: `head`, `shown` bytes of `ring` from any multiple of `step`, `tail`.

    The ring holds all addresses twice, those that do not fit into the message too: in time each is seen.
    `serial_at` is where in the head the SOA's serial is, 0 when there is none.
    """

    head: bytes
    ring: bytes = b""
    shown: int = 0
    step: int = 1
    tail: bytes = b""
    serial_at: int = 0

    @property
    def turns(self) -> int:
        """How many orders there are."""
        return max(1, len(self.ring) // 2 // self.step)

    def message(self, turn: int = 0) -> bytes:
        """The message in one of its orders."""
        if not self.ring:
            return self.head
        start = turn % self.turns * self.step
        return self.head + self.ring[start:start + self.shown] + self.tail


class Writer:
    """Bytes of a message that grows; names are compressed against those before."""

    def __init__(self, start: bytes) -> None:
        self.out = bytearray(start)
        self._offsets: dict[tuple[str, ...], int] = {}
        self._named: tuple[Name, int] | None = None  # a name and where it is, whose parts have no offsets yet

    def question(self, name: Name, octets: bytes) -> None:
        """The question section, before all else. Most answers are of its whole name, and never look for its parts."""
        self._offsets[name] = len(self.out)
        self._named = name, len(self.out)
        self.out += octets

    def _at(self, name: tuple[str, ...]) -> int | None:
        """Where the name was written; None when it was not."""
        at = self._offsets.get(name)
        if at is None and self._named:
            whole, here = self._named
            self._named = None
            for index, label in enumerate(whole):
                self._offsets.setdefault(whole[index:], here)
                here += 1 + len(label)
            at = self._offsets.get(name)
        return at

    def name(self, name: tuple[str, ...], *, compress: bool = True) -> None:
        """A name; without `compress` it is written out, yet later ones may point to it (RFC 2782)."""
        out = self.out
        for index, label in enumerate(name):
            rest = name[index:] if index else name
            at = self._at(rest)
            if at is None:
                if len(out) <= REACH:
                    self._offsets[rest] = len(out)
            elif compress:
                out += _TWO_BYTES.pack(POINTER | at)
                return
            octets = label.encode("latin-1")
            out.append(len(octets))
            out += octets
        out.append(0)

    def record(self, record: Record) -> None:
        """One record."""
        if record.type == "SOA" and record.name and (at := self._at(record.name)) is not None:
            self.out += _soa_record(record, at)
            return
        self.name(record.name)
        start = len(self.out)
        number = TYPES.get(record.type)
        if number is None:  # of another server: type and data as they came
            self.out += _FIXED.pack(record.data[0], IN, record.ttl, 0)
            self.out += record.data[1]  # type: ignore[arg-type]
        else:
            self.out += _FIXED.pack(number, IN, record.ttl, 0)
            _DATA[record.type](self, record.data)
        _TWO_BYTES.pack_into(self.out, start + 8, len(self.out) - start - _FIXED.size)

    def same_owner(self, records: Sequence[Record]) -> bytes | None:
        """The records of one name, type and TTL when that name was written before; None when they cannot be alike."""
        first = records[0]
        at = self._at(first.name)
        if at is None or any(r.type != first.type or (r.name is not first.name and r.name != first.name)
                             for r in records):
            return None
        kind = first.type
        start = (POINTER | at).to_bytes(2, "big") + _FIXED.pack(TYPES[kind], IN, first.ttl, WIDTH[kind])
        return b"".join([start + address_bytes(str(record.data[0])) for record in records])


def question_bytes(name: Name, type: int, klass: int = IN) -> bytes:
    """A question section."""
    writer = Writer(b"")
    writer.name(name)
    return bytes(writer.out) + struct.pack("!HH", type, klass)


@lru_cache(1024)
def _soa_record(record: Record, at: int) -> bytes:
    """An SOA record whose zone was written before: every negative answer ends with one, mostly the same."""
    server, mailbox, *times = record.data
    data = b"".join((_below(server, record.name, at), _below(mailbox, record.name, at), _TIMES.pack(*times)))
    head = _FIXED.pack(TYPES["SOA"], IN, record.ttl, len(data))
    return _TWO_BYTES.pack(POINTER | at) + head + data


def _below(name: str | int | Name | bytes, zone: Name, at: int) -> bytes:
    writer = Writer(b"")
    writer._offsets[zone] = at
    writer.name(name)  # type: ignore[arg-type]
    return bytes(writer.out)


def address_bytes(text: str) -> bytes:
    """The 4 or 16 bytes of an address that is known to be one."""
    return IPv6Address(text).packed if ":" in text else bytes(map(int, text.split(".")))


def _address(writer: Writer, data: tuple[str | int | Name | bytes, ...]) -> None:
    writer.out += address_bytes(str(data[0]))


def _one_name(writer: Writer, data: tuple[str | int | Name | bytes, ...]) -> None:
    writer.name(data[0])  # type: ignore[arg-type]


def _soa(writer: Writer, data: tuple[str | int | Name | bytes, ...]) -> None:
    server, mailbox, *times = data
    writer.name(server)  # type: ignore[arg-type]
    writer.name(mailbox)  # type: ignore[arg-type]
    writer.out += _TIMES.pack(*times)


def _srv(writer: Writer, data: tuple[str | int | Name | bytes, ...]) -> None:
    *numbers, target = data
    writer.out += struct.pack("!HHH", *numbers)
    writer.name(target, compress=False)  # type: ignore[arg-type]


def _txt(writer: Writer, data: tuple[str | int | Name | bytes, ...]) -> None:
    for text in data:
        octets = str(text).encode("latin-1")
        writer.out += bytes((len(octets),)) + octets


_DATA: dict[str, Callable[[Writer, tuple[str | int | Name | bytes, ...]], None]] = {
    "A": _address, "AAAA": _address, "CNAME": _one_name, "NS": _one_name, "PTR": _one_name,
    "SOA": _soa, "SRV": _srv, "TXT": _txt,
}


def fitting(writer: Writer, records: Iterable[Record], room: int) -> int:
    """Writes records as long as no more than `room` bytes are taken in all; how many."""
    written = 0
    for record in records:
        end = len(writer.out)
        writer.record(record)
        if len(writer.out) > room:
            del writer.out[end:]
            break
        written += 1
    return written
