"""Between bytes and questions and answers (RFC 1035, EDNS0 of RFC 6891). The only user of dnslib."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dnslib import AAAA, CNAME, NS, OPCODE, PTR, QTYPE, RCODE, RR, SOA, SRV, TXT, A
from dnslib.dns import CLASS, EDNSOption
from dnslib.label import DNSBuffer, DNSLabel

from netlab.dns.answer import NO_UPSTREAM, Answer, Question, answer
from netlab.dns.names import Name, Zones
from netlab.dns.records import Record
from netlab.dns.view import DnsView

UDP_SIZE = 512  # what every client takes
TCP_SIZE = 65535
HEADER = struct.Struct("!HHHHHH")
QR, AA, TC, RD, CD, OPCODE_MASK = 0x8000, 0x0400, 0x0200, 0x0100, 0x0010, 0x7800
COOKIE = 10  # the option's code (RFC 7873)
BADVERS = 16  # not in the header's four bits: the upper ones are in the OPT record


@dataclass(frozen=True, slots=True)
class Edns:
    """What the client's OPT record says."""

    size: int
    version: int
    dnssec_ok: bool
    cookie: bytes | None


@dataclass(frozen=True, slots=True)
class Query:
    """A request. `refusal` is the code that it gets whatever the view says, "" when it is to be answered."""

    id: int
    flags: int
    question: Question | None = None
    type: int = 0
    klass: int = 0
    edns: Edns | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Reply:
    """A response that may be sent in `turns` orders of its addresses: `make(turn)` is the message.

    It is the same for all requests with the same bytes after the ID, for as long as the view is;
    `keep` is False when no such request is to be expected again.
    """

    make: Callable[[int], bytes]
    rcode: str
    question: Question | None
    turns: int = 1
    keep: bool = True


def parse(data: bytes) -> Query | None:
    """The request; None for what must not be answered at all (not even a header, or itself a response)."""
    if len(data) < HEADER.size:
        return None
    ident, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    if flags & QR:
        return None
    query = Query(ident, flags)
    if flags & OPCODE_MASK != OPCODE.QUERY << 11:
        return replace(query, refusal="NOTIMP")
    if questions != 1 or answers > 1 or authorities > 1 or additionals > 2:
        return replace(query, refusal="FORMERR")
    try:
        return _parse_sections(query, data, others=answers + authorities, additionals=additionals)
    except Exception:  # whatever dnslib stumbles over, the message is at fault
        return replace(query, refusal="FORMERR")


def _parse_sections(query: Query, data: bytes, *, others: int, additionals: int) -> Query:
    buffer = DNSBuffer(data)
    buffer.offset = HEADER.size
    label = buffer.decode_name()
    kind, klass = buffer.unpack("!HH")
    if len(label) > 253 or any(len(part) > 63 for part in label.label):
        return replace(query, refusal="FORMERR")
    for _ in range(others):
        RR.parse(buffer)
    extra = [RR.parse(buffer) for _ in range(additionals)]
    options = [rr for rr in extra if rr.rtype == QTYPE.OPT]
    if len(options) > 1:
        return replace(query, refusal="FORMERR")
    edns = _edns(options[0]) if options else None
    name = Name(part.decode("latin-1") for part in label.label)
    refusal = "BADVERS" if edns and edns.version else "" if klass == CLASS.IN else "REFUSED"
    return replace(query, question=Question(name, QTYPE.get(kind)), type=kind, klass=klass, edns=edns,
                   refusal=refusal)


def _edns(rr: RR) -> Edns:
    cookie = next((bytes(option.data) for option in rr.rdata if option.code == COOKIE), None)
    return Edns(max(UDP_SIZE, rr.rclass), rr.edns_ver, bool(rr.edns_do), cookie)


def reply(data: bytes, view: DnsView, zones: Zones, *, tcp: bool = False) -> Reply | None:
    """The response to a message, or None when there must be none."""
    query = parse(data)
    if query is None:
        return None
    refusal = query.refusal
    if refusal or query.question is None:
        result = Answer(refusal, authoritative=False)
    else:
        result = answer(query.question, view, zones) or NO_UPSTREAM
    limit = TCP_SIZE if tcp else query.edns.size if query.edns else UDP_SIZE

    def make(turn: int) -> bytes:
        return pack(query, rotate(result, turn), limit=limit)

    keep = not (query.edns and query.edns.cookie is not None)
    return Reply(make, result.rcode, query.question, turns=_turns(result), keep=keep)


def failure(data: bytes) -> bytes:
    """SERVFAIL to a message of at least a header, whatever is in it."""
    ident, flags = struct.unpack_from("!HH", data)
    return HEADER.pack(ident, QR | flags & (OPCODE_MASK | RD | CD) | RCODE.SERVFAIL, 0, 0, 0, 0)


def rotate(result: Answer, turn: int) -> Answer:
    """The answer with its address records turned so that each comes first once; other records stay before them."""
    return replace(result, answer=_rotated(result.answer, turn), additional=_rotated(result.additional, turn))


def _rotated(records: tuple[Record, ...], turn: int) -> tuple[Record, ...]:
    addresses = [record for record in records if record.type in ("A", "AAAA")]
    if len(addresses) < 2:
        return records
    first = turn % len(addresses)
    others = tuple(record for record in records if record.type not in ("A", "AAAA"))
    return (*others, *addresses[first:], *addresses[:first])


def _turns(result: Answer) -> int:
    sections = (result.answer, result.additional)
    return max(1, *(sum(record.type in ("A", "AAAA") for record in records) for records in sections))


def pack(query: Query, result: Answer, *, limit: int) -> bytes:
    """The message, of at most `limit` bytes.

    What does not fit is left out from the end. TC is set when that cuts the answer section
    (additional records may be missing without it, RFC 2181 9).
    """
    rcode = BADVERS if result.rcode == "BADVERS" else getattr(RCODE, result.rcode)
    tail = _Buffer()
    if query.edns:
        _opt(query.edns, rcode >> 4).pack(tail)
    buffer = _Buffer()
    buffer.append(bytes(HEADER.size))
    if query.question:
        buffer.encode_name(_label(query.question.name))
        buffer.pack("!HH", query.type, query.klass)
    counts, end = [0, 0, 0], buffer.offset
    for section, record in _records(result):
        _rr(record).pack(buffer)
        if buffer.offset + tail.offset > limit:
            break
        counts[section] += 1
        end = buffer.offset
    flags = QR | query.flags & (OPCODE_MASK | RD | CD) | rcode & 15
    flags |= (AA if result.authoritative else 0) | (TC if counts[0] < len(result.answer) else 0)
    counts[2] += 1 if query.edns else 0
    buffer.update(0, "12s", HEADER.pack(query.id, flags, 1 if query.question else 0, *counts))
    return bytes(buffer.data[:end] + tail.data)


def _records(result: Answer) -> Iterator[tuple[int, Record]]:
    for section, records in enumerate((result.answer, result.authority, result.additional)):
        for record in records:
            yield section, record


class _Buffer(DNSBuffer):  # type: ignore[misc]
    """Compresses names; unlike its base it never points to where a pointer of 14 bits cannot reach."""

    names: dict[tuple[bytes, ...], int]

    def encode_name(self, name: DNSLabel) -> None:
        before = len(self.names)
        super().encode_name(name)
        if self.offset > 0x3FFF and len(self.names) > before:
            self.names = {labels: offset for labels, offset in self.names.items() if offset <= 0x3FFF}


def _opt(edns: Edns, rcode: int) -> RR:
    options = [] if edns.cookie is None else [EDNSOption(COOKIE, edns.cookie)]
    return RR(DNSLabel(()), QTYPE.OPT, edns.size, rcode << 24 | edns.dnssec_ok << 15, options)


def _label(name: Name) -> DNSLabel:
    return DNSLabel([label.encode("latin-1") for label in name])


_RDATA: dict[str, Callable[..., object]] = {
    "A": A,
    "AAAA": AAAA,
    "CNAME": lambda name: CNAME(_label(name)),
    "NS": lambda name: NS(_label(name)),
    "PTR": lambda name: PTR(_label(name)),
    "SOA": lambda server, mailbox, *times: SOA(_label(server), _label(mailbox), times),
    "SRV": lambda priority, weight, port, name: SRV(priority, weight, port, _label(name)),
    "TXT": TXT,
}


def _rr(record: Record) -> RR:
    return RR(_label(record.name), getattr(QTYPE, record.type), CLASS.IN, record.ttl, _RDATA[record.type](*record.data))


def type_number(name: str) -> int:
    """The number of a record type as dig prints it; 0 for what is none."""
    number: int = QTYPE.reverse.get(name) or int(name.removeprefix("TYPE") if name.startswith("TYPE") else 0)
    return number
