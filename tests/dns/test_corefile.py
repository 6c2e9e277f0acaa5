"""Corefiles: how their text is read, and what CoreDNS says to those that are wrong."""

import pytest
from corefiles import KUBEADM, made

from netlab.dns.corefile import CorefileError, tokens
from netlab.dns.plugins.cache import Cache
from netlab.dns.plugins.endpoints import Health, Prometheus, Ready
from netlab.dns.plugins.forward import Forward
from netlab.dns.plugins.hosts import Hosts
from netlab.dns.plugins.kubernetes import Kubernetes
from netlab.dns.plugins.reload import Reload

C = "/etc/coredns/Corefile"


def test_words_end_at_blanks_and_comments_start_words():
    found = tokens('a "b c" # no\n{$X}-{%Y%} d#e "q\\"r"\n', C, {"X": "1"})
    assert [(token.text, token.line) for token in found] == [("a", 1), ("b c", 1), ("1-", 2), ("d#e", 2), ('q"r', 2)]


def test_kubeadms_corefile_is_understood():
    (server,) = made(KUBEADM, resolv="search x\nnameserver 192.0.2.1\n").servers
    assert str(server) == ".:53"
    assert [plugin.name for plugin in server.plugins] == [
        "reload", "ready", "health", "prometheus", "errors", "loadbalance", "cache", "kubernetes", "loop", "forward"]
    assert server.get(Health).lameduck == 5
    assert (server.get(Ready).port, server.get(Prometheus).port, server.get(Reload).interval) == (8181, 9153, 30)
    assert [str(upstream) for upstream in server.get(Forward).upstreams] == ["192.0.2.1:53"]
    assert server.get(Forward).max_concurrent == 1000
    cache = server.get(Cache)
    assert (cache.success.ttl, cache.denial.ttl, str(cache.denial.excepted[0])) == (30, 30, "cluster.local.")
    (zones,) = server.get(Kubernetes).zones
    assert (str(zones.domain), [str(zone) for zone in zones.reverse], zones.ttl, zones.pods) == (
        "cluster.local.", ["in-addr.arpa.", "ip6.arpa."], 30, "insecure")


def test_blocks_have_zones_and_ports_and_the_closest_zone_answers():
    found = made("example.org, 10.0.0.0/8:5353 {\n errors\n}\n. cluster.local:5353 dns://a.b {\n errors\n}\n")
    assert sorted(map(str, found.servers)) == [
        ".:53", "10.in-addr.arpa.:5353", "a.b.:53", "cluster.local.:5353", "example.org.:53"]
    assert {port: len(servers) for port, servers in found.ports.items()} == {53: 3, 5353: 2}


def test_snippets_files_and_variables_are_put_in():
    text = "(common) {\n errors\n cache 7\n}\nimport extra/*\n{$ZONE}:{$PORT} {\n import common\n}\n"
    found = made(text, environment={"ZONE": "a.b", "PORT": "54"}, imports=[("extra/x", "c.d {\n import common\n}\n")])
    assert sorted(map(str, found.servers)) == ["a.b.:54", "c.d.:53"]
    assert all(server.get(Cache).success.ttl == 7 for server in found.servers)


def test_kubernetes_without_zones_takes_those_of_its_block():
    (server, _) = made("lab.example 10.96.0.0/15 {\n kubernetes\n}\n").servers[:2]
    (zones,) = server.get(Kubernetes).zones
    assert (str(zones.domain), len(zones.reverse), zones.ttl, zones.pods) == ("lab.example.", 2, 5, "disabled")


def test_inline_hosts_and_their_options():
    hosts = made(". {\n hosts {\n 192.0.2.1 a.b c\n ttl 60\n no_reverse\n fallthrough\n}\n}").servers[0].get(Hosts)
    assert (hosts.ttl, hosts.reverse, hosts.path, hosts.fall.zones) == (60, False, "/etc/hosts", ((),))


@pytest.mark.parametrize(("text", "error"), [
    (".:53 {\n errors\n foo\n}\n", f"{C}:3 - Error during parsing: Unknown directive 'foo'"),
    (".:53 {\n errors\n", f"{C}:2 - Error during parsing: Unexpected EOF"),
    (". {\n acl\n}", f"{C}:2 - Error during parsing: the plugin 'acl' is not available in a lab; available are cache, "
                     "errors, file, forward, header, health, hosts, kubernetes, loadbalance, log, loop, prometheus, "
                     "ready, reload, rewrite"),
    (". {\n errors\n errors\n}", "plugin/errors: this plugin can only be used once per Server Block"),
    (". {\n}\n. {\n}", "cannot serve dns://.:53 - it is already defined"),
    (". {\n import gone\n}", f"{C}:2 - Error during parsing: File to import not found: gone"),
    (". {\n kubernetes x {\n pods\n }\n}",
     f"plugin/kubernetes: {C}:3 - Error during parsing: Wrong argument count or unexpected line ending after 'pods'"),
    (". {\n kubernetes x {\n pods some\n }\n}",
     "plugin/kubernetes: wrong value for pods: some,  must be one of: disabled, verified, insecure"),
    (". {\n kubernetes x {\n ttl 4000\n }\n}",
     f"plugin/kubernetes: {C}:3 - Error during parsing: ttl must be in range [0, 3600]: 4000"),
    (". {\n kubernetes x {\n speed 3\n }\n}",
     f"plugin/kubernetes: {C}:3 - Error during parsing: unknown property 'speed'"),
    (". {\n kubernetes 10.0.0.0/8\n}", "plugin/kubernetes: non-reverse zone name must be used"),
    (". {\n forward .\n}",
     f"plugin/forward: {C}:2 - Error during parsing: Wrong argument count or unexpected line ending after '.'"),
    (". {\n forward . nowhere\n}", 'plugin/forward: not an IP address or file: "nowhere"'),
    (". {\n forward . tls://1.1.1.1\n}",
     "plugin/forward: 'tls' is not supported as a destination protocol in forward: tls://1.1.1.1"),
    (". {\n forward . 1.1.1.1 {\n policy best\n }\n}",
     f"plugin/forward: {C}:3 - Error during parsing: unknown policy 'best'"),
    (". {\n cache 0\n}", "plugin/cache: cache TTL can not be zero or negative: 0"),
    (". {\n cache {\n disable all\n }\n}",
     'plugin/cache: cache type for disable must be "success" or "denial": "all"'),
    (". {\n reload 1s\n}", "plugin/reload: invalid interval value"),
    (". {\n health {\n lameduck 5\n }\n}", 'plugin/health: time: missing unit in duration "5"'),
    (". {\n log {\n class some\n }\n}", "plugin/log: invalid class: some"),
    (". {\n rewrite type ANY HINFO\n}",
     f"plugin/rewrite: {C}:2 - Error during parsing: 'rewrite type' is not available in a lab"),
])
def test_what_is_wrong_is_said_as_coredns_says_it(text, error):
    with pytest.raises(CorefileError) as caught:
        made(text)
    assert str(caught.value) == error


def test_a_snippet_that_imports_itself_ends():
    with pytest.raises(CorefileError, match="does one import itself"):
        made("(a) {\n errors\n import a\n}\n. {\n import a\n}\n")
