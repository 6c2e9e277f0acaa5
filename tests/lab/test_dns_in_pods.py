"""Cluster DNS as the programs in pods see it: resolv.conf, nslookup, dig, getent, curl; also while DNS pods die."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from netlab.kernel import netns

pytestmark = pytest.mark.lab
LAB = "podsdns"

MANIFESTS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: c, image: netlab/echo, ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, clusterIP: 10.96.0.50, ports: [{name: http, port: 80}, {name: alt, port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {set: db}, ports: [{name: sql, port: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-a, labels: {set: db}}
spec: {hostname: first, subdomain: db, containers: [{name: c, image: netlab/echo, args: ["--port=5432"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-b, labels: {set: db}}
spec: {containers: [{name: c, image: netlab/echo, args: ["--port=5432"]}]}
---
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: web.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: www.example.com}
---
apiVersion: v1
kind: Pod
metadata: {name: tools}
spec: {containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: guest, namespace: shop}
spec: {containers: [{name: c, image: busybox, command: [sleep, infinity]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: on-host}
spec:
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  nodeName: worker
  containers: [{name: c, image: busybox, command: [sleep, infinity]}]
---
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  dnsPolicy: None
  dnsConfig: {nameservers: [10.96.0.10], searches: [svc.cluster.local], options: [{name: ndots, value: "2"}]}
  containers: [{name: c, image: busybox, command: [sleep, infinity]}]
"""
FORMS = ("web", "web.default", "web.default.svc", "web.default.svc.cluster.local", "web.default.svc.cluster.local.")


@pytest.fixture(scope="module", autouse=True)
def ready(lab):
    """The pod of the other namespace runs too."""
    def runs():
        return lab.lab.api.get("/api/v1/namespaces/shop/pods/guest").get("status", {}).get("phase") == "Running"

    lab.until(runs, "shop/guest runs")


def fetch(lab, target, name):
    return lab.execute(target, "curl", "-sS", "--max-time", "5", f"http://{name}/")


@pytest.mark.parametrize("name", FORMS)
def test_curl_by_every_form_of_the_name(lab, name):
    assert "Pod: web\n" in fetch(lab, "default/tools", name)


@pytest.mark.parametrize("name", FORMS[1:])
def test_from_another_namespace_the_name_needs_its_namespace(lab, name):
    assert "Pod: web\n" in fetch(lab, "shop/guest", name)


def test_from_another_namespace_the_bare_name_leads_nowhere(lab):
    lab.execute("shop/guest", "getent", "hosts", "web", code=2)


def test_resolv_conf_has_the_search_list_of_the_namespace(lab):
    for target, namespace in (("default/tools", "default"), ("shop/guest", "shop"), ("on-host", "default")):
        lines = lab.execute(target, "cat", "/etc/resolv.conf").splitlines()
        assert lines == [f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local",
                         "nameserver 10.96.0.10", "options ndots:5"]
    assert lab.execute("own", "cat", "/etc/resolv.conf").splitlines() == [
        "search svc.cluster.local", "nameserver 10.96.0.10", "options ndots:2"]


def test_resolvers_other_than_cluster_first(lab):
    found = ["10.96.0.50", "web.default.svc.cluster.local"]
    assert lab.execute("on-host", "getent", "hosts", "web").split() == found
    assert lab.execute("own", "getent", "hosts", "web.default").split() == found


def test_ip_netns_exec_resolves_as_the_pod_does(lab):
    done = subprocess.run(["ip", "netns", "exec", lab.netns("pod tools"), "getent", "hosts", "web"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["10.96.0.50", "web.default.svc.cluster.local"]


def test_nslookup_both_ways(lab):
    forward = lab.execute("default/tools", "nslookup", "web")
    assert "Name:\tweb.default.svc.cluster.local\nAddress: 10.96.0.50\n" in forward
    assert "Server:\t\t10.96.0.10\n" in forward
    backward = lab.execute("default/tools", "nslookup", "10.96.0.50")
    assert "50.0.96.10.in-addr.arpa\tname = web.default.svc.cluster.local.\n" in backward


def test_getent_follows_an_external_name_within_the_cluster(lab):
    assert lab.execute("default/tools", "getent", "hosts", "alias").split() == [
        "10.96.0.50", "web.default.svc.cluster.local", "alias.default.svc.cluster.local"]


@pytest.mark.parametrize(("question", "answers"), [
    ("web", {"web.default.svc.cluster.local. A 10.96.0.50"}),
    ("kubernetes", {"kubernetes.default.svc.cluster.local. A 10.96.0.1"}),
    ("kube-dns.kube-system", {"kube-dns.kube-system.svc.cluster.local. A 10.96.0.10"}),
    ("db", {"db.default.svc.cluster.local. A {first}", "db.default.svc.cluster.local. A {second}"}),
    ("first.db", {"first.db.default.svc.cluster.local. A {first}"}),
    ("{dashed}.db", {"{dashed}.db.default.svc.cluster.local. A {second}"}),
    ("{dashed}.default.pod.cluster.local.", {"{dashed}.default.pod.cluster.local. A {second}"}),
    ("web AAAA", set()),
    ("outside CNAME", {"outside.default.svc.cluster.local. CNAME www.example.com."}),
    ("alias", {"alias.default.svc.cluster.local. CNAME web.default.svc.cluster.local.",
               "web.default.svc.cluster.local. A 10.96.0.50"}),
    ("_http._tcp.web SRV", {"_http._tcp.web.default.svc.cluster.local. SRV 0 100 80 web.default.svc.cluster.local."}),
    ("_sql._tcp.db SRV", {
        "_sql._tcp.db.default.svc.cluster.local. SRV 0 50 5432 first.db.default.svc.cluster.local.",
        "_sql._tcp.db.default.svc.cluster.local. SRV 0 50 5432 {dashed}.db.default.svc.cluster.local."}),
    ("_nix._tcp.web SRV", set()),
    ("-x 10.96.0.50", {"50.0.96.10.in-addr.arpa. PTR web.default.svc.cluster.local."}),
    ("-x {first}", {"{reverse}.in-addr.arpa. PTR first.db.default.svc.cluster.local."}),
])
def test_dig(lab, question, answers):
    first, second = lab.address("pod db-a"), lab.address("pod db-b")
    words = {"first": first, "second": second, "dashed": second.replace(".", "-"),
             "reverse": ".".join(reversed(first.split(".")))}
    for transport in ("+notcp", "+tcp"):
        out = lab.execute("default/tools", "dig", "+search", "+noall", "+answer", transport,
                      *question.format(**words).split())
        found = [line.split(maxsplit=4) for line in out.splitlines()]
        assert {" ".join((name, kind, data)) for name, _, _, kind, data in found} == {
            answer.format(**words) for answer in answers}


def test_a_hostname_with_a_subdomain_is_the_pods_own_name_too(lab):
    assert lab.execute("db-a", "hostname", "-f") == "first.db.default.svc.cluster.local\n"
    assert lab.execute("db-b", "hostname", "-f") == "db-b\n"


def test_a_new_service_is_known_at_once_and_forgotten_with_it(lab):
    lab.command("apply", "-f", "-", text="{apiVersion: v1, kind: Service, metadata: {name: late}, "
                                        "spec: {selector: {app: web}, ports: [{port: 80}]}}")
    lab.until(lambda: "Pod: web\n" in lab.lab.run("default/tools", ["curl", "-s", "http://late/"])[1].decode(),
              "late answers", limit=3)
    lab.command("delete", "service", "late")
    lab.until(lambda: lab.lab.run("default/tools", ["getent", "hosts", "late"])[0] == 2, "late is gone", limit=3)


class Lookups:
    """Asks for a name again and again from a pod, each time by a new socket, twice at most as resolvers do."""

    QUESTION = b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"".join(
        bytes([len(label)]) + label for label in b"web.default.svc.cluster.local".split(b".")) + b"\0\0\1\0\1"

    def __init__(self, netns_name):
        self._netns, self._stop = netns_name, threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.first = self.second = 0
        self.failures = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _work(self):
        while not self._stop.wait(0.01):
            if self._ask():
                self.first += 1
            elif self._ask():
                self.second += 1
            else:
                self.failures.append(time.monotonic())

    def _ask(self):
        client = netns.visit(self._netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with client:
            client.settimeout(1)
            try:
                client.connect(("10.96.0.10", 53))
                client.send(self.QUESTION)
                return client.recv(512)[-4:] == bytes((10, 96, 0, 50))
            except OSError:
                return False


def dns_pods(lab):
    return lab.lab.api.get("/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns")["items"]


def two_serve(lab):
    parts = lab.lab.api.get("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices")["items"]
    return sum(end["conditions"]["ready"] for part in parts for end in part.get("endpoints") or ()) == 2


def test_names_resolve_while_a_dns_pod_is_deleted_and_replaced(lab):
    victim = dns_pods(lab)[0]["metadata"]["name"]
    with Lookups(lab.netns("pod tools")) as lookups:
        lab.until(lambda: lookups.first > 30, "lookups go on")
        lab.command("delete", "pod", victim, "-n", "kube-system")
        lab.until(lambda: two_serve(lab) and victim not in {p["metadata"]["name"] for p in dns_pods(lab)},
                  "another DNS pod takes its place")
        count = lookups.first
        lab.until(lambda: lookups.first > count + 30, "lookups go on")
    assert not lookups.failures
    assert lookups.second <= lookups.first // 20


def test_names_resolve_again_at_once_when_a_dns_server_is_killed(lab):
    pod = dns_pods(lab)[0]
    with Lookups(lab.netns("pod tools")) as lookups:
        lab.until(lambda: lookups.first > 30, "lookups go on")
        os.kill(server_of(lab, pod), signal.SIGKILL)
        killed = time.monotonic()

        def restarted():
            found = lab.lab.api.get(f"/api/v1/namespaces/kube-system/pods/{pod['metadata']['name']}")
            return found["status"]["containerStatuses"][0]["restartCount"] == 1 and two_serve(lab)

        lab.until(restarted, "the kubelet starts it again")
        count = lookups.first
        lab.until(lambda: lookups.first > count + 30, "lookups go on")
    # Nobody tells the rules beforehand: until they know, the dead server's port refuses.
    assert all(moment - killed < 0.5 for moment in lookups.failures), (killed, lookups.failures)
    assert lookups.second <= lookups.first // 10


def server_of(lab, pod):
    """The process that serves in the DNS pod."""
    network = os.stat(netns.path(f"{lab.name}.kube-system.{pod['metadata']['name']}")).st_ino
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{entry}/cmdline").read_bytes()
            if os.stat(f"/proc/{entry}/ns/net").st_ino == network and command.startswith(b"/coredns"):
                return int(entry)
        except OSError:
            continue
    raise AssertionError("no DNS server runs in the pod")
