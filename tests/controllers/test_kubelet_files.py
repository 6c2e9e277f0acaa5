"""What a pod finds in /etc, and its address."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from netlab.controllers.kubelet.addresses import allocate, in_use, last_given
from netlab.controllers.kubelet.hosts import hostname, hosts_file, kernel_hostname
from netlab.controllers.kubelet.resolv_conf import ResolvConf, for_pod, parse
from netlab.model.errors import LabError

HOST = ResolvConf(("192.0.2.53",), ("example.org",), ("timeout:2",))
CLUSTER = "search default.svc.cluster.local svc.cluster.local cluster.local example.org\n" \
          "nameserver 10.96.0.10\noptions ndots:5\n"
NODE = "search example.org\nnameserver 192.0.2.53\noptions timeout:2\n"


def pod(name="web-1", **spec):
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def conf(**spec):
    return for_pod(pod(**spec), domain="cluster.local", dns_ip="10.96.0.10", host=HOST)


@pytest.mark.parametrize(("spec", "text"), [
    ({}, CLUSTER), ({"dnsPolicy": "ClusterFirst"}, CLUSTER), ({"dnsPolicy": "Default"}, NODE),
    ({"hostNetwork": True}, NODE), ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, CLUSTER),
    ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.2.3.4"], "searches": ["a.b"],
                                         "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}},
     "search a.b\nnameserver 1.2.3.4\noptions ndots:2 edns0\n"),
    ({"dnsConfig": {"options": [{"name": "ndots", "value": "1"}], "nameservers": ["10.96.0.10", "9.9.9.9"],
                    "searches": ["cluster.local", "x.y"]}},
     "search default.svc.cluster.local svc.cluster.local cluster.local example.org x.y\n"
     "nameserver 10.96.0.10\nnameserver 9.9.9.9\noptions ndots:1\n"),
])
def test_resolv_conf_follows_policy_and_config(spec, text):
    found, messages = conf(**spec)
    assert (found.render(), messages) == (text, [])


def test_what_exceeds_the_resolvers_limits_is_cut_and_said():
    found, messages = conf(dnsConfig={"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3"],
                                      "searches": [f"s{number}.example" for number in range(40)]})
    assert found.nameservers == ("10.96.0.10", "1.1.1.1", "2.2.2.2")
    assert len(found.searches) == 32
    assert messages[0] == ("Nameserver limits were exceeded, some nameservers have been omitted, "
                           "the applied nameserver line is: 10.96.0.10 1.1.1.1 2.2.2.2")
    assert messages[1].startswith("Search Line limits were exceeded, some search paths have been omitted, "
                                  "the applied search line is: default.svc.cluster.local ")


def test_the_search_list_is_cut_to_32_then_of_too_long_domains_then_to_2048_characters():
    first = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"]
    found, messages = conf(dnsConfig={"searches": ["y" * 254, "x" * 253, *(f"s{number}" for number in range(40))]})
    assert list(found.searches) == [*first, "x" * 253, *(f"s{number}" for number in range(26))]
    found, messages = conf(dnsConfig={"searches": [f"{number:0200}" for number in range(12)]})
    assert list(found.searches) == [*first, *(f"{number:0200}" for number in range(9))]
    assert messages == ["Search Line limits were exceeded, some search paths have been omitted, "
                        f"the applied search line is: {' '.join(found.searches)}"]


def test_a_resolv_conf_is_read_as_the_resolver_reads_it():
    text = "# comment\nsearch a b\ndomain c\nnameserver 1.1.1.1 # x\noptions ndots:2 rotate\nnonsense\n"
    assert parse(text) == ResolvConf(("1.1.1.1",), ("c",), ("ndots:2", "rotate"))


def test_etc_hosts_names_the_pod():
    assert hosts_file(pod(), domain="cluster.local", addresses=["10.244.1.2"]).splitlines() == [
        "# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet", "fe00::0\tip6-mcastprefix", "fe00::1\tip6-allnodes", "fe00::2\tip6-allrouters",
        "10.244.1.2\tweb-1"]


def test_etc_hosts_has_the_full_name_with_a_subdomain_and_the_aliases():
    text = hosts_file(pod(subdomain="s", hostname="h", hostAliases=[{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]),
                      domain="cluster.local", addresses=["10.244.1.2"])
    assert "10.244.1.2\th.s.default.svc.cluster.local\th\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


def test_host_network_pods_have_the_nodes_hosts_file():
    text = hosts_file(pod(hostNetwork=True), domain="x", addresses=["172.18.0.3"], node_hosts="127.0.0.1\tlocalhost\n")
    assert text == "# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n"


@pytest.mark.parametrize(("manifest", "name"), [
    (pod(), "web-1"), (pod(hostname="h"), "h"), (pod("a" * 62 + "-" + "b" * 9), "a" * 62), (pod("x" * 70), "x" * 63),
])
def test_the_hostname_is_the_pods_name_cut_to_63_characters(manifest, name):
    assert hostname(manifest) == name


def test_what_hostname_prints():
    full = pod(hostname="h", subdomain="s", setHostnameAsFQDN=True)
    assert kernel_hostname(full, domain="cluster.local", node="n") == "h.s.default.svc.cluster.local"
    assert kernel_hostname(pod(hostNetwork=True), domain="cluster.local", node="worker") == "worker"
    with pytest.raises(ValueError, match="too long"):
        kernel_hostname(full | {"spec": full["spec"] | {"hostname": "h" * 60}}, domain="cluster.local", node="n")


SMALL = IPv4Network("10.244.1.0/29")


@pytest.mark.parametrize(("used", "last", "given"), [
    ((), None, 2), ((), 2, 3), ((3,), 2, 4), ((), 6, 2), ((2, 3), 6, 4), ((2, 3, 4, 5), 3, 6), ((), 200, 2),
])
def test_addresses_are_given_in_turn_without_the_gateways(used, last, given):
    base = IPv4Address("10.244.1.0")
    assert allocate(SMALL, [base + n for n in used], None if last is None else base + last) == base + given


def test_a_full_range_is_said():
    with pytest.raises(LabError, match=r"no IP addresses available in range set: 10.244.1.1-10.244.1.6"):
        allocate(SMALL, list(SMALL), None)


def test_addresses_of_finished_pods_and_other_nodes_are_not_in_use():
    def with_status(uid, **status):
        return {"metadata": {"uid": uid}, "status": status}

    pods = [with_status("a", podIP="10.244.1.2", phase="Running", startTime="2026-01-01T00:00:02Z"),
            with_status("b", podIP="10.244.1.3", phase="Succeeded", startTime="2026-01-01T00:00:03Z"),
            with_status("c", podIP="10.244.9.4", phase="Running", startTime="2026-01-01T00:00:04Z"), with_status("d")]
    assert in_use(pods, SMALL) == {IPv4Address("10.244.1.2"): "a"}
    assert last_given(pods, SMALL) == IPv4Address("10.244.1.3")
