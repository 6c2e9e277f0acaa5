"""From a question to an answer, as CoreDNS's kubernetes plugin gives it."""

from __future__ import annotations

from typing import NamedTuple

from netlab.dns.depends import tags
from netlab.dns.find import Lookup
from netlab.dns.names import Name, Zones
from netlab.dns.records import Record, records, soa
from netlab.dns.view import DnsView, Tag


class Question(NamedTuple):
    """What is asked for. `type` as dig prints it (`A`, `TYPE64`); the class is IN."""

    name: Name
    type: str


class Answer(NamedTuple):
    """The code (`NOERROR`, `NXDOMAIN`, ...) and the sections of a response.

    `keep`: it is the same until the view changes. `shuffled`: its addresses are to come in another order each time.
    `error` is why there is no answer, for the log; `by` the plugin that gave it.
    """

    rcode: str = "NOERROR"
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = True
    recursion_available: bool = False
    authentic: bool = False
    truncated: bool = False
    shuffled: bool = False
    keep: bool = True
    error: str = ""
    by: str = ""
    tags: frozenset[Tag] | None = None  # what it depends on; None: on anything


BY = "kubernetes"


def answer(question: Question, view: DnsView, zones: Zones) -> Answer | None:
    """The answer from what the view knows; None for names in no zone."""
    lookup = Lookup.of(question.name, view, zones)
    if lookup is None:
        return None
    if question.type in ("AXFR", "IXFR"):
        return Answer("REFUSED", authoritative=False, by=BY)
    found, depends = records(question.type, lookup), tags(question.type, lookup)
    if found is None:
        return Answer("NXDOMAIN" if view.synced else "SERVFAIL", authority=(soa(lookup),), tags=depends, by=BY)
    if not found.answer:
        return Answer(authority=(soa(lookup),), tags=depends, by=BY)
    return Answer(answer=found.answer, additional=found.additional, tags=depends, by=BY)
