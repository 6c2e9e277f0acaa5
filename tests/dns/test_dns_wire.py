import random

import pytest
from dns_objects import ZONES, endpoints, reply, service, view_of
from dnslib import EDNS0, QTYPE, RCODE, DNSHeader, DNSQuestion, DNSRecord, EDNSOption

MANY = [f"10.244.{n // 250}.{n % 250 + 1}" for n in range(600)]
VIEW = view_of(service("web", "10.96.0.5"), service("db", "None"),
               endpoints("db", "10.244.1.1", "10.244.1.2", "10.244.1.3"), service("many", "None"),
               endpoints("many", *MANY))


def request(name="web.default.svc.cluster.local", type="A", **opt):
    made = DNSRecord(DNSHeader(id=4711, rd=1, bitmap=0), q=DNSQuestion(name, getattr(QTYPE, type)))
    if opt:
        made.add_ar(EDNS0(**opt))
    return bytes(made.pack())


def exchange(data, *, tcp=False, turn=0):
    wire = reply(data, VIEW, ZONES, tcp=tcp).make(turn)
    return wire, DNSRecord.parse(wire)


def test_the_header_says_who_answers():
    _, got = exchange(request())
    header = got.header
    assert (header.id, header.qr, header.aa, header.rd, header.ra, header.tc) == (4711, 1, 1, 1, 0, 0)
    assert str(got.q.qname) == "web.default.svc.cluster.local."


def test_an_answer_of_more_than_512_bytes_is_truncated_for_a_client_without_edns():
    wire, got = exchange(request("many.default.svc.cluster.local"))
    assert len(wire) <= 512
    assert got.header.tc
    assert len(got.rr) == (512 - 12 - 35) // 16  # each address takes 16 bytes, its name being compressed


@pytest.mark.parametrize(("size", "expected"), [(0, 512), (100, 512), (512, 512), (1232, 1232), (4096, 4096)])
def test_with_edns_the_answer_fills_what_the_client_takes(size, expected):
    wire, got = exchange(request("many.default.svc.cluster.local", udp_len=size))
    assert expected - 16 < len(wire) <= expected
    assert got.header.tc
    assert got.ar[0].edns_len == size


def test_tcp_answers_are_complete():
    wire, got = exchange(request("many.default.svc.cluster.local"), tcp=True)
    assert (len(got.rr), got.header.tc) == (600, 0)
    # names beyond the reach of a 14-bit pointer are written out, and can be read
    wire, got = exchange(request("many.default.svc.cluster.local", "SRV"), tcp=True)
    assert len(wire) > 0x4000
    targets = {str(rr.rdata.target) for rr in got.rr}
    assert len(targets) == 600
    assert {str(rr.rname) for rr in got.ar} <= targets


@pytest.mark.parametrize(("count", "answers", "additionals"), [(3, 3, 3), (7, 7, 3), (9, 7, 0)])
def test_whatever_is_left_out_is_said_to_be_truncated(count, answers, additionals):
    view = view_of(service("db", "None"), endpoints("db", *MANY[:count]))
    data = request("db.default.svc.cluster.local", "SRV")
    got = DNSRecord.parse(reply(data, view, ZONES).make(0))
    assert (len(got.rr), len(got.ar), got.header.tc) == (answers, additionals, (answers, additionals) != (3, 3))


def test_targets_of_srv_records_are_written_out():
    wire, _ = exchange(request("_http._tcp.web.default.svc.cluster.local", "SRV"))
    assert wire.count(b"\3web\7default\3svc\7cluster\5local\0") == 2  # in the question and as the target (RFC 2782)


def test_every_address_of_a_long_list_comes_first_in_its_turn():
    made = reply(request("many.default.svc.cluster.local"), VIEW, ZONES)
    assert {str(DNSRecord.parse(made.make(turn)).rr[0].rdata) for turn in range(made.turns)} == set(MANY)


def test_each_address_comes_first_once_and_all_are_there():
    made = reply(request("db.default.svc.cluster.local"), VIEW, ZONES)
    orders = [[str(rr.rdata) for rr in DNSRecord.parse(made.make(turn)).rr] for turn in range(made.turns)]
    assert [order[0] for order in orders] == ["10.244.1.1", "10.244.1.2", "10.244.1.3"]
    assert {tuple(sorted(order)) for order in orders} == {("10.244.1.1", "10.244.1.2", "10.244.1.3")}


def test_the_opt_record_comes_back_with_flags_and_known_options():
    cookie = b"\x01\x02\x03\x04\x05\x06\x07\x08"
    options = [EDNSOption(10, cookie), EDNSOption(8, b"\0\1\0\0"), EDNSOption(12, bytes(9))]
    made = reply(request(udp_len=1232, flags="do", opts=options), VIEW, ZONES)
    opt = DNSRecord.parse(made.make(0)).ar[0]
    assert (opt.edns_len, opt.edns_do) == (1232, 1)
    assert [(option.code, bytes(option.data)) for option in opt.rdata] == [(10, cookie), (12, bytes(9))]
    assert not made.keep
    assert reply(request(udp_len=1232), VIEW, ZONES).keep
    assert DNSRecord.parse(reply(request(), VIEW, ZONES).make(0)).ar == []


def test_an_unknown_edns_version_is_badvers():
    _, got = exchange(request(udp_len=1232, version=1))
    assert (got.header.rcode, got.ar[0].edns_rcode, got.ar[0].edns_ver, got.rr) == (0, 1, 0, [])


def altered(offset, *octets):
    data = bytearray(request())
    data[offset:offset + len(octets)] = octets
    return bytes(data)


@pytest.mark.parametrize(("data", "rcode"), [
    (altered(2, 0x10), "NOTIMP"),  # opcode STATUS
    (altered(4, 0, 0), "FORMERR"),  # no question
    (altered(4, 0, 2), "FORMERR"),  # two questions
    (altered(10, 0, 1), "FORMERR"),  # an additional record that is not there
    (altered(12, 0xC0, 0x0C), "FORMERR"),  # a name that points to itself
    (altered(12, 0x40), "FORMERR"),  # a label type that does not exist
    (request()[:20], "FORMERR"),
    (request()[:-1] + b"\x03", "REFUSED"),  # class CHAOS
])
def test_what_cannot_be_answered_gets_its_code(data, rcode):
    _, got = exchange(data)
    assert (RCODE.get(got.header.rcode), got.header.id, got.header.aa) == (rcode, 4711, 0)


@pytest.mark.parametrize("data", [b"", b"\0", request()[:11], altered(2, 0x80)])
def test_fragments_and_responses_get_no_answer(data):
    assert reply(data, VIEW, ZONES) is None


def test_mutated_packets_are_answered_or_dropped_never_fatal():
    dice = random.Random(20240521)
    seeds = [request(), request("5.0.96.10.in-addr.arpa", "PTR"),
             request("db.default.svc.cluster.local", "SRV", udp_len=1232, opts=[EDNSOption(10, b"12345678")]),
             request("_http._tcp.db.default.svc.cluster.local", "SRV")]
    answered = 0
    for round_ in range(4000):
        data = bytearray(seeds[round_ % len(seeds)])
        for _ in range(dice.randint(1, 6)):
            what, where = dice.randrange(4), dice.randrange(len(data))
            if what == 0:
                data[where] = dice.randrange(256)
            elif what == 1:
                data[where] ^= 1 << dice.randrange(8)
            elif what == 2 and len(data) > 4:
                del data[where:where + dice.randint(1, 8)]
            else:
                data[where:where] = bytes(dice.choices((0, 1, 12, 41, 63, 192, 255), k=dice.randint(1, 8)))
            data = data or bytearray(1)
        got = reply(bytes(data), VIEW, ZONES)
        if got:
            wire = got.make(dice.randrange(got.turns))
            assert wire[:2] == data[:2]
            assert wire[2] & 0x80
            assert len(wire) <= 65535
            answered += 1
    assert answered > 1000


def test_a_chain_of_pointers_costs_little():
    pointers = b"".join((0xC000 | offset).to_bytes(2, "big") for offset in range(12, 4000, 2))
    data = request()[:12][:4] + b"\0\1\0\0\0\0\0\0" + pointers
    assert reply(data, VIEW, ZONES).rcode == "FORMERR"
