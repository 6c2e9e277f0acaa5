"""The outside world's zone: rows of its text, and what it answers."""

from ipaddress import ip_address

import pytest

from netlab.dns import wire
from netlab.dns.answer import Question
from netlab.dns.names import Name
from netlab.dns.zone import Zone, host_lines
from netlab.server.zone_dns import respond

TEXT = """
shop.example.com 300 A 198.51.100.10
shop.example.com 300 A 198.51.100.11
www.example.com 60 CNAME shop.example.com
old.example.com 60 CNAME www.example.com
dangling.example.com 60 CNAME nowhere.example.net
loop.example.com 60 CNAME pool.example.com
pool.example.com 60 CNAME loop.example.com
*.apps.example.com 300 A 198.51.100.12
fixed.apps.example.com 300 TXT "not an address" second
_sip._tcp.example.com 300 SRV 1 2 5060 shop.example.com
""" + "\n".join(host_lines(["*.wild.example", "six.example"], [ip_address("2001:db8::6")]))
ZONE = Zone.parse(TEXT)


def ask(name, kind):
    found = ZONE.answer(Question(Name.of(name), kind))
    return found.rcode, [str(record) for record in found.answer], [record.type for record in found.authority]


@pytest.mark.parametrize(("name", "kind", "rcode", "answers"), [
    ("shop.example.com", "A", "NOERROR", ["shop.example.com. 300 IN A 198.51.100.10",
                                          "shop.example.com. 300 IN A 198.51.100.11"]),
    ("ShOp.example.COM", "A", "NOERROR", ["ShOp.example.COM. 300 IN A 198.51.100.10",
                                          "ShOp.example.COM. 300 IN A 198.51.100.11"]),
    ("old.example.com", "A", "NOERROR", ["old.example.com. 60 IN CNAME www.example.com.",
                                         "www.example.com. 60 IN CNAME shop.example.com.",
                                         "shop.example.com. 300 IN A 198.51.100.10",
                                         "shop.example.com. 300 IN A 198.51.100.11"]),
    ("www.example.com", "CNAME", "NOERROR", ["www.example.com. 60 IN CNAME shop.example.com."]),
    ("dangling.example.com", "A", "NXDOMAIN", ["dangling.example.com. 60 IN CNAME nowhere.example.net."]),
    ("loop.example.com", "A", "SERVFAIL", []),
    ("any.apps.example.com", "A", "NOERROR", ["any.apps.example.com. 300 IN A 198.51.100.12"]),
    ("a.b.apps.example.com", "A", "NOERROR", ["a.b.apps.example.com. 300 IN A 198.51.100.12"]),
    ("x.fixed.apps.example.com", "A", "NXDOMAIN", []),
    ("fixed.apps.example.com", "TXT", "NOERROR", ['fixed.apps.example.com. 300 IN TXT "not an address" "second"']),
    ("fixed.apps.example.com", "A", "NOERROR", []),
    ("apps.example.com", "A", "NOERROR", []),
    ("_sip._tcp.example.com", "SRV", "NOERROR", ["_sip._tcp.example.com. 300 IN SRV 1 2 5060 shop.example.com."]),
    ("six.example", "AAAA", "NOERROR", ["six.example. 300 IN AAAA 2001:db8::6"]),
    (ip_address("2001:db8::6").reverse_pointer, "PTR", "NOERROR",
     [f"{ip_address('2001:db8::6').reverse_pointer}. 300 IN PTR six.example."]),
    ("9.100.51.198.in-addr.arpa", "PTR", "NXDOMAIN", []),
    ("nowhere", "A", "NXDOMAIN", []),
    (".", "NS", "NOERROR", []),
])
def test_every_question_has_an_answer(name, kind, rcode, answers):
    found = ask(name, kind)
    assert found[:2] == (rcode, answers)
    assert found[2] == ([] if rcode == "SERVFAIL" or (rcode == "NOERROR" and answers) else ["SOA"])


@pytest.mark.parametrize("line", ["a.example", "a.example x A 1.2.3.4", "a.example 1 A", "a.example 1 A here",
                                  "a.example 1 SRV one 2 3 b.example"])
def test_a_line_that_is_no_record_is_named(line):
    with pytest.raises(ValueError, match="not a record of a zone"):
        Zone.parse(line)


def query(name, kind, *, id=7):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return wire.HEADER.pack(id, 0x0100, 1, 0, 0, 0) + labels + b"\0" + bytes([0, kind, 0, 1])


def test_the_server_says_that_it_resolves_for_others_and_turns_the_addresses():
    replies = [respond(query("shop.example.com", 1), ZONE, turn)[0] for turn in (0, 1)]
    assert [reply[2] & 4 for reply in replies] == [0, 0]  # AA
    assert [reply[3] & 0x80 for reply in replies] == [0x80, 0x80]  # RA
    assert [reply[-4:] for reply in replies] == [bytes((198, 51, 100, 11)), bytes((198, 51, 100, 10))]


def test_zones_are_not_given_away_and_responses_are_not_answered():
    message, _, rcode = respond(query("example.com", 252), ZONE, 0)
    assert (rcode, message[3] & 15) == ("REFUSED", 5)
    assert respond(message, ZONE, 0) is None
