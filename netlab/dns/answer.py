"""From a question to an answer, as CoreDNS's kubernetes plugin gives it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netlab.dns.depends import tags
from netlab.dns.find import Lookup
from netlab.dns.names import Name, Zones
from netlab.dns.records import Record, records, soa
from netlab.dns.view import DnsView, Tag


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for. `type` as dig prints it (`A`, `TYPE64`); the class is IN."""

    name: Name
    type: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The code (`NOERROR`, `NXDOMAIN`, ...) and the sections of a response."""

    rcode: str = "NOERROR"
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = True
    tags: frozenset[Tag] | None = None  # what it depends on; None: on anything


NO_UPSTREAM = Answer("SERVFAIL", authoritative=False)


def answer(question: Question, view: DnsView, zones: Zones) -> Answer:
    """The answer from what the view knows; SERVFAIL for names of which nobody here can know anything."""
    return replace(_answer(question, view, zones), tags=tags(question.name, question.type, view, zones))


def _answer(question: Question, view: DnsView, zones: Zones) -> Answer:
    zone = zones.of(question.name)
    lookup = Lookup(question.name, zone if zone is not None else question.name, view, zones)
    if zone is None:
        # An endpoint may be outside of the pod range (a node, a machine outside): its name is known all the same.
        found = records("PTR", lookup) if question.type == "PTR" else None
        return Answer(answer=found.answer) if found and found.answer else NO_UPSTREAM
    if question.type in ("AXFR", "IXFR"):
        return Answer("REFUSED", authoritative=False)
    found = records(question.type, lookup)
    if found is None:
        return Answer("NXDOMAIN" if view.synced else "SERVFAIL", authority=(soa(lookup),))
    if not found.answer:
        return Answer(authority=(soa(lookup),))
    return Answer(answer=found.answer, additional=found.additional)
