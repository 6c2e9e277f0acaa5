"""What kube-proxy hands to iptables-restore for a Service, line for line, and what we put into the kernel for it.

The lines are in kube-proxy's own words and order of options; the program turns them into what a node shows. Order
counts within a chain of a Service, not between Services. @SVC, @SVL, @EXT and @FW are the port's chains, @SEP(x) an
endpoint's; `+ x` stands for both rules of that endpoint's chain, `* x` for those with affinity; `= NAME PROTOCOL` says
which port the lines after it are about.
"""

import os
import re
import subprocess

import pytest

from netlab.kernel.iptables import NodeTables
from netlab.netfilter import render
from netlab.proxy.iptables import compile as compile_rules
from netlab.proxy.names import chain_hash
from netlab.proxy.snapshot import NodeView, Snapshots
from tests.proxy.manifests import endpoint, endpoint_slice, port, service

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]
NAME = f"nltpar{os.getpid()}"
A, B, C = "10.244.1.10:8080", "10.244.1.2:8080", "10.244.2.11:8080"
ENDS = [endpoint("10.244.1.10", node="n1"), endpoint("10.244.2.11", node="n2")]
AT = "-m tcp -p tcp -d 10.96.45.9 --dport 80"
POD = "! -s 10.244.0.0/16"
HALF = "-m statistic --mode random --probability 0.5000000000"
EVERY_WAY = {"type": "LoadBalancer", "externalIPs": ["198.51.100.7"], "ingress": [{"ip": "192.0.2.10"}]}
CLUSTER = f"""nat
-A KUBE-SERVICES -m comment --comment "default/web cluster IP" {AT} -j @SVC
-A @SVC -m comment --comment "default/web cluster IP" {AT} {POD} -j KUBE-MARK-MASQ"""
TWO = f"""
-A @SVC -m comment --comment "default/web -> {A}" {HALF} -j @SEP({A})
-A @SVC -m comment --comment "default/web -> {C}" -j @SEP({C})
+ {A}
+ {C}"""
OUTSIDE = """
-A KUBE-SERVICES -m comment --comment "default/web external IP" -m tcp -p tcp -d 198.51.100.7 --dport 80 -j @EXT
-A KUBE-SERVICES -m comment --comment "default/web loadbalancer IP" -m tcp -p tcp -d 192.0.2.10 --dport 80 -j @EXT
-A KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp --dport 30080 -j @EXT"""
MASQUERADED = """
-A @EXT -m comment --comment "masquerade traffic for default/web external destinations" -j KUBE-MARK-MASQ"""
ROUTED = """
-A @EXT -m comment --comment "pod traffic for default/web external destinations" -s 10.244.0.0/16 -j @SVC
-A @EXT -m comment --comment "masquerade LOCAL traffic for default/web external destinations" -m addrtype \
--src-type LOCAL -j KUBE-MARK-MASQ
-A @EXT -m comment --comment "route LOCAL traffic for default/web external destinations" -m addrtype \
--src-type LOCAL -j @SVC"""
HEALTH = """
filter
-A KUBE-NODEPORTS -m comment --comment "default/web health check node port" -m tcp -p tcp --dport 30999 -j ACCEPT"""


def unserved(reason, target):
    note = f'-A KUBE-EXTERNAL-SERVICES -m comment --comment "default/web {reason}"'
    return f"""
{note} -m tcp -p tcp -d 198.51.100.7 --dport 80 -j {target}
{note} -m tcp -p tcp -d 192.0.2.10 --dport 80 -j {target}
{note} -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080 -j {target}"""


def web(*ports, **spec):
    return service("web", "10.96.45.9", *(ports or [port(node_port=30080)]), **spec)


LOCAL = {"externalTrafficPolicy": "Local", "healthCheckNodePort": 30999} | EVERY_WAY
ONE_LOCAL = f"""
-A @SVL -m comment --comment "default/web -> {A}" -j @SEP({A})"""
CASES = {
    "every way in": (web(**EVERY_WAY), ENDS, {}, CLUSTER + TWO + OUTSIDE + MASQUERADED + "\n-A @EXT -j @SVC"),
    "outside local, endpoint here": (
        web(**LOCAL), ENDS, {}, CLUSTER + TWO + OUTSIDE + ROUTED + "\n-A @EXT -j @SVL" + ONE_LOCAL + HEALTH),
    "outside local, endpoints elsewhere": (
        web(**LOCAL), ENDS, {"name": "n3"},
        CLUSTER + TWO + OUTSIDE + ROUTED + HEALTH + unserved("has no local endpoints", "DROP")),
    "outside local, no endpoints": (
        web(**LOCAL), [], {}, f"""nat{HEALTH}
-A KUBE-SERVICES -m comment --comment "default/web has no endpoints" {AT} -j REJECT"""
        + unserved("has no endpoints", "REJECT")),
    "outside local, pods not known": (
        web(**LOCAL), ENDS, {"cluster_cidr": ""},
        re.sub(r"\n-A @SVC .*KUBE-MARK-MASQ", "", CLUSTER) + TWO + OUTSIDE + re.sub(r"\n.*pod traffic.*", "", ROUTED)
        + "\n-A @EXT -j @SVL" + ONE_LOCAL + HEALTH),
    "inside local, outside not": (
        web(type="NodePort", internalTrafficPolicy="Local"), ENDS, {},
        (CLUSTER.replace("@SVC", "@SVL") + ONE_LOCAL + TWO + MASQUERADED + "\n-A @EXT -j @SVC"
         + OUTSIDE[OUTSIDE.rindex("\n"):])),
    "inside local, endpoints elsewhere, outside not": (
        web(type="NodePort", internalTrafficPolicy="Local"), ENDS, {"name": "n3"},
        "nat" + TWO + MASQUERADED + "\n-A @EXT -j @SVC" + OUTSIDE[OUTSIDE.rindex("\n"):] + f"""
filter
-A KUBE-SERVICES -m comment --comment "default/web has no local endpoints" {AT} -j DROP"""),
    "both local": (
        web(**LOCAL, internalTrafficPolicy="Local"), ENDS, {},
        CLUSTER.replace("@SVC", "@SVL") + ONE_LOCAL + TWO + OUTSIDE + ROUTED + "\n-A @EXT -j @SVL" + HEALTH),
    "both local, endpoints elsewhere": (
        web(**LOCAL, internalTrafficPolicy="Local"), ENDS, {"name": "n3"},
        "nat" + TWO + OUTSIDE + ROUTED + HEALTH + f"""
-A KUBE-SERVICES -m comment --comment "default/web has no local endpoints" {AT} -j DROP"""
        + unserved("has no local endpoints", "DROP")),
    "source ranges, the node in one": (
        web(type="LoadBalancer", ingress=[{"ip": "192.0.2.10"}, {"ip": "192.0.2.11"}],
            loadBalancerSourceRanges=["203.0.113.0/24", "172.18.0.0/16"]), ENDS, {},
        CLUSTER + TWO + """
-A KUBE-SERVICES -m comment --comment "default/web loadbalancer IP" -m tcp -p tcp -d 192.0.2.10 --dport 80 -j @FW
-A KUBE-SERVICES -m comment --comment "default/web loadbalancer IP" -m tcp -p tcp -d 192.0.2.11 --dport 80 -j @FW"""
        + OUTSIDE[OUTSIDE.rindex("\n"):] + MASQUERADED + """
-A @EXT -j @SVC
-A @FW -m comment --comment "default/web loadbalancer IP" -s 203.0.113.0/24 -j @EXT
-A @FW -m comment --comment "default/web loadbalancer IP" -s 172.18.0.0/16 -j @EXT
-A @FW -m comment --comment "default/web loadbalancer IP" -s 192.0.2.10 -j @EXT
-A @FW -m comment --comment "default/web loadbalancer IP" -s 192.0.2.11 -j @EXT
-A @FW -m comment --comment "other traffic to default/web will be dropped by KUBE-PROXY-FIREWALL"
filter
-A KUBE-PROXY-FIREWALL -m comment --comment "default/web traffic not accepted by @FW" -m tcp -p tcp \
-d 192.0.2.10 --dport 80 -j DROP
-A KUBE-PROXY-FIREWALL -m comment --comment "default/web traffic not accepted by @FW" -m tcp -p tcp \
-d 192.0.2.11 --dport 80 -j DROP"""),
    "all that are ready are ending": (
        web(), [endpoint("10.244.1.10", ready=False, serving=True, terminating=True),
                endpoint("10.244.1.2", ready=False, serving=False, terminating=True)], {},
        CLUSTER + f"""
-A @SVC -m comment --comment "default/web -> {A}" -j @SEP({A})
+ {A}"""),
    "one is ready, others end or are not": (
        web(), [endpoint("10.244.1.10", ready=False, serving=True, terminating=True), endpoint("10.244.1.2"),
                endpoint("10.244.2.11", ready=False)], {},
        CLUSTER + f"""
-A @SVC -m comment --comment "default/web -> {B}" -j @SEP({B})
+ {B}"""),
    "outside local, the one here is ending": (
        web(**LOCAL), [endpoint("10.244.1.10", node="n1", ready=False, serving=True, terminating=True), ENDS[1]], {},
        CLUSTER + f"""
-A @SVC -m comment --comment "default/web -> {C}" -j @SEP({C})
+ {C}
+ {A}""" + OUTSIDE + ROUTED + "\n-A @EXT -j @SVL" + ONE_LOCAL + HEALTH),
    "affinity": (
        web(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 600}}), ENDS, {},
        CLUSTER + f"""
-A @SVC -m comment --comment "default/web -> {A}" -m recent --name @SEP({A}) --rcheck --seconds 600 --reap -j @SEP({A})
-A @SVC -m comment --comment "default/web -> {C}" -m recent --name @SEP({C}) --rcheck --seconds 600 --reap -j @SEP({C})
-A @SVC -m comment --comment "default/web -> {A}" {HALF} -j @SEP({A})
-A @SVC -m comment --comment "default/web -> {C}" -j @SEP({C})
* {A}
* {C}"""),
    "two ports with names, one UDP": (
        web(port(80, 8080, name="http"), port(53, 8053, name="dns", protocol="UDP")), None, {}, f"""nat
= default/web:http tcp
-A KUBE-SERVICES -m comment --comment "default/web:http cluster IP" {AT} -j @SVC
-A @SVC -m comment --comment "default/web:http cluster IP" {AT} {POD} -j KUBE-MARK-MASQ
-A @SVC -m comment --comment "default/web:http -> {A}" {HALF} -j @SEP({A})
-A @SVC -m comment --comment "default/web:http -> {C}" -j @SEP({C})
+ {A}
+ {C}
= default/web:dns udp
-A KUBE-SERVICES -m comment --comment "default/web:dns cluster IP" -m udp -p udp -d 10.96.45.9 --dport 53 -j @SVC
-A @SVC -m comment --comment "default/web:dns cluster IP" -m udp -p udp -d 10.96.45.9 --dport 53 {POD} \
-j KUBE-MARK-MASQ
-A @SVC -m comment --comment "default/web:dns -> 10.244.1.10:8053" {HALF} -j @SEP(10.244.1.10:8053)
-A @SVC -m comment --comment "default/web:dns -> 10.244.2.11:8053" -j @SEP(10.244.2.11:8053)
+ 10.244.1.10:8053
+ 10.244.2.11:8053"""),
    "all is masqueraded": (
        web(), ENDS[:1], {"masquerade_all": True},
        CLUSTER.replace(f" {POD}", "") + f"""
-A @SVC -m comment --comment "default/web -> {A}" -j @SEP({A})
+ {A}"""),
}


def expected(text, name="default/web", protocol="tcp"):
    """The lines as iptables-restore takes them."""
    key = name + protocol
    for line in text.splitlines():
        kind, _, end = line.partition(" ")
        if kind == "=":
            name, protocol = end.split()
            key = name + protocol
        elif kind in "+*":
            remember = f"-m recent --name @SEP({end}) --set " if kind == "*" else ""
            lines = [f"-A @SEP({end}) -m comment --comment {name} -s {end.partition(':')[0]} -j KUBE-MARK-MASQ",
                     f"-A @SEP({end}) -m comment --comment {name} {remember}-m {protocol} -p {protocol} -j DNAT "
                     f"--to-destination {end}"]
        else:
            lines = [line]
        yield from (with_names(one, key) for one in lines if kind != "=")


def with_names(line, key):
    """The line with the names of the port's chains in it."""
    line = re.sub(r"@SEP\(([^)]*)\)", lambda found: "KUBE-SEP-" + chain_hash(key + found[1]), line)
    return re.sub("@(SVC|SVL|EXT|FW)", lambda found: f"KUBE-{found[1]}-{chain_hash(key)}", line)


def by_chain(text):
    """The lines of each chain of each table in the order of the text; those of several Services sorted."""
    found, table = {}, ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        if line.startswith(":"):
            found[table, line[1:].split()[0]] = []
        if line.startswith("-A"):
            found.setdefault((table, line.split()[1]), []).append(line)
    return {key: lines if re.match("KUBE-(SVC|SVL|EXT|FW|SEP)-", key[1]) else sorted(lines)
            for key, lines in found.items()}


@pytest.fixture(scope="module")
def tables():
    subprocess.run(["ip", "netns", "add", NAME], check=True)
    try:
        yield NodeTables(NAME)
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=True)


def restore_input(base, lines):
    """The base rules with these lines in front of the rule that must be the last one."""
    extra, table = {"nat": [], "filter": []}, ""
    for line in lines:
        if line in extra:
            table = line
        else:
            extra[table].append(line)
    out = []
    for part in base.split("COMMIT\n")[:-1]:
        head, *body = part.splitlines()
        mine = extra.get(head[1:], [])
        chains = dict.fromkeys(line.split()[1] for line in mine)
        there = {line[1:].split()[0] for line in body if line.startswith(":")}
        out += [head, *(f":{name} - [0:0]" for name in chains if name not in there),
                *(line for line in body if line.startswith(":")), *mine,
                *(line for line in body if not line.startswith(":")), "COMMIT"]
    return "\n".join(out) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_holds_what_kube_proxy_would_have_restored(tables, name):
    manifest, ends, view, text = CASES[name]
    node = NodeView(**{"name": "n1", "addresses": ("172.18.0.2",), "cluster_cidr": "10.244.0.0/16"} | view)
    base = render(compile_rules((), node))
    theirs = restore_input(base, expected(text))
    subprocess.run(["ip", "netns", "exec", NAME, "iptables-legacy-restore"], input=theirs, text=True, check=True)
    right = by_chain(tables.save())
    ports = None if ends is not None else [{"name": "http", "port": 8080, "protocol": "TCP"},
                                           {"name": "dns", "port": 8053, "protocol": "UDP"}]
    slices = [] if ends == [] else [endpoint_slice("web", *(ends or ENDS), ports=ports)]
    ours = compile_rules(Snapshots().take([manifest], slices), node)
    assert by_chain(render(ours)) == right
    tables.replace(ours)
    assert by_chain(tables.save()) == right
    assert tables.save() == render(ours)
