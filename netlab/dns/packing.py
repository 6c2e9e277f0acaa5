"""Resource records as bytes (RFC 1035 4.1), with compressed names and an address list that turns.

dnslib reads messages; for writing it costs ten times what the common answers need.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

from netlab.dns.names import Name
from netlab.dns.records import Record

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
POINTER, REACH = 0xC000, 0x3FFF  # a pointer to an earlier name has 14 bits
IN = 1
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_WIDTH = {"A": 4, "AAAA": 16}


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

    def question(self, name: Name, type: int, klass: int) -> None:
        """The question section."""
        self.name(name)
        self.out += struct.pack("!HH", type, klass)

    def name(self, name: tuple[str, ...], *, compress: bool = True) -> None:
        """A name; without `compress` it is written out, yet later ones may point to it (RFC 2782)."""
        out, offsets = self.out, self._offsets
        rest = tuple(name)
        while rest:
            at = offsets.get(rest)
            if at is None:
                if len(out) <= REACH:
                    offsets[rest] = len(out)
            elif compress:
                out += (POINTER | at).to_bytes(2, "big")
                return
            label = rest[0].encode("latin-1")
            out.append(len(label))
            out += label
            rest = rest[1:]
        out.append(0)

    def record(self, record: Record) -> None:
        """One record."""
        self.name(record.name)
        start = len(self.out)
        number = TYPES.get(record.type)
        if number is None:  # of another server: type and data as they came
            self.out += _FIXED.pack(record.data[0], IN, record.ttl, 0)
            self.out += record.data[1]  # type: ignore[arg-type]
        else:
            self.out += _FIXED.pack(number, IN, record.ttl, 0)
            _DATA[record.type](self, record.data)
        struct.pack_into("!H", self.out, start + 8, len(self.out) - start - _FIXED.size)

    def same_owner(self, records: Sequence[Record]) -> bytes | None:
        """The records of one name, type and TTL when that name was written before; None when they cannot be alike."""
        first = records[0]
        at = self._offsets.get(tuple(first.name))
        if at is None or any(r.type != first.type or (r.name is not first.name and r.name != first.name)
                             for r in records):
            return None
        kind = first.type
        start = (POINTER | at).to_bytes(2, "big") + _FIXED.pack(TYPES[kind], IN, first.ttl, _WIDTH[kind])
        return b"".join([start + address_bytes(str(record.data[0])) for record in records])


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
    writer.out += struct.pack("!IIIII", *times)


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


def is_address(record: Record) -> bool:
    """Whether it is one of the records that take turns in being the first."""
    return record.type in _WIDTH


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
