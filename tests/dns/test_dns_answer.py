"""Questions, and what `dig` prints for them."""

import ipaddress
from dataclasses import replace

import pytest
from dns_objects import SERIAL, SOA, ZONES, endpoints, external, name, namespace, service, view_of

from netlab.dns.answer import Question, answer
from netlab.dns.names import zones_of

Z = "svc.cluster.local."
WEB = (service("web", "10.96.0.5", ports=("http:80/TCP", "dns:53/UDP")),
       endpoints("web", "10.244.1.5", "w-1=10.244.2.6"))
DUAL = (service("dual", "10.96.0.6", "fd00:96::6"),)
DB = (service("db", "None"), endpoints("db", "db-0=10.244.1.5", "10.244.2.6", "!10.244.2.7"))
QUIET = (service("quiet", "None"), endpoints("quiet", "!10.244.1.9"))
PORTLESS = (service("bare", "None", ports=()), endpoints("bare", "10.244.1.7", ports=()))
TWO_PORTS = (service("two", "None", ports=("a:1/TCP", "b:2/TCP")),
             endpoints("two", "10.244.1.5", "10.244.1.6", "10.244.1.7", ports=("a:1001/TCP", "b:1002/TCP")))
DNS = (namespace("kube-system"), service("kube-dns", "10.96.0.10", ports=("dns:53/UDP",), in_="kube-system"),
       endpoints("kube-dns", "10.244.1.53", in_="kube-system"))
OUTSIDE = (external("out", "www.example.com"),)
CHAIN = (external("one", f"two.default.{Z}"), external("two", "web.default.svc.cluster.local"), *WEB)
LOOP = (external("ping", f"pong.default.{Z}"), external("pong", f"ping.default.{Z}"))
LONG = (*(external(f"l{i}", f"l{i + 1}.default.{Z}") for i in range(12)), service("l12", "10.96.0.12"))

# question, rcode, objects, records
POSITIVE = [
    ("web.default.svc.cluster.local A", WEB, [f"web.default.{Z} 30 IN A 10.96.0.5"]),
    ("WeB.default.svc.Cluster.LOCAL A", WEB, ["WeB.default.svc.Cluster.LOCAL. 30 IN A 10.96.0.5"]),
    ("dual.default.svc.cluster.local A", DUAL, [f"dual.default.{Z} 30 IN A 10.96.0.6"]),
    ("dual.default.svc.cluster.local AAAA", DUAL, [f"dual.default.{Z} 30 IN AAAA fd00:96::6"]),
    ("db.default.svc.cluster.local A", DB,
     [f"db.default.{Z} 30 IN A 10.244.1.5", f"db.default.{Z} 30 IN A 10.244.2.6"]),
    ("bare.default.svc.cluster.local A", PORTLESS, [f"bare.default.{Z} 30 IN A 10.244.1.7"]),
    # one address for an endpoint with several ports
    ("two.default.svc.cluster.local A", TWO_PORTS, [f"two.default.{Z} 30 IN A 10.244.1.{n}" for n in (5, 6, 7)]),
    # endpoints by hostname, or by their address in dashes; under ClusterIP Services too
    ("db-0.db.default.svc.cluster.local A", DB, [f"db-0.db.default.{Z} 30 IN A 10.244.1.5"]),
    ("10-244-2-6.db.default.svc.cluster.local A", DB, [f"10-244-2-6.db.default.{Z} 30 IN A 10.244.2.6"]),
    ("10-244-1-5.web.default.svc.cluster.local A", WEB, [f"10-244-1-5.web.default.{Z} 30 IN A 10.244.1.5"]),
    ("fd00--1.six.default.svc.cluster.local AAAA", (service("six", "None"), endpoints("six", "fd00::1")),
     [f"fd00--1.six.default.{Z} 30 IN AAAA fd00::1"]),
    # SRV: the Service's port for ClusterIPs, the endpoint's for headless Services
    ("_http._tcp.web.default.svc.cluster.local SRV", WEB,
     [f"_http._tcp.web.default.{Z} 30 IN SRV 0 100 80 web.default.{Z}", f"+ web.default.{Z} 30 IN A 10.96.0.5"]),
    ("_HTTP._TCP.web.default.svc.cluster.local A", WEB, [f"_HTTP._TCP.web.default.{Z} 30 IN A 10.96.0.5"]),
    ("http.tcp.web.default.svc.cluster.local A", WEB, [f"http.tcp.web.default.{Z} 30 IN A 10.96.0.5"]),
    ("web.default.svc.cluster.local SRV", WEB,
     [f"web.default.{Z} 30 IN SRV 0 50 80 web.default.{Z}", f"web.default.{Z} 30 IN SRV 0 50 53 web.default.{Z}",
      f"+ web.default.{Z} 30 IN A 10.96.0.5"]),
    ("_http._tcp.dual.default.svc.cluster.local SRV", DUAL,
     [f"_http._tcp.dual.default.{Z} 30 IN SRV 0 50 80 dual.default.{Z}",
      f"+ dual.default.{Z} 30 IN A 10.96.0.6", f"+ dual.default.{Z} 30 IN AAAA fd00:96::6"]),
    ("_http._tcp.db.default.svc.cluster.local SRV", DB,
     [f"_http._tcp.db.default.{Z} 30 IN SRV 0 50 8080 db-0.db.default.{Z}",
      f"_http._tcp.db.default.{Z} 30 IN SRV 0 50 8080 10-244-2-6.db.default.{Z}",
      f"+ db-0.db.default.{Z} 30 IN A 10.244.1.5", f"+ 10-244-2-6.db.default.{Z} 30 IN A 10.244.2.6"]),
    ("two.default.svc.cluster.local SRV", TWO_PORTS,
     [*(f"two.default.{Z} 30 IN SRV 0 16 {port} 10-244-1-{n}.two.default.{Z}"
        for n in (5, 6, 7) for port in (1001, 1002)),
      *(f"+ 10-244-1-{n}.two.default.{Z} 30 IN A 10.244.1.{n}" for n in (5, 6, 7))]),
    # ExternalName
    ("out.default.svc.cluster.local CNAME", OUTSIDE, [f"out.default.{Z} 30 IN CNAME www.example.com."]),
    ("out.default.svc.cluster.local A", OUTSIDE, [f"out.default.{Z} 30 IN CNAME www.example.com."]),
    ("one.default.svc.cluster.local CNAME", CHAIN, [f"one.default.{Z} 30 IN CNAME two.default.{Z}"]),
    ("one.default.svc.cluster.local A", CHAIN,
     [f"one.default.{Z} 30 IN CNAME two.default.{Z}", f"two.default.{Z} 30 IN CNAME web.default.{Z}",
      f"web.default.{Z} 30 IN A 10.96.0.5"]),
    ("l2.default.svc.cluster.local A", LONG,
     [*(f"l{i}.default.{Z} 30 IN CNAME l{i + 1}.default.{Z}" for i in range(2, 12)),
      f"l12.default.{Z} 30 IN A 10.96.0.12"]),
    # pods, without looking whether they exist
    ("10-244-1-5.default.pod.cluster.local A", (), ["10-244-1-5.default.pod.cluster.local. 30 IN A 10.244.1.5"]),
    ("fd00--5.default.pod.cluster.local AAAA", (), ["fd00--5.default.pod.cluster.local. 30 IN AAAA fd00::5"]),
    # the zone itself
    ("cluster.local SOA", (), [SOA]),
    ("dns-version.cluster.local TXT", (), ['dns-version.cluster.local. 28800 IN TXT "1.1.0"']),
    ("cluster.local NS", DNS, [f"cluster.local. 30 IN NS kube-dns.kube-system.{Z}",
                               f"+ kube-dns.kube-system.{Z} 30 IN A 10.96.0.10"]),
    ("cluster.local NS", (), ["cluster.local. 30 IN NS ns.dns.cluster.local.",
                              "+ ns.dns.cluster.local. 30 IN A 10.244.1.53"]),
    ("ns.dns.cluster.local A", DNS, ["ns.dns.cluster.local. 30 IN A 10.96.0.10"]),
    ("96.10.in-addr.arpa SOA", (), [SOA.replace("cluster.local", "96.10.in-addr.arpa")]),
    ("244.10.in-addr.arpa NS", DNS, ["244.10.in-addr.arpa. 30 IN NS kube-dns.kube-system.svc.244.10.in-addr.arpa.",
                                     "+ kube-dns.kube-system.svc.244.10.in-addr.arpa. 30 IN A 10.96.0.10"]),
    ("ns.dns.cluster.local SRV", DNS, ["ns.dns.cluster.local. 30 IN SRV 0 100 0 ns.dns.cluster.local.",
                                       "+ ns.dns.cluster.local. 30 IN A 10.96.0.10"]),
    ("out.default.svc.cluster.local AAAA", OUTSIDE, [f"out.default.{Z} 30 IN CNAME www.example.com."]),
    # several endpoints of one hostname; ports of both protocols; a port's name in both; a slice per port set
    ("h.same.default.svc.cluster.local A", (service("same", "None"), endpoints("same", "h=10.244.1.5", "h=10.244.1.6")),
     [f"h.same.default.{Z} 30 IN A 10.244.1.5", f"h.same.default.{Z} 30 IN A 10.244.1.6"]),
    ("_dns._tcp.mixed.default.svc.cluster.local SRV",
     (service("mixed", "10.96.0.9", ports=("dns:53/UDP", "dns:5353/TCP")),),
     [f"_dns._tcp.mixed.default.{Z} 30 IN SRV 0 100 5353 mixed.default.{Z}", f"+ mixed.default.{Z} 30 IN A 10.96.0.9"]),
    ("_b._tcp.parts.default.svc.cluster.local SRV",
     (service("parts", "None"), endpoints("parts", "10.244.1.5", ports=("a:1/TCP",), suffix="p"),
      endpoints("parts", "10.244.1.6", ports=("b:2/TCP",), suffix="q")),
     [f"_b._tcp.parts.default.{Z} 30 IN SRV 0 100 2 10-244-1-6.parts.default.{Z}",
      f"+ 10-244-1-6.parts.default.{Z} 30 IN A 10.244.1.6"]),
    ("6.six.default.svc.cluster.local AAAA", (service("six", "None"), endpoints("six", "6=fd00::1", "fd00::")),
     [f"6.six.default.{Z} 30 IN AAAA fd00::1"]),
    ("fd00--0.six.default.svc.cluster.local AAAA", (service("six", "None"), endpoints("six", "fd00::")),
     [f"fd00--0.six.default.{Z} 30 IN AAAA fd00::"]),
    ("web.shop.svc.cluster.local A", (namespace("shop"), service("web", "10.96.0.7", in_="shop"), *WEB),
     [f"web.shop.{Z} 30 IN A 10.96.0.7"]),
    ("alone.default.svc.cluster.local A", (service("alone", "10.96.0.8", ports=()),),
     [f"alone.default.{Z} 30 IN A 10.96.0.8"]),
    # what stands left of a pod's address does not matter; its SRV has no port
    ("x.10-244-1-5.default.pod.cluster.local A", (), ["x.10-244-1-5.default.pod.cluster.local. 30 IN A 10.244.1.5"]),
    ("10-244-1-5.default.pod.cluster.local SRV", (),
     ["10-244-1-5.default.pod.cluster.local. 30 IN SRV 0 100 0 10-244-1-5.default.pod.cluster.local.",
      "+ 10-244-1-5.default.pod.cluster.local. 30 IN A 10.244.1.5"]),
    ("DNS-Version.Cluster.Local TXT", (), ['DNS-Version.Cluster.Local. 28800 IN TXT "1.1.0"']),
    ("Cluster.LOCAL SOA", (), [SOA.replace("cluster.local", "Cluster.LOCAL")]),
    ("_http._tcp.WEB.default.SVC.cluster.LOCAL SRV", WEB,
     ["_http._tcp.WEB.default.SVC.cluster.LOCAL. 30 IN SRV 0 100 80 web.default.svc.cluster.LOCAL.",
      "+ web.default.svc.cluster.LOCAL. 30 IN A 10.96.0.5"]),
    # back from addresses
    ("5.0.96.10.in-addr.arpa PTR", WEB, [f"5.0.96.10.in-addr.arpa. 30 IN PTR web.default.{Z}"]),
    ("6.2.244.10.IN-ADDR.ARPA PTR", WEB, [f"6.2.244.10.IN-ADDR.ARPA. 30 IN PTR w-1.web.default.{Z}"]),
    ("5.1.244.10.in-addr.arpa PTR", (*WEB, *DB),
     [f"5.1.244.10.in-addr.arpa. 30 IN PTR db-0.db.default.{Z}",
      f"5.1.244.10.in-addr.arpa. 30 IN PTR 10-244-1-5.web.default.{Z}"]),
]


def ask(text, view, zones=ZONES):
    asked, kind = text.split()
    return answer(Question(name(asked), kind), view, zones)


@pytest.mark.parametrize(("question", "objects", "records"), POSITIVE)
def test_a_question_gets_these_records(question, objects, records):
    got = ask(question, view_of(*objects))
    assert [str(r) for r in got.answer] + [f"+ {r}" for r in got.additional] == records
    assert (got.rcode, got.authoritative, got.authority) == ("NOERROR", True, ())


@pytest.mark.parametrize(("question", "objects"), [
    ("cluster.local A", ()), ("svc.cluster.local A", ()), ("pod.cluster.local A", ()),
    ("default.svc.cluster.local A", ()), ("default.pod.cluster.local A", ()), ("default.svc.cluster.local MX", ()),
    *((f"web.default.svc.cluster.local {kind}", WEB)
      for kind in ("AAAA", "TXT", "MX", "SOA", "NS", "HTTPS", "CNAME", "ANY")),
    ("bare.default.svc.cluster.local SRV", PORTLESS),
    ("db.default.svc.cluster.local AAAA", DB),
    ("10-244-1-5.default.pod.cluster.local AAAA", ()),
    ("out.default.svc.cluster.local SRV", OUTSIDE),
    ("ping.default.svc.cluster.local A", LOOP),
    ("l1.default.svc.cluster.local A", LONG),  # eleven links
    ("gone.default.svc.cluster.local A", (external("gone", f"nobody.default.{Z}"),)),
    ("self.default.svc.cluster.local A", (external("self", f"self.default.{Z}"),)),
    ("ns.dns.cluster.local AAAA", DNS), ("ns.dns.cluster.local MX", DNS),
    ("out.default.svc.cluster.local TXT", OUTSIDE),
    ("_http._tcp.web.default.svc.cluster.local AAAA", WEB), ("_http._tcp.web.default.svc.cluster.local TXT", WEB),
    ("10-244-1-5.web.default.svc.cluster.local CNAME", WEB), ("db-0.db.default.svc.cluster.local TYPE65280", DB),
    ("six.default.svc.cluster.local A", (service("six", "None"), endpoints("six", "fd00::1"))),
    ("alone.default.svc.cluster.local SRV", (service("alone", "10.96.0.8", ports=()),)),
    ("fd00--5.default.pod.cluster.local A", ()), ("10-244-1-5.default.pod.cluster.local TXT", ()),
    ("10-244-1-5.default.pod.cluster.local CNAME", ()), ("default.svc.cluster.local NS", ()),
    ("default.svc.cluster.local ANY", ()), ("cluster.local ANY", ()), ("cluster.local DNSKEY", ()),
    ("web.default.svc.cluster.local PTR", WEB), ("cluster.local PTR", ()),
    # asked for an SOA below the zone, CoreDNS does not look whether there is such a name
    ("web.default.svc.cluster.local SOA", WEB), ("nobody.default.svc.cluster.local SOA", ()),
    ("foo.cluster.local SOA", ()),
])
def test_a_name_without_such_records_is_nodata_with_the_soa(question, objects):
    got = ask(question, view_of(*objects))
    assert (got.rcode, got.answer, got.authoritative) == ("NOERROR", (), True)
    assert [str(record) for record in got.authority] == [SOA]


@pytest.mark.parametrize(("question", "objects"), [
    ("web.default.svc.cluster.local A", ()), ("web.other.svc.cluster.local A", WEB), ("other.svc.cluster.local A", ()),
    ("web.default.svc.cluster.local TXT", ()), ("web.default.svc.cluster.local HTTPS", ()),
    ("foo.cluster.local A", WEB), ("web.default.cluster.local A", WEB),
    ("quiet.default.svc.cluster.local A", QUIET),
    ("10-244-1-9.quiet.default.svc.cluster.local A", QUIET),
    ("10-244-9-9.web.default.svc.cluster.local A", WEB),
    ("a.b.c.web.default.svc.cluster.local A", WEB),
    ("_https._tcp.web.default.svc.cluster.local SRV", WEB), ("_http._udp.web.default.svc.cluster.local SRV", WEB),
    ("*.default.svc.cluster.local A", WEB), ("any.web.default.svc.cluster.local A", WEB),
    ("ip.default.svc.cluster.local A", (external("ip", "192.0.2.1"),)),
    ("x.out.default.svc.cluster.local A", OUTSIDE), ("a.b.c.out.default.svc.cluster.local A", OUTSIDE),
    # an alias has no ports either
    *((f"_http._tcp.out.default.svc.cluster.local {kind}", OUTSIDE) for kind in ("A", "SRV", "CNAME", "TXT")),
    # for TXT, only names with records of another type are names
    ("cluster.local TXT", WEB), ("default.svc.cluster.local TXT", WEB), ("svc.cluster.local TXT", WEB),
    ("ns.dns.cluster.local TXT", DNS), ("dns-version.cluster.local A", ()), ("dns.cluster.local A", DNS),
    ("x.dns-version.cluster.local TXT", ()),
    ("default.svc.svc.cluster.local A", WEB), ("web.default.svc.svc.cluster.local A", WEB),
    ("_tcp.web.default.svc.cluster.local SRV", WEB), ("_http._sctp.web.default.svc.cluster.local A", WEB),
    ("__http._tcp.web.default.svc.cluster.local SRV", WEB),
    ("_http._tcp.10-244-1-5.web.default.svc.cluster.local SRV", WEB),
    ("_http._tcp.bare.default.svc.cluster.local SRV", PORTLESS),
    ("10-244-2-6.web.default.svc.cluster.local A", WEB),  # it has a hostname, which replaces the address
    ("web.DEFAULT2.svc.cluster.local A", WEB), ("*.web.default.svc.cluster.local A", WEB),
    ("web.*.svc.cluster.local A", WEB), ("*.*.svc.cluster.local SRV", WEB), ("*.default.pod.cluster.local A", ()),
    ("_*._tcp.web.default.svc.cluster.local SRV", WEB),
    ("web.default.svc.cluster.local A", (service("web", "10.96.0.5", in_="gone"), namespace("other"))),
    ("10-244--1--2.default.pod.cluster.local A", ()), ("1-2-3-4-5.default.pod.cluster.local AAAA", ()),
    ("b.a.10-244-1-5.x.default.pod.cluster.local A", ()),
    ("10-244-1-5.other.pod.cluster.local A", ()), ("10-244-1.default.pod.cluster.local A", ()),
    ("10-244-1-500.default.pod.cluster.local A", ()), ("web.default.pod.cluster.local A", WEB),
])
def test_an_unknown_name_is_nxdomain_with_the_soa(question, objects):
    got = ask(question, view_of(*objects))
    assert (got.rcode, got.answer, got.authoritative) == ("NXDOMAIN", (), True)
    assert [str(record) for record in got.authority] == [SOA]


@pytest.mark.parametrize(("question", "zone"), [
    ("77.1.244.10.in-addr.arpa PTR", "244.10.in-addr.arpa"),
    ("5.0.96.10.in-addr.arpa A", "96.10.in-addr.arpa"), ("256.0.96.10.in-addr.arpa PTR", "96.10.in-addr.arpa"),
    ("1.5.0.96.10.in-addr.arpa PTR", "96.10.in-addr.arpa"), ("05.0.96.10.in-addr.arpa PTR", "96.10.in-addr.arpa"),
    ("0.96.10.in-addr.arpa PTR", "96.10.in-addr.arpa"),
    ("1.2.99.10.in-addr.arpa PTR", "99.10.in-addr.arpa"),
    ("lb._dns-sd._udp.0.1.244.10.in-addr.arpa PTR", "244.10.in-addr.arpa"),
])
def test_an_unknown_address_of_our_ranges_is_nxdomain_in_its_reverse_zone(question, zone):
    got = ask(question, view_of(*WEB))
    assert (got.rcode, str(got.authority[0].name)) == ("NXDOMAIN", f"{zone}.")


@pytest.mark.parametrize("question", [
    "www.example.com A", "local A", "1.2.0.192.in-addr.arpa PTR", "1.2.112.10.in-addr.arpa PTR", ". NS",
])
def test_names_outside_of_the_zones_are_not_answered(question):
    assert ask(question, view_of(*WEB)) is None


@pytest.mark.parametrize("question", ["cluster.local AXFR", "cluster.local IXFR", "96.10.in-addr.arpa AXFR",
                                      "web.default.svc.cluster.local AXFR"])
def test_zone_transfers_are_refused(question):
    assert ask(question, view_of(*WEB)).rcode == "REFUSED"


@pytest.mark.parametrize(("count", "weight"), [(1, 100), (2, 50), (3, 33), (6, 16), (7, 14), (100, 1), (250, 1)])
def test_matches_share_the_weight_of_a_hundred(count, weight):
    view = view_of(service("s", "None"), endpoints("s", *(f"10.244.3.{n}" for n in range(1, count + 1))))
    assert {record.data[1] for record in ask("_http._tcp.s.default.svc.cluster.local SRV", view).answer} == {weight}


@pytest.mark.parametrize(("ttl", "soa_ttl"), [(0, 0), (5, 5), (30, 30), (300, 300), (3600, 300)])
def test_the_ttl_is_the_plugins_setting(ttl, soa_ttl):
    zones = replace(ZONES, ttl=ttl)
    assert ask("web.default.svc.cluster.local A", view_of(*WEB), zones).answer[0].ttl == ttl
    negative = ask("nobody.default.svc.cluster.local A", view_of(*WEB), zones).authority[0]
    assert (negative.ttl, negative.data[-1]) == (soa_ttl, ttl)
    assert ask("dns-version.cluster.local TXT", view_of(), zones).answer[0].ttl == 28800


def test_before_everything_was_listed_an_unknown_name_is_servfail():
    unsynced = view_of(synced=False)
    assert ask("web.default.svc.cluster.local A", unsynced).rcode == "SERVFAIL"
    assert str(ask("web.default.svc.cluster.local A", unsynced).authority[0].data[2]) == str(SERIAL)
    assert ask("cluster.local SOA", unsynced).rcode == "NOERROR"


def test_without_endpoints_the_server_names_itself():
    assert [str(record.data[0]) for record in ask("cluster.local NS", view_of(*DNS), replace(ZONES, endpoints=False)
                                                  ).answer] == ["ns.dns.cluster.local."]


def test_domain_and_ranges_are_parameters():
    zones = replace(ZONES, domain=name("lab.example"), reverse=(*zones_of("172.30.0.0/20"), *zones_of("fd00:96::/108")))
    view = view_of(service("web", "172.30.1.1", "fd00:96::1"))
    assert str(ask("web.default.svc.lab.example A", view, zones).answer[0].data[0]) == "172.30.1.1"
    assert ask("web.default.svc.cluster.local A", view, zones) is None
    v6 = ".".join(reversed(ipaddress.ip_address("fd00:96::1").exploded.replace(":", "")))
    for reverse in ("1.1.30.172.in-addr.arpa", f"{v6}.ip6.arpa"):
        assert str(ask(f"{reverse} PTR", view, zones).answer[0].data[0]) == "web.default.svc.lab.example."
    missing = ask("1.15.30.172.in-addr.arpa PTR", view, zones)
    assert (missing.rcode, str(missing.authority[0].name)) == ("NXDOMAIN", "15.30.172.in-addr.arpa.")
    assert ask("1.16.30.172.in-addr.arpa PTR", view, zones) is None
