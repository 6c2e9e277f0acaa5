import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from netlab.model.lab_settings import SpecError, parse
from netlab.model.lab_spec import DEFAULT_NODES, LabSpec


def messages(spec, name="lab"):
    with pytest.raises(SpecError) as caught:
        parse(spec, name=name)
    return [str(error) for error in caught.value.errors]


def test_nothing_said_gives_the_defaults():
    assert parse({}, name="netlab") == parse(None, name="netlab") == LabSpec()


@pytest.mark.parametrize(("count", "names"), [
    (1, ("control-plane",)),
    (2, ("control-plane", "worker")),
    (3, DEFAULT_NODES),
    (5, ("control-plane", "worker", "worker2", "worker3", "worker4")),
])
def test_a_number_of_nodes_names_them_as_kind_does(count, names):
    assert parse({"nodes": count}, name="lab").nodes == names


def test_the_dns_address_is_the_tenth_of_the_service_range():
    assert parse({"serviceCIDR": "10.200.0.0/16"}, name="lab").dns_ip == IPv4Address("10.200.0.10")


@pytest.mark.parametrize("spec", [
    {},
    {"nodes": ["a", "b"], "podCIDR": "10.1.0.0/16", "serviceCIDR": "10.2.0.0/24", "dnsIP": "10.2.0.99"},
    {"nodes": 1, "nodeCIDR": "192.168.7.0/29", "nodePortRange": "80-80", "clusterDomain": "lab.example.org"},
    {"featureGates": {"PreferSameTrafficDistribution": True}},
    {"images": [{"name": "shop:1", "command": ["/bin/true"]}], "proxyMode": "iptables", "ipFamilies": ["IPv4"]},
])
def test_a_manifest_survives_json_and_parses_to_the_same_value(spec):
    value = parse(spec, name="lab")
    assert parse(json.loads(json.dumps(value.to_manifest())), name="lab") == value


@pytest.mark.parametrize(("spec", "message"), [
    ({"podCidr": "10.1.0.0/16"}, 'spec.podCidr: unknown field "podCidr", did you mean "podCIDR"?'),
    ({"node": 3}, 'spec.node: unknown field "node", did you mean "nodes"?'),
    ({"nodes": 0}, "spec.nodes: Invalid value: 0: must be between 1 and 200"),
    ({"nodes": True}, "spec.nodes: Invalid value: true: must be a number or a list of names"),
    ({"nodes": []}, "spec.nodes: Required value: a lab has at least one node"),
    ({"nodes": ["a", "a"]}, 'spec.nodes[1]: Duplicate value: "a"'),
    ({"nodes": ["client"]}, 'spec.nodes[0]: Invalid value: "client": the names "client", "fabric", '
                            '"load-balancer", "internet", "internet-dns" are taken by other parts of labs'),
    ({"nodes": ["Node_1"]}, "spec.nodes[0]: Invalid value: \"Node_1\": a node's name must be a DNS label: at most 63 "
                            "lower-case letters, digits and '-', with a letter or digit at both ends"),
    ({"podCIDR": "10.96.0.0/16"},
     'spec.podCIDR: Invalid value: "10.96.0.0/16": overlaps with serviceCIDR 10.96.0.0/12'),
    ({"serviceCIDR": "10.244.128.0/24"},
     'spec.serviceCIDR: Invalid value: "10.244.128.0/24": overlaps with podCIDR 10.244.0.0/16'),
    ({"nodeCIDR": "10.100.0.0/24"},
     'spec.nodeCIDR: Invalid value: "10.100.0.0/24": overlaps with serviceCIDR 10.96.0.0/12'),
    ({"podCIDR": "10.244.0.1/16"}, 'spec.podCIDR: Invalid value: "10.244.0.1/16": has bits set after its prefix, '
                                   'or is written oddly: write "10.244.0.0/16"'),
    ({"podCIDR": "fd00::/64"}, 'spec.podCIDR: Invalid value: "fd00::/64": is IPv6, and ipFamilies has IPv4 only'),
    ({"podCIDR": "10.244.0.0"},
     'spec.podCIDR: Invalid value: "10.244.0.0": must be an IPv4 range such as "10.244.0.0/16"'),
    ({"podCIDR": "127.0.0.0/16"},
     'spec.podCIDR: Invalid value: "127.0.0.0/16": must be unicast addresses, /8 or smaller, '
                                  "outside of 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 and 224.0.0.0/3"),
    ({"podCIDR": "10.244.0.0/28"},
     'spec.podCIDR: Invalid value: "10.244.0.0/28": too small for 3 nodes: each gets a part '
                                   "of its own, which must be a /29 or larger"),
    ({"nodeCIDR": "172.18.0.0/30", "nodes": 1}, 'spec.nodeCIDR: Invalid value: "172.18.0.0/30": too small for 1 node: '
                                                "a gateway and the client need addresses too, 3 in all"),
    ({"serviceCIDR": "10.96.0.0/30"},
     'spec.serviceCIDR: Invalid value: "10.96.0.0/30": must be between a /12 and a /29'),
    ({"serviceCIDR": "10.96.0.0/29"},
     "spec.dnsIP: Required value: serviceCIDR 10.96.0.0/29 has no tenth address to take"),
    ({"dnsIP": "10.0.0.10"}, 'spec.dnsIP: Invalid value: "10.0.0.10": must lie in serviceCIDR 10.96.0.0/12'),
    ({"dnsIP": "10.96.0.1"}, 'spec.dnsIP: Invalid value: "10.96.0.1": serviceCIDR\'s first address belongs to the '
                             "Service default/kubernetes"),
    ({"dnsIP": 10}, "spec.dnsIP: Invalid value: 10: must be a string"),
    ({"nodePortRange": "32767-30000"},
     'spec.nodePortRange: Invalid value: "32767-30000": must be two ports between 1 and '
                                       '65535, such as "30000-32767"'),
    ({"clusterDomain": "cluster.local."},
     'spec.clusterDomain: Invalid value: "cluster.local.": must be a DNS name in lower '
                                          'case without a final dot, such as "cluster.local"'),
    ({"featureGates": {"PreferSame": True}}, 'spec.featureGates.PreferSame: unknown field "PreferSame"; '
                                             'there are PreferSameTrafficDistribution'),
    ({"featureGates": {"PreferSameTrafficDistribution": "yes"}}, "spec.featureGates.PreferSameTrafficDistribution: "
     'Invalid value: "yes": must be true or false'),
    ({"proxyMode": "ebpf"}, 'spec.proxyMode: Unsupported value: "ebpf": supported values: "iptables", "ipvs", '
                            '"nftables", "userspace"'),
    ({"proxyMode": "iptables", "kubeProxy": {"mode": "nftables"}},
     'spec.kubeProxy.mode: Invalid value: "nftables": differs from spec.proxyMode "iptables": say it once'),
    ({"kubeProxy": {"iptables": {"masqueradeBit": 32}}},
     "spec.kubeProxy.iptables.masqueradeBit: Invalid value: 32: must be within the range [0, 31]"),
    ({"kubeProxy": {"iptables": {"syncPeriod": 30}}},
     'spec.kubeProxy.iptables.syncPeriod: Invalid value: 30: must be a duration such as "30s"'),
    ({"kubeProxy": {"detectLocalMode": "BridgeInterface"}},
     "spec.kubeProxy.detectLocal.bridgeInterface: Required value: for detectLocalMode BridgeInterface"),
    ({"kubeProxy": {"nodePortAddresses": ["172.18.0.0"]}},
     'spec.kubeProxy.nodePortAddresses[0]: Invalid value: "172.18.0.0": must be a valid CIDR block '
     "(e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"),
    ({"proxyMode": "ipvs", "kubeProxy": {"ipvs": {"scheduler": "random"}}},
     'spec.kubeProxy.ipvs.scheduler: Invalid value: "random": must be in [rr wrr lc wlc lblc lblcr sh dh sed nq mh ], '
     "blank means the default algorithm method (currently rr)"),
    ({"kubeProxy": {"ipvs": {"excludeCIDRs": ["10.0.0.1"]}}},
     'spec.kubeProxy.ipvs.excludeCIDRs[0]: Invalid value: "10.0.0.1": must be a valid CIDR block '
     "(e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"),
    ({"kubeProxy": {"ipvs": {"udpTimeout": 5}}},
     'spec.kubeProxy.ipvs.udpTimeout: Invalid value: 5: must be a duration such as "30s"'),
    ({"kubeProxy": {"conntrack": {"maxPerCore": -1}}},
     "spec.kubeProxy.conntrack.maxPerCore: Invalid value: -1: must be greater than or equal to 0"),
    ({"ipFamilies": ["IPv4", "IPv4"]}, 'spec.ipFamilies: Invalid value: ["IPv4","IPv4"]: must be ["IPv4"], ["IPv6"], '
                                       '["IPv4", "IPv6"] or ["IPv6", "IPv4"]'),
    ({"ipFamilies": ["IPv4", "IPv6"], "podCIDR": "10.1.0.0/16,10.2.0.0/16"},
     'spec.podCIDR: Invalid value: "10.2.0.0/16": is a second range of IPv4: there may be one of each family'),
    ({"ipFamilies": ["IPv6"], "serviceCIDR": "fd00:10:244:3::/112"},
     'spec.serviceCIDR: Invalid value: "fd00:10:244:3::/112": overlaps with podCIDR fd00:10:244::/56'),
    ({"ipFamilies": ["IPv6"], "serviceCIDR": "fd00:96::/64"},
     'spec.serviceCIDR: Invalid value: "fd00:96::/64": must be between a /108 and a /125'),
    ({"ipFamilies": ["IPv6"], "nodeCIDR": "fe80::/64"},
     'spec.nodeCIDR: Invalid value: "fe80::/64": must be unicast addresses, /8 or smaller, outside of ::/16, fe80::/10 '
     "and ff00::/8"),
    ({"ipFamilies": ["IPv6", "IPv4"], "dnsIP": "10.96.0.10"},
     'spec.dnsIP: Invalid value: "10.96.0.10": must be an IPv6 address, as the first of ipFamilies says'),
    ({"images": ["shop"]}, 'spec.images[0]: Invalid value: "shop": must be a mapping with name and command'),
])
def test_each_mistake_is_told_with_its_field(spec, message):
    assert messages(spec) == [message]


def test_all_mistakes_are_told_at_once():
    assert len(messages({"nodes": "three", "podCIDR": "x", "dnsIP": "1.2.3.4", "extra": 1})) == 4


def test_a_lab_name_with_a_dot_is_refused():
    assert messages({}, name="a.b")[0].startswith(
        'metadata.name: Invalid value: "a.b": a lab\'s name must be a DNS label')


@pytest.mark.parametrize(("pod_cidr", "nodes", "parts"), [
    ("10.244.0.0/16", 3, ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]),
    ("10.244.0.0/25", 3, ["10.244.0.0/27", "10.244.0.32/27", "10.244.0.64/27"]),
    ("10.244.0.0/24", 1, ["10.244.0.0/24"]),
])
def test_every_node_gets_a_part_of_the_pod_range(pod_cidr, nodes, parts):
    spec = parse({"nodes": nodes, "podCIDR": pod_cidr}, name="lab")
    assert [spec.node_pod_cidr(node) for node in spec.nodes] == [IPv4Network(part) for part in parts]


@pytest.mark.parametrize(("families", "given", "expected"), [
    (["IPv6"], {}, (["fd00:10:96::/112"], "fd00:10:96::a")),
    (["IPv4", "IPv6"], {}, (["10.96.0.0/12", "fd00:10:96::/112"], "10.96.0.10")),
    (["IPv6", "IPv4"], {}, (["fd00:10:96::/112", "10.96.0.0/12"], "fd00:10:96::a")),
    (["IPv6", "IPv4"], {"serviceCIDR": "10.97.0.0/16,fd00:97::/120"},
     (["fd00:97::/120", "10.97.0.0/16"], "fd00:97::a")),
    (["IPv4", "IPv6"], {"serviceCIDR": ["10.97.0.0/16", "fd00:97::/112"]},
     (["10.97.0.0/16", "fd00:97::/112"], "10.97.0.10")),
    (["IPv4", "IPv6"], {"serviceCIDR": "fd00:97::/112"}, (["10.96.0.0/12", "fd00:97::/112"], "10.96.0.10")),
])
def test_families_come_in_the_order_of_the_lab_and_ranges_in_any(families, given, expected):
    spec = parse(given | {"ipFamilies": families}, name="lab")
    assert ([str(ranges.service) for ranges in spec.ranges], str(spec.dns_ip)) == expected
    assert spec.ip_families == tuple(families)
    assert parse(json.loads(json.dumps(spec.to_manifest())), name="lab") == spec


def test_a_node_of_both_families_has_a_part_of_each_pod_range():
    spec = parse({"ipFamilies": ["IPv4", "IPv6"], "nodes": 3}, name="lab")
    assert [[str(cidr) for cidr in spec.node_pod_cidrs(node)] for node in spec.nodes] == [
        ["10.244.0.0/24", "fd00:10:244::/64"], ["10.244.1.0/24", "fd00:10:244:1::/64"],
        ["10.244.2.0/24", "fd00:10:244:2::/64"]]
    assert list(map(str, spec.node_ips("worker"))) == ["172.18.0.3", "fc00:f853:ccd:e793::3"]
    assert list(map(str, spec.client_ips)) == ["172.18.0.5", "fc00:f853:ccd:e793::5"]
