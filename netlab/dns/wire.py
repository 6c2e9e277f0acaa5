"""Between bytes and questions and answers (RFC 1035, EDNS0 of RFC 6891)."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from dnslib import OPCODE, QTYPE, RCODE, RR
from dnslib.label import DNSBuffer

from netlab.dns.answer import Answer, Question
from netlab.dns.names import Name
from netlab.dns.packing import IN, WIDTH, Packed, Writer, fitting, question_bytes
from netlab.dns.view import Tag

UDP_SIZE = 512  # what every client takes
TCP_SIZE = 65535
HEADER = struct.Struct("!HHHHHH")
QR, AA, TC, RD, RA, AD, CD, OPCODE_MASK = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010, 0x7800
DO = 0x8000  # of the OPT record's flags
OPT = 41
ECHOED = (3, 9, 10, 11, 12)  # options that come back: NSID, EXPIRE, COOKIE, TCP keepalive, padding
_OPT = struct.Struct("!BHHIH")  # root, OPT, the client's size, upper bits of the code with version and flags, length
_KIND = struct.Struct("!HH")  # type and class of a question
BADVERS = 16  # not in the header's four bits: the upper ones are in the OPT record


class Edns(NamedTuple):
    """What the client's OPT record says."""

    size: int
    version: int = 0
    flags: int = 0  # DO is the highest of the 16
    options: bytes = b""  # those that come back


class Query(NamedTuple):
    """A request. `refusal` is the code that it gets whatever the view says, "" when it is to be answered."""

    id: int
    flags: int
    question: Question | None = None
    type: int = 0
    klass: int = 0
    edns: Edns | None = None
    refusal: str = ""
    plain: bytes = b""  # the question as it came, of the usual shape: no other, at most an OPT record without options


class Reply(NamedTuple):
    """A response that may be sent in `turns` orders of its addresses: `make(turn)` is the message.

    It is the same for all requests with the same bytes after the ID, as long as what it was made from is;
    `keep` is False when no such request is to be expected again. When `caseless`, a request that differs in the
    case of its name has the same response, but for that name.
    """

    packed: Packed
    rcode: str
    question: Question | None
    keep: bool = True
    caseless: bool = False
    tags: frozenset[Tag] | None = None

    @property
    def turns(self) -> int:
        """How many orders there are."""
        return self.packed.turns

    def make(self, turn: int) -> bytes:
        """The message in one of its orders."""
        return self.packed.message(turn)


def parse(data: bytes) -> Query | None:
    """The request; None for what must not be answered at all (not even a header, or itself a response)."""
    if len(data) < HEADER.size:
        return None
    ident, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    if flags & QR:
        return None
    if questions == 1 and not (flags & OPCODE_MASK or answers or authorities):
        plain = _plain(data, ident, flags, additionals)
        if plain is not None:
            return plain
    query = Query(ident, flags)
    if flags & OPCODE_MASK != OPCODE.QUERY << 11:
        return query._replace(refusal="NOTIMP")
    if questions != 1 or answers > 1 or authorities > 1 or additionals > 2:
        return query._replace(refusal="FORMERR")
    try:
        return _parse_sections(query, data, others=answers + authorities, additionals=additionals)
    except Exception:  # whatever dnslib stumbles over, the message is at fault
        return query._replace(refusal="FORMERR")


def _plain(data: bytes, ident: int, flags: int, additionals: int) -> Query | None:
    """The request when it has the usual shape and not a byte more."""
    at, labels, text = HEADER.size, [], data.decode("latin-1")
    try:
        while length := data[at]:
            if length > 63:
                return None
            end = at + 1 + length
            labels.append(text[at + 1:end])
            at = end
        rest, edns = len(data) - at - 5, None
        if at > 265 or additionals > 1 or rest != additionals * _OPT.size:
            return None
        kind, klass = _KIND.unpack_from(data, at + 1)
        if additionals:
            root, type_, size, bits, length = _OPT.unpack_from(data, at + 5)
            if root or type_ != OPT or length or bits >> 16:
                return None
            edns = Edns(size, 0, bits & 0xFFFF)
    except (IndexError, struct.error):
        return None
    return Query(ident, flags, Question(Name(labels), type_name(kind)), kind, klass, edns,
                 "" if klass == IN else "REFUSED", data[HEADER.size:at + 5])


@lru_cache(256)
def type_name(kind: int) -> str:
    """A record type as dig prints it."""
    name: str = QTYPE.get(kind)
    return name


def type_number(name: str) -> int:
    """The number of a record type as dig prints it; 0 for what is none."""
    number: int = QTYPE.reverse.get(name) or int(name.removeprefix("TYPE") if name.startswith("TYPE") else 0)
    return number


def _parse_sections(query: Query, data: bytes, *, others: int, additionals: int) -> Query:
    buffer = DNSBuffer(data)
    buffer.offset = HEADER.size
    label = buffer.decode_name()
    kind, klass = buffer.unpack("!HH")
    if len(label) > 253 or any(len(part) > 63 for part in label.label):
        return query._replace(refusal="FORMERR")
    for _ in range(others):
        RR.parse(buffer)
    extra = [RR.parse(buffer) for _ in range(additionals)]
    options = [rr for rr in extra if rr.rtype == QTYPE.OPT]
    if len(options) > 1:
        return query._replace(refusal="FORMERR")
    edns = _edns(options[0]) if options else None
    name = Name(part.decode("latin-1") for part in label.label)
    refusal = "REFUSED" if klass != IN else "BADVERS" if edns and edns.version else ""
    return query._replace(question=Question(name, QTYPE.get(kind)), type=kind, klass=klass, edns=edns,
                          refusal=refusal)


def _edns(rr: RR) -> Edns:
    kept = b"".join(struct.pack("!HH", option.code, len(option.data)) + bytes(option.data)
                    for option in rr.rdata if option.code in ECHOED)
    return Edns(rr.rclass, rr.edns_ver, rr.ttl & 0xFFFF, kept)


def response(query: Query, result: Answer, *, tcp: bool = False) -> Reply:
    """The response to a request."""
    limit = TCP_SIZE if tcp else max(UDP_SIZE, query.edns.size) if query.edns else UDP_SIZE
    caseless = _NAMED.isdisjoint([record.type for record in result.answer + result.additional])
    return Reply(pack(query, result, limit=limit), result.rcode, query.question, keep=bool(query.plain) and result.keep,
                 caseless=caseless, tags=result.tags)


_NAMED = frozenset(("CNAME", "SRV", "NS", "SOA"))  # their data may repeat part of the question's name, in its case


def failure(data: bytes) -> bytes:
    """SERVFAIL to a message of at least a header, whatever is in it."""
    ident, flags = struct.unpack_from("!HH", data)
    return HEADER.pack(ident, QR | flags & (OPCODE_MASK | RD | CD) | RCODE.SERVFAIL, 0, 0, 0, 0)


_RCODES = {**{name: number for number, name in RCODE.forward.items()}, "BADVERS": BADVERS}


def pack(query: Query, result: Answer, *, limit: int) -> Packed:
    """The message, of at most `limit` bytes, with its addresses after all other records of their section.

    What does not fit is left out from the end, and TC is set: nobody can know whether the client needs it.
    """
    rcode = _RCODES[result.rcode]
    opt = _opt(query.edns, rcode >> 4) if query.edns else b""
    writer = Writer(bytes(HEADER.size))
    if query.question:
        writer.question(query.question.name, query.plain or question_bytes(query.question.name, query.type,
                                                                                 query.klass))
    counts, packed, serial_at = [0, 0, 0], None, 0
    for section, records in enumerate((result.answer, result.authority, result.additional)):
        if not records:
            continue
        others = [record for record in records if record.type not in WIDTH]
        addresses = [record for record in records if record.type in WIDTH]
        counts[section] = fitting(writer, others, limit - len(opt))
        if counts[section] < len(others):
            break
        if others and others[-1].type == "SOA":
            serial_at = len(writer.out) - 20
        turning = result.shuffled and len(addresses) > 1 and not section
        block = writer.same_owner(addresses) if turning else None
        if block is None:
            count = fitting(writer, addresses, limit - len(opt))
        else:
            step = len(block) // len(addresses)
            count = min(len(addresses), (limit - len(opt) - len(writer.out)) // step)
            packed = Packed(bytes(writer.out), ring=block + block, shown=count * step, step=step)
            writer.out += block[:count * step]
        counts[section] += count
        if count < len(addresses):
            break
    total = len(result.answer) + len(result.authority) + len(result.additional)
    flags = QR | query.flags & (OPCODE_MASK | RD | CD) | rcode & 15
    flags |= (AA if result.authoritative else 0) | (TC if sum(counts) < total or result.truncated else 0)
    flags |= (RA if result.recursion_available else 0) | (AD if result.authentic else 0)
    counts[2] += 1 if query.edns else 0
    head = HEADER.pack(query.id, flags, 1 if query.question else 0, *counts)
    if packed is None:
        writer.out[:HEADER.size] = head
        return Packed(bytes(writer.out + opt), serial_at=serial_at)
    packed.tail = bytes(writer.out[len(packed.head) + packed.shown:]) + opt
    packed.head = head + packed.head[HEADER.size:]
    return packed


def _opt(edns: Edns, rcode: int) -> bytes:
    return _OPT.pack(0, OPT, edns.size, rcode << 24 | edns.flags, len(edns.options)) + edns.options
