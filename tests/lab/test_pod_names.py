"""What pods find in resolv.conf, /etc/hosts and as their hostname, in a lab whose nodes have a DNS server."""

import os

import pytest

from tests.lab.in_lab import InLab

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root")]
UPSTREAM = "198.51.100.2"
TOOLS = {"name": "c", "image": "busybox", "command": ["sleep", "infinity"]}
CLUSTER = "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
NODE = f"nameserver {UPSTREAM}\n"
OWN = {"nameservers": ["192.0.2.1"], "searches": ["a.example", "_b.example."],
       "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}
PODS = {
    "plain": ({}, CLUSTER),
    "named": ({"dnsPolicy": "ClusterFirst"}, CLUSTER),
    "nodes": ({"dnsPolicy": "Default"}, NODE),
    "host": ({"hostNetwork": True}, NODE),
    "host-cluster": ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, CLUSTER),
    "none": ({"dnsPolicy": "None", "dnsConfig": OWN},
             "search a.example _b.example.\nnameserver 192.0.2.1\noptions ndots:2 edns0\n"),
    "merged": ({"dnsConfig": OWN | {"searches": ["svc.cluster.local", "a.example"]}},
               "search default.svc.cluster.local svc.cluster.local cluster.local a.example\nnameserver 10.96.0.10\n"
               "nameserver 192.0.2.1\noptions ndots:2 edns0\n"),
    "nodes-merged": ({"dnsPolicy": "Default", "dnsConfig": OWN},
                     f"search a.example _b.example.\n{NODE}nameserver 192.0.2.1\noptions ndots:2 edns0\n"),
}


@pytest.fixture(scope="module")
def lab():
    made = InLab("podnames", internet={})
    try:
        for name, (spec, _) in PODS.items():
            made.pod(name, TOOLS, **({"nodeName": "worker"} if "hostNetwork" in spec else {}), **spec)
        yield made
    finally:
        made.lab.down()


def running(lab, name):
    lab.until(lambda: lab.status(name).get("phase") == "Running", f"{name} runs")


@pytest.mark.parametrize("name", PODS)
def test_resolv_conf_follows_the_policy(lab, name):
    running(lab, name)
    assert lab.execute(name, "cat", "/etc/resolv.conf") == PODS[name][1]


def test_too_many_name_servers_and_search_domains_are_cut_with_an_event(lab):
    lab.pod("many", TOOLS, dnsConfig={"nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
                                      "searches": [f"s{number}.example" for number in range(30)]})
    running(lab, "many")
    search, *servers, options = lab.execute("many", "cat", "/etc/resolv.conf").splitlines()
    assert servers == ["nameserver 10.96.0.10", "nameserver 192.0.2.1", "nameserver 192.0.2.2"]
    assert (len(search.split()), options) == (33, "options ndots:5")
    told = [message for *kind, message in lab.events("many") if kind == ["Warning", "DNSConfigForming"]]
    assert sorted(told) == [
        "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
        "10.96.0.10 192.0.2.1 192.0.2.2",
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
        f"{search.removeprefix('search ')}"]


@pytest.mark.parametrize(("name", "spec", "hostname", "full"), [
    ("alone", {}, "alone", "alone"),
    ("other", {"hostname": "chosen"}, "chosen", "chosen"),
    ("below", {"hostname": "chosen", "subdomain": "set"}, "chosen", "chosen.set.default.svc.cluster.local"),
    ("in-full", {"subdomain": "set", "setHostnameAsFQDN": True}, "in-full.set.default.svc.cluster.local",
     "in-full.set.default.svc.cluster.local"),
    ("no-domain", {"setHostnameAsFQDN": True}, "no-domain", "no-domain"),
    ("h" * 70, {}, "h" * 63, "h" * 63),
])
def test_the_hostname_and_the_pods_own_line_in_etc_hosts(lab, name, spec, hostname, full):
    lab.pod(name, TOOLS, **spec)
    running(lab, name)
    assert lab.execute(name, "hostname").strip() == hostname
    short = full.partition(".")[0]
    assert lab.execute(name, "cat", "/etc/hosts").splitlines()[-1] == \
        "\t".join([lab.address(f"pod {name}"), *dict.fromkeys([full, short])])
    assert lab.execute(name, "hostname", "-f").strip() == full


def test_a_full_name_that_the_kernel_cannot_hold_keeps_the_pod_from_starting(lab):
    lab.pod("long", TOOLS, hostname="h" * 63, subdomain="set", setHostnameAsFQDN=True)
    text = "FQDN " + "h" * 63 + ".set.default.svc.cluster.local is too long (64 characters is the max, 93 characters"
    lab.until(lambda: any(text in message for _, _, message in lab.events("long")), "an event says why")
    assert lab.status("long").get("phase") == "Pending"


def test_host_aliases_are_added_and_found(lab):
    lab.pod("aliases", TOOLS, hostAliases=[{"ip": "192.0.2.7", "hostnames": ["db", "db.example"]},
                                           {"ip": "2001:db8::7", "hostnames": ["six"]}])
    running(lab, "aliases")
    text = lab.execute("aliases", "cat", "/etc/hosts")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost")
    assert text.endswith("\taliases\n\n# Entries added by HostAliases.\n192.0.2.7\tdb\tdb.example\n2001:db8::7\tsix\n")
    assert lab.execute("aliases", "getent", "hosts", "db.example").split()[0] == "192.0.2.7"


def test_a_pod_on_the_host_network_has_the_nodes_names_and_aliases_too(lab):
    lab.pod("on-node", TOOLS, hostNetwork=True, nodeName="worker2", hostAliases=[{"ip": "192.0.2.7",
                                                                                 "hostnames": ["db"]}])
    running(lab, "on-node")
    assert lab.execute("on-node", "hostname").strip() == "worker2"
    assert lab.execute("on-node", "cat", "/etc/hosts") == (
        "# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n"
        f"{lab.address('node worker2')}\tworker2\n\n# Entries added by HostAliases.\n192.0.2.7\tdb\n")
