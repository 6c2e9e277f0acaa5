"""What the directives of a Corefile do to questions."""

import pytest
from corefiles import KUBEADM, Asker, made
from dns_objects import endpoints, external, namespace, service

from netlab.dns.answer import Answer
from netlab.dns.names import Name
from netlab.dns.plugins.cache import Cache
from netlab.dns.records import Record
from netlab.dns.view import parse

Z = "svc.cluster.local."
WEB = (service("web", "10.96.0.5"), endpoints("web", "10.244.1.5"))
UP = "nameserver 192.0.2.1"


def world(effect):
    """An upstream that knows www.example.com and the reverse name of 192.0.2.7."""
    name = effect.request.question.name
    known = {"www.example.com.": ("A", 300, "192.0.2.80"), "7.2.0.192.in-addr.arpa.": ("PTR", 60, Name.of("seven."))}
    kind, ttl, data = known.get(str(name).lower(), ("", 0, ""))
    records = (Record(name, kind, ttl, (data,)),) if kind == effect.request.question.type else ()
    return Answer("NOERROR" if kind else "NXDOMAIN", answer=records, recursion_available=True, keep=False)


def shown(answer):
    return [str(record) for record in answer.answer]


def block(*lines):
    return ". {\n" + "\n".join(lines) + "\n}\n"


def kubernetes(*options, after="forward . 192.0.2.1"):
    return block("kubernetes cluster.local 10.96.0.0/16 {", *options, "}", after)


def test_kubeadms_server_answers_for_the_cluster_and_asks_others_for_the_rest():
    ask = Asker(made(KUBEADM, resolv=UP), *WEB, upstream=world)
    got = ask(f"web.default.{Z} A")
    assert (shown(got), got.authoritative, got.shuffled, got.keep) == (
        [f"web.default.{Z} 30 IN A 10.96.0.5"], True, False, True)
    assert ask(f"nix.default.{Z} A").rcode == "NXDOMAIN"
    assert ask.asked == []
    assert shown(ask("www.example.com. A")) == ["www.example.com. 30 IN A 192.0.2.80"]
    assert shown(ask("7.2.0.192.in-addr.arpa. PTR")) == ["7.2.0.192.in-addr.arpa. 30 IN PTR seven."]
    assert shown(ask("5.0.96.10.in-addr.arpa. PTR")) == [f"5.0.96.10.in-addr.arpa. 30 IN PTR web.default.{Z}"]
    assert ask.asked == ["www.example.com. A", "7.2.0.192.in-addr.arpa. PTR"]


def test_the_cache_answers_until_its_time_is_over_and_says_what_is_left():
    ask = Asker(made(KUBEADM, resolv=UP), upstream=world)
    ask("www.example.com. A")
    ask.now += 10.5
    got = ask("WWW.example.com. A")
    assert (shown(got), got.recursion_available, got.by) == (["WWW.example.com. 20 IN A 192.0.2.80"], True, "cache")
    ask.now += 20
    ask("www.example.com. A")
    assert len(ask.asked) == 2


def test_a_cache_without_exceptions_keeps_the_clusters_answers_too():
    ask = Asker(made(block("kubernetes cluster.local", "cache 30")), *WEB)
    assert not ask(f"web.default.{Z} A").keep
    ask.view = ask.view.without_resource("services")
    ask.now += 3
    assert shown(ask(f"web.default.{Z} A")) == [f"web.default.{Z} 2 IN A 10.96.0.5"]
    ask.now += 3
    assert ask(f"web.default.{Z} A").rcode in ("NXDOMAIN", "SERVFAIL")


def test_the_cache_makes_room_by_forgetting_the_oldest():
    configuration = made(block("cache {\n success 2\n}", "forward . 192.0.2.1"))

    def any_name(effect):
        return Answer(answer=(Record(effect.request.question.name, "A", 60, ("192.0.2.9",)),))

    ask = Asker(configuration, upstream=any_name)
    for name in ("a.", "b.", "c.", "a."):
        ask(f"{name} A")
    assert ask.asked == ["a. A", "b. A", "c. A", "a. A"]
    (cache,) = configuration.all(Cache)
    assert (cache.stores["success"].evictions, len(cache.stores["success"].kept)) == (2, 2)


def test_stale_answers_serve_when_nothing_better_is_to_be_had():
    answers = [world, lambda effect: Answer("SERVFAIL", error="gone")]
    ask = Asker(made(block("cache 10 {\n serve_stale 1m verify\n}", "forward . 192.0.2.1")),
                upstream=lambda effect: answers[min(1, len(ask.asked) - 1)](effect))
    ask("www.example.com. A")
    ask.now += 11
    assert shown(ask("www.example.com. A")) == ["www.example.com. 0 IN A 192.0.2.80"]
    ask.now += 120
    assert ask("www.example.com. A").rcode == "SERVFAIL"


@pytest.mark.parametrize(("options", "question", "expected"), [
    (["pods insecure"], "10-9-9-9.default.pod.cluster.local. A", "10.9.9.9"),
    (["pods disabled"], "10-9-9-9.default.pod.cluster.local. A", "NXDOMAIN"),
    ([], "10-9-9-9.default.pod.cluster.local. A", "NXDOMAIN"),
    (["pods disabled"], "default.pod.cluster.local. A", "NXDOMAIN"),
    (["pods disabled"], "pod.cluster.local. A", "NOERROR"),
    (["pods verified"], "10-9-9-9.default.pod.cluster.local. A", "NXDOMAIN"),
    (["pods verified"], "10-244-1-5.default.pod.cluster.local. A", "10.244.1.5"),
    (["pods verified"], "10-244-1-5.shop.pod.cluster.local. A", "NXDOMAIN"),
    (["namespaces shop"], f"web.default.{Z} A", "NXDOMAIN"),
    (["namespaces shop"], f"default.{Z} A", "NXDOMAIN"),
    (["namespaces shop"], f"cart.shop.{Z} A", "10.96.0.8"),
    (["namespaces shop"], "5.0.96.10.in-addr.arpa. PTR", "NXDOMAIN"),
    (["noendpoints"], f"web.default.{Z} A", "10.96.0.5"),
    (["noendpoints"], f"db.default.{Z} A", "NXDOMAIN"),
    ([], f"db.default.{Z} A", "10.244.1.5"),
    (["endpoint_pod_names"], f"db-x7.db.default.{Z} A", "10.244.1.5"),
    (["endpoint_pod_names"], f"10-244-1-5.db.default.{Z} A", "NXDOMAIN"),
    (["endpoint_pod_names"], f"10-244-1-6.db.default.{Z} A", "10.244.1.6"),  # its pod's name is too long for a label
    (["ignore empty_service"], f"idle.default.{Z} A", "NXDOMAIN"),
    (["ignore empty_service"], f"web.default.{Z} A", "10.96.0.5"),
    ([], f"idle.default.{Z} A", "10.96.0.6"),
    (["fallthrough"], "www.cluster.local. A", "asked"),
    (["fallthrough a.cluster.local"], "www.cluster.local. A", "NXDOMAIN"),
    (["fallthrough a.cluster.local"], "www.a.cluster.local. A", "asked"),
    ([], "1.2.0.192.in-addr.arpa. PTR", "asked"),
])
def test_options_of_kubernetes(options, question, expected):
    db = endpoints("db", "10.244.1.5", "10.244.1.6")
    for endpoint, pod in zip(db[1]["endpoints"], ("db-x7", 64 * "x"), strict=True):
        endpoint["targetRef"] = {"kind": "Pod", "name": pod}
    ask = Asker(made(kubernetes(*options)), *WEB, namespace("shop"), service("cart", "10.96.0.8", in_="shop"),
                service("idle", "10.96.0.6"), service("db", "None"), db,
                upstream=lambda effect: Answer("NXDOMAIN", error="asked"))
    pod = {"metadata": {"name": "web-1", "namespace": "default"}, "status": {"podIPs": [{"ip": "10.244.1.5"}]}}
    ask.view = ask.view.with_list("pods", [parse("pods", pod)], now=1)
    got = ask(question)
    assert (got.error or (got.answer and got.answer[0].data[0]) or got.rcode) == expected


def test_an_alias_to_the_outside_is_followed_there():
    ask = Asker(made(KUBEADM, resolv=UP), external("out", "www.example.com"), external("gone", "nix.example.com"),
                upstream=world)
    assert shown(ask(f"out.default.{Z} A")) == [
        f"out.default.{Z} 30 IN CNAME www.example.com.", "www.example.com. 30 IN A 192.0.2.80"]
    assert shown(ask(f"gone.default.{Z} A")) == [f"gone.default.{Z} 30 IN CNAME nix.example.com."]


def test_aliases_in_a_circle_through_rewriting_end():
    ask = Asker(made(block("rewrite name a.example b.default.svc.cluster.local", "kubernetes cluster.local")),
                external("b", "a.example"))
    assert ask("a.example. A").rcode in ("NOERROR", "SERVFAIL")


def test_several_cluster_domains():
    ask = Asker(made(block("kubernetes cluster.local lab.example in-addr.arpa")), *WEB)
    assert shown(ask("web.default.svc.lab.example. A")) == ["web.default.svc.lab.example. 5 IN A 10.96.0.5"]
    assert shown(ask("5.0.96.10.in-addr.arpa. PTR")) == [f"5.0.96.10.in-addr.arpa. 5 IN PTR web.default.{Z}"]


def test_forward_leaves_exceptions_and_other_zones_to_the_next():
    ask = Asker(made(block("forward example.com 192.0.2.1 {\n except in.example.com\n}", "forward . 192.0.2.2")),
                upstream=lambda effect: Answer(error=str(effect.forward.upstreams[0])))
    assert ask("www.example.com. A").error == "192.0.2.1:53"
    assert ask("a.in.example.com. A").error == ask("example.org. A").error == "192.0.2.2:53"


def test_without_a_plugin_that_knows_the_question_fails():
    ask = Asker(made(block("kubernetes cluster.local", "cache")))
    got = ask("www.example.com. A")
    assert (got.rcode, got.error) == ("SERVFAIL", "plugin/kubernetes: no next plugin found")


HOSTS = ("hosts {", "192.0.2.10 ten.example TEN", "192.0.2.11 ten.example", "2001:db8::1 ten.example")


def test_hosts_from_the_corefile_and_from_the_file():
    ask = Asker(made(block(*HOSTS, "}"), hosts="192.0.2.20 file.example # comment\nnonsense x\n"))
    assert shown(ask("ten.example. A")) == ["ten.example. 3600 IN A 192.0.2.10", "ten.example. 3600 IN A 192.0.2.11"]
    assert shown(ask("ten.example. AAAA")) == ["ten.example. 3600 IN AAAA 2001:db8::1"]
    assert shown(ask("file.example. A")) == ["file.example. 3600 IN A 192.0.2.20"]
    assert shown(ask("20.2.0.192.in-addr.arpa. PTR")) == ["20.2.0.192.in-addr.arpa. 3600 IN PTR file.example."]
    # an address of the other family in disguise
    ask = Asker(made(block("hosts {", "::ffff:192.0.2.10 six.example", "}")))
    assert shown(ask("six.example. A")) == ["six.example. 3600 IN A 192.0.2.10"]


@pytest.mark.parametrize(("question", "without", "fallthrough"), [
    ("ten.example. TXT", "NOERROR", "NOERROR"),  # the name is known
    ("nix.example. A", "SERVFAIL", "next"), ("nix.example. MX", "SERVFAIL", "next"),
    ("99.2.0.192.in-addr.arpa. PTR", "next", "next"),
    ("10.2.0.192.in-addr.arpa. PTR", "NOERROR", "NOERROR"),
])
@pytest.mark.parametrize("zone", [".", "example"])
def test_what_hosts_does_not_know(question, without, fallthrough, zone):
    for option, expected in (("", without), ("fallthrough", fallthrough)):
        hosts = (f"hosts /etc/hosts {zone} {{", *HOSTS[1:], option, "}")
        ask = Asker(made(block(*hosts, "forward . 192.0.2.1")), upstream=lambda effect: Answer(error="next"))
        got = ask(question)
        assert ((got.error or got.rcode), got.answer == ()) == (expected, not question.startswith("10."))


@pytest.mark.parametrize(("rule", "question", "expected"), [
    ("name web.example web.default.svc.cluster.local", "web.example. A", ["web.example. 5 IN A 10.96.0.5"]),
    ("name exact Web.Example web.default.svc.cluster.local", "WEB.example. A", ["WEB.example. 5 IN A 10.96.0.5"]),
    ("name suffix .lab .svc.cluster.local answer auto", "web.default.lab. A", ["web.default.lab. 5 IN A 10.96.0.5"]),
    ("name suffix .lab .svc.cluster.local", "web.default.lab. A", [f"web.default.{Z} 5 IN A 10.96.0.5"]),
    ("name prefix my- ''", "my-web.default.svc.cluster.local. A", "NXDOMAIN"),
    ("name prefix my-w w", f"my-web.default.{Z} A", [f"web.default.{Z} 5 IN A 10.96.0.5"]),
    ("name substring .prod. .default.", f"web.prod.{Z} A", [f"web.default.{Z} 5 IN A 10.96.0.5"]),
    ("name regex (.*)\\.lab {1}.default.svc.cluster.local", "web.lab. A", [f"web.default.{Z} 5 IN A 10.96.0.5"]),
    ("name regex (.*)\\.lab {1}.default.svc.cluster.local answer name (.*)\\.default\\.svc\\.cluster\\.local {1}.lab",
     "web.lab. A", ["web.lab. 5 IN A 10.96.0.5"]),
    ("stop {\n name regex (.*)\\.lab {1}.default.svc.cluster.local\n answer name (.*)\\.default.* {1}.lab\n}",
     "web.lab. A", ["web.lab. 5 IN A 10.96.0.5"]),
    ("continue name a.example b.example\n rewrite name b.example web.default.svc.cluster.local", "a.example. A",
     ["a.example. 5 IN A 10.96.0.5"]),
    ("name other.example x.example", f"web.default.{Z} A", [f"web.default.{Z} 5 IN A 10.96.0.5"]),
])
def test_rewritten_names(rule, question, expected):
    got = Asker(made(block(f"rewrite {rule}", "kubernetes cluster.local", "forward . 192.0.2.1")), *WEB,
                upstream=world)(question)
    assert (shown(got) or got.rcode) == expected
