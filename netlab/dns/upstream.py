"""Questions to other DNS servers, and their responses as answers."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

from dnslib import QTYPE, RCODE, RR, DNSRecord
from dnslib.label import DNSBuffer, DNSLabel

from netlab.dns.answer import Answer
from netlab.dns.chain import Request
from netlab.dns.names import Name
from netlab.dns.packing import question_bytes
from netlab.dns.records import Record
from netlab.dns.wire import CD, DO, HEADER, OPT, QR, RD

_OPT = struct.Struct("!BHHIH")
IN = 1


def question(request: Request, ident: int) -> bytes:
    """The message that asks for it."""
    flags = (RD if request.recursion_desired else 0) | (CD if request.checking_disabled else 0)
    head = HEADER.pack(ident, flags, 1, 0, 0, 1 if request.size else 0)
    opt = _OPT.pack(0, OPT, request.size, DO if request.dnssec_ok else 0, 0) if request.size else b""
    return head + question_bytes(request.question.name, request.type) + opt


def is_response(data: bytes, ident: int) -> bool:
    """Whether a message is at all about the question with this ID."""
    return len(data) >= HEADER.size and int.from_bytes(data[:2], "big") == ident and bool(data[2] & QR >> 8)


def parse(data: bytes, request: Request) -> Answer | None:
    """What a server says; None when it is not about the question, or cannot be read."""
    try:
        message = DNSRecord.parse(data)
    except Exception:  # whatever dnslib stumbles over, the message is at fault
        return None
    header = message.header
    if len(message.questions) != 1:
        return None if message.questions or not header.rcode else _failed(header)
    asked = message.questions[0]
    if asked.qtype != request.type or _name(asked.qname).lower() != request.question.name.lower():
        return None
    try:
        answers, authority, additional = (tuple(record(rr) for rr in part if rr.rtype != OPT and rr.rclass == IN)
                                          for part in (message.rr, message.auth, message.ar))
    except (ValueError, TypeError, AttributeError):
        return None
    code = RCODE.get(header.rcode)
    return Answer(code if hasattr(RCODE, code) else "SERVFAIL", answers, authority, additional,
                  authoritative=bool(header.aa), recursion_available=bool(header.ra), authentic=bool(header.ad),
                  truncated=bool(header.tc), keep=False, by="forward")


def _failed(header: object) -> Answer:
    code = RCODE.get(header.rcode)  # type: ignore[attr-defined]
    return Answer(code if hasattr(RCODE, code) else "SERVFAIL", authoritative=False, keep=False, by="forward")


def _name(label: DNSLabel) -> Name:
    return Name(part.decode("latin-1") for part in label.label)


def record(rr: RR) -> Record:
    """A record as the server keeps it; type and data as they came where it knows no more of the type."""
    name, kind, rd = _name(rr.rname), str(QTYPE.get(rr.rtype)), rr.rdata
    match kind:
        case "A":
            return Record(name, kind, rr.ttl, (".".join(map(str, rd.data)),))
        case "AAAA":
            return Record(name, kind, rr.ttl, (str(IPv6Address(bytes(rd.data))),))
        case "CNAME" | "NS" | "PTR":
            return Record(name, kind, rr.ttl, (_name(rd.label),))
        case "SOA":
            return Record(name, kind, rr.ttl, (_name(rd.mname), _name(rd.rname), *rd.times))
        case "SRV":
            return Record(name, kind, rr.ttl, (rd.priority, rd.weight, rd.port, _name(rd.target)))
    buffer = _Uncompressed()
    rd.pack(buffer)
    # TXT records have their own place in the server's answers, but only those of one text.
    shown = kind if kind != "TXT" else f"TYPE{rr.rtype}"
    return Record(name, shown, rr.ttl, (rr.rtype, bytes(buffer.data)))


class _Uncompressed(DNSBuffer):  # type: ignore[misc]
    """Writes names out: what they could point to is not in the message where the record will be."""

    def encode_name(self, name: DNSLabel) -> None:
        self.encode_name_nocompress(name)
