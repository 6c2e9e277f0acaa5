from ipaddress import ip_address

import pytest

from netlab.dns.names import (
    Apex,
    Name,
    NameServer,
    NamespaceName,
    PodName,
    SchemaVersion,
    ServiceName,
    Zones,
    reverse_address,
    shape,
    zones_of,
)

DOMAIN = Name.of("cluster.local")


@pytest.mark.parametrize(("text", "expected"), [
    ("", Apex()), ("svc", Apex()), ("POD", Apex()),
    ("default.svc", NamespaceName("default", "svc")), ("default.pod", NamespaceName("default", "pod")),
    ("Web.Default.svc", ServiceName("default", "web")),
    ("db-0.db.default.svc", ServiceName("default", "db", endpoint="db-0")),
    ("_http._TCP.web.default.svc", ServiceName("default", "web", port="http", protocol="tcp")),
    ("1-2-3-4.default.pod", PodName("default", "1-2-3-4", ip_address("1.2.3.4"))),
    ("fd00--1.default.pod", PodName("default", "fd00--1", ip_address("fd00::1"))),
    ("web.default.pod", PodName("default", "web", None)),
    ("ns.dns", NameServer()), ("dns-version", SchemaVersion()),
    ("default", None), ("web.default", None), ("a.b.c.web.default.svc", None),
])
def test_a_name_has_a_shape(text, expected):
    assert shape(Name.of(f"{text}.Cluster.Local"), DOMAIN) == expected


@pytest.mark.parametrize(("text", "zone"), [
    ("web.CLUSTER.local", "CLUSTER.local."), ("notcluster.local", None), ("local", None), (".", None),
    ("1.0.111.10.in-addr.arpa", "111.10.in-addr.arpa."), ("1.0.112.10.in-addr.arpa", None),
    ("10.in-addr.arpa", None), ("01.0.96.10.in-addr.arpa", "96.10.in-addr.arpa."),
    ("x.96.10.in-addr.ARPA", "96.10.in-addr.ARPA."),
])
def test_a_name_is_in_one_zone_or_in_none(text, zone):
    found = Zones(domain=DOMAIN, reverse=zones_of("10.96.0.0/12")).of(Name.of(text))
    assert (found and str(found)) == zone


@pytest.mark.parametrize(("text", "zones"), [
    ("Cluster.Local", "cluster.local."), (".", "."), ("10.0.0.0/8", "10.in-addr.arpa."), ("0.0.0.0/0", "in-addr.arpa."),
    ("10.96.0.0/15", "96.10.in-addr.arpa. 97.10.in-addr.arpa."), ("fd00:96::/32", "6.9.0.0.0.0.d.f.ip6.arpa."),
])
def test_a_word_means_zones(text, zones):
    assert " ".join(map(str, zones_of(text))) == zones


@pytest.mark.parametrize(("text", "address"), [
    ("4.3.2.1.in-addr.arpa", "1.2.3.4"), ("3.2.1.in-addr.arpa", None), ("4.3.2.256.in-addr.arpa", None),
    ("04.3.2.1.in-addr.arpa", None), ("5.4.3.2.1.in-addr.arpa", None), ("4.3.2.1.example", None),
])
def test_a_reverse_name_says_its_address(text, address):
    found = reverse_address(Name.of(text))
    assert (found and str(found)) == address
