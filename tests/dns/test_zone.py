"""Zones from files: rows of their text, and what the plugins `file` and `header` answer."""

from ipaddress import ip_address

import pytest
from corefiles import Asker, made

from netlab.dns.answer import Answer, Question
from netlab.dns.corefile import CorefileError
from netlab.dns.names import Name
from netlab.dns.records import Record
from netlab.dns.wire import parse, response
from netlab.dns.zone_file import ROOT, host_lines, read_zone

TEXT = """$TTL 300
@ 600 IN SOA ns hostmaster 7 7200 1800 86400 60
@ NS ns
ns A 198.51.100.2
shop IN 300 A 198.51.100.10
shop A 198.51.100.11  ; a second one
www 60 CNAME shop
old 60 CNAME www
dangling 60 CNAME nowhere
far 60 CNAME www.example.com.
loop 60 CNAME pool
pool 60 CNAME loop
*.apps A 198.51.100.12
fixed.apps TXT "not an address" second
_sip._tcp SRV 1 2 5060 shop
@ MX 10 shop
"""
HEADER = "header {\n response set ra\n response clear aa\n}\n"
NS = ["example. 300 IN NS ns.example."]
SOA = ["example. 60 IN SOA ns.example. hostmaster.example. 7 7200 1800 86400 60"]


def asker(text=TEXT, more="", **options):
    return Asker(made(f". {{\n{more}\nfile /etc/hosts example\nforward . 192.0.2.1\n}}\n", hosts=text), **options)


def rows(records):
    return [str(record) for record in records]


@pytest.mark.parametrize(("question", "rcode", "answers"), [
    ("shop.example. A", "NOERROR", ["shop.example. 300 IN A 198.51.100.10", "shop.example. 300 IN A 198.51.100.11"]),
    ("ShOp.EXAMPLE. A", "NOERROR", ["ShOp.EXAMPLE. 300 IN A 198.51.100.10", "ShOp.EXAMPLE. 300 IN A 198.51.100.11"]),
    ("old.example. A", "NOERROR", ["old.example. 60 IN CNAME www.example.", "www.example. 60 IN CNAME shop.example.",
                                   "shop.example. 300 IN A 198.51.100.10", "shop.example. 300 IN A 198.51.100.11"]),
    ("www.example. CNAME", "NOERROR", ["www.example. 60 IN CNAME shop.example."]),
    ("dangling.example. A", "NXDOMAIN", ["dangling.example. 60 IN CNAME nowhere.example."]),
    ("any.apps.example. A", "NOERROR", ["any.apps.example. 300 IN A 198.51.100.12"]),
    ("a.b.apps.example. A", "NOERROR", ["a.b.apps.example. 300 IN A 198.51.100.12"]),
    ("any.apps.example. TXT", "NOERROR", []),
    ("x.fixed.apps.example. A", "NXDOMAIN", []),
    ("fixed.apps.example. TXT", "NOERROR", ['fixed.apps.example. 300 IN TXT "not an address" "second"']),
    ("apps.example. A", "NOERROR", []),
    ("_sip._tcp.example. SRV", "NOERROR", ["_sip._tcp.example. 300 IN SRV 1 2 5060 shop.example."]),
    ("example. SOA", "NOERROR", ["example. 600 IN SOA ns.example. hostmaster.example. 7 7200 1800 86400 60"]),
    ("nowhere.example. A", "NXDOMAIN", []),
])
def test_the_zone_has_an_answer_to_every_question_about_it(question, rcode, answers):
    got = asker()(question)
    assert (got.rcode, rows(got.answer), got.authoritative, got.by) == (rcode, answers, True, "file")
    complete = rcode == "NOERROR" and bool(answers)
    assert rows(got.authority) == (NS if complete else SOA)


def test_name_servers_are_not_told_twice_and_srv_records_come_with_addresses():
    got = asker()("example. NS")
    assert (rows(got.answer), got.authority) == (NS, ())
    assert rows(asker()("_sip._tcp.example. SRV").additional) == ["shop.example. 300 IN A 198.51.100.10",
                                                                  "shop.example. 300 IN A 198.51.100.11"]


def test_types_that_the_server_does_not_understand_are_given_as_they_are():
    got = asker()("example. MX")
    assert [(record.type, *record.data) for record in got.answer] == [("MX", 15, b"\0\x0a\4shop\7example\0")]


def test_an_alias_to_elsewhere_is_followed_by_the_whole_server():
    def world(effect):
        return Answer(answer=(Record(Name.of("www.example.com"), "A", 9, ("192.0.2.80",)),), keep=False)

    ask = asker(upstream=world)
    got = ask("far.example. A")
    assert rows(got.answer) == ["far.example. 60 IN CNAME www.example.com.", "www.example.com. 9 IN A 192.0.2.80"]
    assert ask.asked == ["www.example.com. A"]


def test_aliases_in_a_circle_are_no_answer():
    got = asker()("loop.example. A")
    assert (got.rcode, got.answer) == ("SERVFAIL", ())


def test_zones_are_not_given_away():
    assert asker()("example. AXFR").rcode == "REFUSED"


def test_a_file_with_another_serial_is_taken_after_its_time():
    texts = {"/etc/hosts": TEXT}
    ask = asker()
    file = next(plugin for plugin in ask.configuration.servers[0].plugins if plugin.name == "file")
    object.__setattr__(file, "read", texts.get)
    assert ask("new.example. A").rcode == "NXDOMAIN"
    texts["/etc/hosts"] = TEXT + "new A 192.0.2.1\n"
    ask.now += 61
    assert ask("new.example. A").rcode == "NXDOMAIN"  # the serial is the same
    texts["/etc/hosts"] = texts["/etc/hosts"].replace("hostmaster 7", "hostmaster 8")
    ask.now += 61
    assert ask("new.example. A").rcode == "NOERROR"
    texts["/etc/hosts"] = "nonsense"
    ask.now += 61
    assert ask("new.example. A").rcode == "NOERROR"


@pytest.mark.parametrize(("text", "message"), [
    ("www A 192.0.2.1\n", 'file "/etc/hosts" has no SOA record for origin example.'),
    (TEXT + "www A 192.0.2.1\n", "www.example. has a CNAME and other records"),
    (TEXT + "sub NS ns.elsewhere.\n", "NS records below the zone's origin, as of sub.example., are not available"),
    (TEXT + "www.example.com. A 192.0.2.1\n", "www.example.com. is out of the zone example."),
    (TEXT + "here A nowhere\n", 'file "/etc/hosts" cannot be parsed'),
])
def test_what_is_no_zone_is_told(text, message):
    with pytest.raises(CorefileError, match="plugin/file: ") as caught:
        asker(text)
    assert message in str(caught.value)


def test_the_header_of_responses_can_be_changed():
    got = asker(more=HEADER)("shop.example. A")
    assert (got.authoritative, got.recursion_available) == (False, True)
    data = b"\0\7\1\0\0\1\0\0\0\0\0\0\4shop\7example\0\0\1\0\1"
    assert response(parse(data), got).make(0)[2:4] == b"\x81\x80"  # QR RD, RA


@pytest.mark.parametrize("lines", ["header {\n}", "header {\n response set zz\n}", "header {\n response put ra\n}",
                                   "header {\n response set\n}", "header x {\n response set ra\n}"])
def test_headers_that_cannot_be_are_refused(lines):
    with pytest.raises(CorefileError):
        asker(more=lines)


def test_the_root_of_a_lab_knows_its_hosts_both_ways():
    lines = host_lines(["*.wild.example", "six.example"], [ip_address("2001:db8::6"), ip_address("192.0.2.6")])
    zone = read_zone("\n".join([ROOT, *lines]), Name())

    def ask(name, kind):
        return rows(zone.answer(Question(Name.of(name), kind))[0].answer)

    assert ask("six.example", "AAAA") == ["six.example. 300 IN AAAA 2001:db8::6"]
    assert ask("6.2.0.192.in-addr.arpa", "PTR") == ["6.2.0.192.in-addr.arpa. 300 IN PTR six.example."]
    assert ask("a.wild.example", "A") == ["a.wild.example. 300 IN A 192.0.2.6"]
    assert zone.answer(Question(Name.of("com"), "NS"))[0].rcode == "NXDOMAIN"
