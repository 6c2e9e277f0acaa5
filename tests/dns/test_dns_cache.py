"""What is kept of responses, and what makes them go."""

import random
from dataclasses import replace

import pytest
from dns_objects import ZONES, endpoints, external, namespace, reply, service, view_of, zones_only
from dnslib import QTYPE, DNSHeader, DNSQuestion, DNSRecord

from netlab.dns import cache as module
from netlab.dns.cache import Entry, WireCache
from netlab.dns.view import Key, parse
from netlab.dns.wire import parse as parse_message
from netlab.server.dns_observer import Observer
from netlab.server.dns_responder import NOBODY, Knowledge, Responder, _Exchange

BASE = (namespace("shop"), service("web", "10.96.0.5"), endpoints("web", "10.244.1.5"), service("other", "10.96.0.9"),
        service("db", "None"), endpoints("db", "db-0=10.244.1.6", "10.244.1.7"),
        external("alias", "late.default.svc.cluster.local"), external("out", "www.example.com"))
Z = "svc.cluster.local"


class Silent:
    def limited(self, *_):
        pass


def request(text, ident=1):
    name, kind = text.split()
    return bytes(DNSRecord(DNSHeader(id=ident, rd=1), q=DNSQuestion(name, getattr(QTYPE, kind))).pack())


class Port(Responder):
    """Answers from a view of its own."""

    def __init__(self):
        self.known = Knowledge(zones_only(ZONES))
        super().__init__(self.known, 53, log=Silent(), observer=Observer(Silent()), do=None)
        self.update = self.known.update

    @property
    def view(self):
        return self.known.view


def responder(*objects):
    made = Port()
    made.update(lambda _: view_of(*(objects or BASE)))
    return made


def asked_twice(made, *texts):
    """The questions are among what stays."""
    for text in texts * 2:
        made.udp(request(text))
    return {text for text in texts if request(text)[2:] in made.cache.kept}


def change(made, object_, *, gone=False, now=1800000000):
    resource, manifest = object_
    seen = parse(resource, manifest)
    made.update(lambda view: view.without_object(resource, seen.key, now=now) if gone
                else view.with_object(resource, seen, now=now))


QUESTIONS = (
    f"web.default.{Z} A", f"web.default.{Z} AAAA", f"_http._tcp.web.default.{Z} SRV", f"10-244-1-5.web.default.{Z} A",
    f"other.default.{Z} A", f"db.default.{Z} A", f"db-0.db.default.{Z} A", f"alias.default.{Z} A",
    f"late.default.{Z} A", f"nobody.default.{Z} A", f"shop.{Z} A", f"web.shop.{Z} A",
    "5.0.96.10.in-addr.arpa PTR", "6.1.244.10.in-addr.arpa PTR", "99.1.244.10.in-addr.arpa PTR", "cluster.local SOA",
    "10-244-1-5.shop.pod.cluster.local A", "10-244-1-5.default.pod.cluster.local A", "cluster.local NS",
)
CHANGES = [
    # what changes, whether it goes, the questions that must be answered anew
    (service("web", "10.96.0.6"), False, {0, 1, 2, 3, 12}),
    (service("web", "10.96.0.5"), True, {0, 1, 2, 3, 12}),
    (service("late", "10.96.0.7"), False, {7, 8}),
    (endpoints("db", "db-0=10.244.1.6"), False, {5, 6, 13}),
    (endpoints("web", "10.244.1.99"), False, {0, 1, 2, 3, 14}),
    (namespace("shop"), True, {10, 11, 16}),
    (endpoints("dns", "10.244.1.53"), False, {18}),
    (service("web", "10.96.0.5"), False, set()),  # as it was
]


@pytest.mark.parametrize(("object_", "gone", "expected"), CHANGES)
def test_a_change_makes_exactly_these_answers_go(object_, gone, expected):
    made = responder()
    assert asked_twice(made, *QUESTIONS) == set(QUESTIONS)
    change(made, object_, gone=gone)
    left = {text for text in QUESTIONS if request(text)[2:] in made.cache.kept}
    assert {QUESTIONS.index(text) for text in set(QUESTIONS) - left} == expected


@pytest.mark.parametrize(("object_", "gone"), [row[:2] for row in CHANGES])
def test_after_a_change_every_answer_is_as_without_a_cache(object_, gone):
    made = responder()
    asked_twice(made, *QUESTIONS)
    change(made, object_, gone=gone)
    for text in QUESTIONS * 2:
        got = sorted(str(rr) for rr in DNSRecord.parse(made.udp(request(text))).rr + DNSRecord.parse(
            made.udp(request(text))).auth)
        fresh = DNSRecord.parse(reply(request(text), made.view, ZONES).make(0))
        assert got == sorted(str(rr) for rr in fresh.rr + fresh.auth), text


@pytest.mark.slow
def test_random_changes_and_questions_never_show_an_old_answer():
    dice = random.Random(20240521)
    made, names = responder(namespace("a"), namespace("b")), ("x", "y", "z")
    for step in range(1500):
        space, name, number = dice.choice("ab"), dice.choice(names), dice.randrange(1, 5)
        what = dice.randrange(8)
        if what == 0:
            change(made, service(name, f"10.96.0.{number}", in_=space), gone=dice.random() < 0.3, now=step + 2)
        elif what == 1:
            change(made, service(name, "None", in_=space), now=step + 2)
        elif what == 2:
            change(made, external(name, f"{dice.choice(names)}.{dice.choice('ab')}.{Z}", in_=space), now=step + 2)
        elif what == 3:
            change(made, endpoints(name, f"10.244.1.{number}", f"h-1=10.244.2.{number}", in_=space,
                                   suffix=dice.choice("pq")), gone=dice.random() < 0.3, now=step + 2)
        elif what == 4 and dice.random() < 0.2:
            change(made, namespace(space), gone=dice.random() < 0.5, now=step + 2)
        text = dice.choice((f"{name}.{space}.{Z} A", f"{name}.{space}.{Z} SRV", f"h-1.{name}.{space}.{Z} A",
                            f"{space}.{Z} A", f"{number}.0.96.10.in-addr.arpa PTR", "cluster.local SOA",
                            f"{number}.2.244.10.in-addr.arpa PTR", f"{name}.{space}.{Z} CNAME"))
        got, fresh = (DNSRecord.parse(wire) for wire in (
            made.udp(request(text)), reply(request(text), made.view, ZONES).make(0)))
        assert got.header.rcode == fresh.header.rcode, (step, text)
        assert sorted(map(str, got.rr + got.auth)) == sorted(map(str, fresh.rr + fresh.auth)), (step, text)


def test_a_name_in_another_case_is_answered_from_the_same_entry_in_its_own_case():
    made = responder()
    asked_twice(made, f"web.default.{Z} A")
    count = len(made.cache)
    mixed = request(f"WeB.deFault.{Z.upper()} A", ident=77)
    assert made.udp(mixed) == reply(mixed, made.view, ZONES).make(0)
    negative = request(f"Nobody.default.{Z.title()} A")
    asked_twice(made, f"nobody.default.{Z} A")
    assert made.udp(negative) == reply(negative, made.view, ZONES).make(0)
    assert len(made.cache) == count + 1
    srv = request(f"_http._TCP.web.default.{Z.upper()} SRV")
    asked_twice(made, f"_http._tcp.web.default.{Z} SRV")
    assert made.udp(srv) == reply(srv, made.view, ZONES).make(0)


def test_addresses_take_turns_from_the_cache_too():
    made = responder()
    firsts = [str(DNSRecord.parse(made.udp(request(f"db.default.{Z} A", n))).rr[0].rdata) for n in range(8)]
    assert {tuple(firsts[n:n + 2]) for n in range(2, 7, 2)} <= {("10.244.1.6", "10.244.1.7"),
                                                                ("10.244.1.7", "10.244.1.6")}


def test_the_id_and_nothing_else_differs():
    made = responder()
    asked_twice(made, f"web.default.{Z} A")
    assert made.udp(request(f"web.default.{Z} A", 0xBEEF))[:2] == b"\xbe\xef"


@pytest.mark.slow
def test_a_flood_of_random_names_neither_empties_nor_grows_it(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 200)
    made = responder()
    useful = asked_twice(made, *QUESTIONS)
    for number in range(3000):
        made.udp(request(f"r{number}.default.{Z} A"))
    assert len(made.cache) == len(QUESTIONS)
    assert useful == {text for text in QUESTIONS if request(text)[2:] in made.cache.kept}
    for number in range(3000):
        asked_twice(made, f"t{number}.default.{Z} A")
        if number % 20 == 0:
            asked_twice(made, *QUESTIONS)
    assert useful == {text for text in QUESTIONS if request(text)[2:] in made.cache.kept}
    assert len(made.cache) <= 200
    assert len(made.cache._keys) <= 3 * 200
    made.cache.clear()
    assert (len(made.cache), made.cache._keys, made.cache._bytes) == (0, {}, 0)


def test_what_is_made_from_an_old_view_does_not_come_in():
    made = responder()
    view = made.view
    old = reply(request(f"late.default.{Z} A"), view, ZONES)
    change(made, service("late", "10.96.0.7"))
    data = request(f"late.default.{Z} A")
    made._keep(_Exchange(parse_message(data), data, None, view, made.known.configuration, NOBODY, data[2:], False, 0.0),
               old, None)
    assert len(made.cache) == 0


def test_kept_entries_make_room_for_others_and_hits_are_not_lost(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 8)
    cache, packed = WireCache(), reply(request(f"web.default.{Z} A"), view_of(*BASE), ZONES).packed
    for number in range(30):
        key = bytes((number,)) * 20
        cache.put(key, Entry(replace(packed), frozenset([Key("default", "web")]), kind="A"))
        cache.kept[key].hits += 1
        assert len(cache.kept) <= 8
    assert cache.hits() == {"A": 30}
    assert cache.hits() == {}
    cache.forget(frozenset([Key("default", "web")]))
    assert (len(cache), cache._bytes) == (0, 0)
