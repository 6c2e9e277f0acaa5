"""What a lab file may say about the outside world, and what is wrong with what it may not."""

import json

import pytest

from netlab.model.lab_settings import SpecError, parse


def read(internet, **spec):
    return parse({"internet": internet} | spec, name="lab").internet


def mistakes(internet, **spec):
    with pytest.raises(SpecError) as caught:
        read(internet, **spec)
    return [str(error) for error in caught.value.errors]


def host(**fields):
    return {"hosts": [{"name": "shop"} | fields]}


def test_a_lab_has_no_outside_world_unless_its_file_says_so():
    assert read(None) is None
    assert parse({}, name="lab").outside == ("client",)
    assert parse({"internet": {}}, name="lab").outside == ("client", "internet", "internet-dns")


def test_addresses_that_nobody_asks_for_are_the_next_free_ones():
    value = read({"hosts": [{"name": "a"}, {"name": "b", "address": "198.51.100.10"}, {"name": "c"}]})
    assert [str(one.addresses[0]) for one in value.hosts] == ["198.51.100.11", "198.51.100.10", "198.51.100.12"]
    assert [str(value.router_ips[0]), str(value.resolver_ips[0])] == ["198.51.100.1", "198.51.100.2"]


def test_in_a_small_network_hosts_follow_the_dns_server():
    value = read({"cidr": "192.0.2.0/29", "hosts": [{"name": name} for name in "abcd"]})
    assert [str(one.addresses[0]) for one in value.hosts] == [f"192.0.2.{n}" for n in (3, 4, 5, 6)]
    assert mistakes({"cidr": "192.0.2.0/29", "hosts": [{"name": name} for name in "abcde"]}) == [
        'spec.internet.cidr: Invalid value: "192.0.2.0/29": has no address left for every host']


def test_each_family_of_the_lab_has_a_network_and_each_host_an_address_in_it():
    value = read({"hosts": [{"name": "a", "address": "2001:db8:51:100::7"}]}, ipFamilies=["IPv6", "IPv4"])
    assert [str(network) for network in value.networks] == ["2001:db8:51:100::/64", "198.51.100.0/24"]
    assert [str(address) for address in value.hosts[0].addresses] == ["2001:db8:51:100::7", "198.51.100.10"]


def test_the_router_has_the_address_after_the_load_balancers_and_the_pool_leaves_it_out():
    value = parse({"nodeCIDR": "192.168.7.0/28", "internet": {}, "loadBalancer": {}}, name="lab")
    assert [str(value.client_ip), *map(str, value.load_balancer_ips), *map(str, value.router_ips)] == [
        "192.168.7.5", "192.168.7.6", "192.168.7.7"]
    assert str(value.load_balancer.ranges[0][0]) == "192.168.7.8"


def test_the_settings_survive_being_written_down():
    value = parse({"ipFamilies": ["IPv4", "IPv6"], "internet": {
        "hosts": [{"name": "shop", "names": ["shop.example.com", "*.x.example"], "image": "agnhost",
                   "args": ["netexec", "--http-port", 80], "env": {"A": "b"}, "ports": [80]}],
        "records": ["www.example.com CNAME shop.example.com.", 'example.com 60 IN TXT "two words" one'],
        "routes": [{"to": "203.0.113.0/28", "via": "worker"}]}}, name="lab")
    assert parse(json.loads(json.dumps(value.to_manifest())), name="lab") == value


@pytest.mark.parametrize(("internet", "message"), [
    (True, "spec.internet: Invalid value: true: must be an object, such as {hosts: [{name: shop, names: "
           "[shop.example.com]}]}"),
    ({"host": []}, 'spec.internet.host: unknown field "host", did you mean "hosts"?'),
    ({"zzz": []}, 'spec.internet.zzz: unknown field "zzz"; there are cidr, hosts, records, routes'),
    ({"cidr": "10.244.7.0/24"}, 'spec.internet.cidr: Invalid value: "10.244.7.0/24": overlaps with podCIDR '
                                "10.244.0.0/16"),
    ({"cidr": "2001:db8::/64"}, 'spec.internet.cidr: Invalid value: "2001:db8::/64": is IPv6, and ipFamilies has IPv4 '
                                "only"),
    ({"cidr": "192.0.2.0/30"}, 'spec.internet.cidr: Invalid value: "192.0.2.0/30": too small: a router and a DNS '
                               "server need addresses too"),
    ({"cidr": "198.51.100.7"}, 'spec.internet.cidr: Invalid value: "198.51.100.7": must be a range such as '
                               '"198.51.100.0/24"'),
    ({"hosts": "shop"}, 'spec.internet.hosts: Invalid value: "shop": must be a list of at most 100 hosts'),
    ({"hosts": [{}]}, "spec.internet.hosts[0].name: Required value: hosts are called by it: netlab exec NAME"),
    (host(name="worker"), 'spec.internet.hosts[0].name: Invalid value: "worker": a node or another part of the lab '
                          "has this name"),
    (host(address="192.0.2.1"), 'spec.internet.hosts[0].address: Invalid value: "192.0.2.1": must lie in the '
                                "internet's cidr 198.51.100.0/24"),
    (host(address="198.51.100.2"), 'spec.internet.hosts[0].address: Invalid value: "198.51.100.2": is taken by the '
                                   "network itself, the router, the DNS server or another host"),
    (host(names=["web.cluster.local"]), 'spec.internet.hosts[0].names[0]: Invalid value: "web.cluster.local": lies in '
     "the cluster's own domain cluster.local, which the cluster answers for"),
    (host(names=["Shop"]), 'spec.internet.hosts[0].names[0]: Invalid value: "Shop": must be a DNS name in lower case, '
                           "such as www.example.com or *.apps.example.com"),
    (host(ports=[True]), "spec.internet.hosts[0].ports: Invalid value: [true]: must be a list of numbers between 1 and "
                         "65535"),
    ({"records": ["a.b A ::1"]}, 'spec.internet.records[0]: Invalid value: "a.b A ::1": A takes an IPv4 address'),
    ({"records": ["a.b MX c.d"]}, 'spec.internet.records[0]: Invalid value: "a.b MX c.d": must be NAME [TTL] TYPE '
                                  "DATA, with a type of A, AAAA, CNAME, NS, PTR, SRV, TXT"),
    ({"records": ["a.b SRV 1 2 c.d"]}, 'spec.internet.records[0]: Invalid value: "a.b SRV 1 2 c.d": SRV takes 4 '
                                       "fields"),
    ({"records": ['a.b TXT "c']}, 'spec.internet.records[0]: Invalid value: "a.b TXT \\"c": a quotation mark is '
                                  "missing"),
    (host(names=["a.b"]) | {"records": ["a.b CNAME c.d"]}, 'spec.internet.records[0]: Invalid value: '
     '"a.b 300 CNAME c.d": a name with a CNAME has no other records'),
    ({"routes": [{"to": "172.18.9.0/24", "via": "worker"}]}, 'spec.internet.routes[0].to: Invalid value: '
     '"172.18.9.0/24": overlaps with nodeCIDR 172.18.0.0/16'),
    ({"routes": [{"to": "203.0.113.7", "via": "shop"}]}, 'spec.internet.routes[0].via: Invalid value: "shop": must be '
                                                         "a node: control-plane, worker, worker2"),
    ({"routes": [{"to": "203.0.113.7", "via": "worker"}, {"to": "203.0.113.0/24", "via": "worker"}]},
     'spec.internet.routes[1].to: Invalid value: "203.0.113.0/24": overlaps with spec.internet.routes[0] '
     "203.0.113.7/32"),
])
def test_mistakes_are_told_with_their_place(internet, message):
    assert mistakes(internet) == [message]


def test_all_mistakes_are_told_at_once():
    assert len(mistakes({"hosts": [{"nam": "a"}, {"name": "client"}], "records": ["a"], "routes": [1]})) == 5
