"""Names as resolvers of every kind find them from a pod: glibc's, Python's, and one that works as musl's does."""

import json

import pytest

pytestmark = pytest.mark.lab
LAB = "dnsclients"

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: c, image: netlab/echo, ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, clusterIP: 10.96.0.50, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: web.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: many}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: many-1, labels: {kubernetes.io/service-name: many}}
addressType: IPv4
ports: [{name: http, port: 80, protocol: TCP}]
endpoints: [ENDPOINTS]
---
apiVersion: v1
kind: Pod
metadata: {name: tools}
spec: {containers: [{name: c, image: nicolaka/netshoot, command: [sleep, infinity]}]}
""".replace("ENDPOINTS", ", ".join(f"{{addresses: [192.0.2.{n}]}}" for n in range(1, 61)))

# A and AAAA leave one socket together, to every server, again after half of five seconds; answers are told apart by
# their ID; the next entry of the search list follows when both say that there is no such name (musl 1.2 res_msend.c).
MUSL_LIKE = r"""
import json, select, socket, struct, sys, time
conf = [line.split() for line in open("/etc/resolv.conf")]
servers = [words[1] for words in conf if words[0] == "nameserver"]
search = next((words[1:] for words in conf if words[0] == "search"), [])
ndots = max([int(word[6:]) for words in conf if words[0] == "options" for word in words if word[:6] == "ndots:"] + [1])

def ask(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    queries = {n: struct.pack("!HHHHHH", n, 0x100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)
               for n, kind in ((1, 1), (2, 28))}
    answers, end, again = {}, time.monotonic() + 5, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        while len(answers) < 2 and (now := time.monotonic()) < end:
            if now >= again:
                again = now + 2.5
                for n, query in queries.items():
                    for server in servers:
                        n in answers or udp.sendto(query, (server, 53))
            if select.select([udp], [], [], max(0, min(again, end) - now))[0]:
                data, peer = udp.recvfrom(4800)
                ident, flags = struct.unpack_from("!HH", data)
                if peer[0] in servers and ident in queries and flags & 15 in (0, 3):
                    answers.setdefault(ident, data)
    for ident, data in answers.items():
        if data[2] & 2:  # truncated: the same question by TCP
            with socket.create_connection((servers[0], 53), 5) as tcp, tcp.makefile("rb") as stream:
                tcp.sendall(struct.pack("!H", len(queries[ident])) + queries[ident])
                answers[ident] = stream.read(int.from_bytes(stream.read(2), "big"))
    return answers

def addresses(data):
    def skip(at):
        while data[at]:
            if data[at] >= 192:
                return at + 2
            at += 1 + data[at]
        return at + 1
    at, found = skip(12) + 4, []
    for _ in range(int.from_bytes(data[6:8], "big")):
        at = skip(at)
        kind, _, _, size = struct.unpack_from("!HHIH", data, at)
        if kind in (1, 28):
            family = socket.AF_INET if kind == 1 else socket.AF_INET6
            found.append(socket.inet_ntop(family, data[at + 10:at + 10 + size]))
        at += 10 + size
    return found

def resolve(name):
    whole = [name.rstrip(".")]
    listed = [f"{name}.{domain}" for domain in search]
    for candidate in whole if name.endswith(".") else whole + listed if name.count(".") >= ndots else listed + whole:
        answers = ask(candidate)
        if len(answers) < 2:
            return "try again"
        if not all(data[3] & 15 == 3 for data in answers.values()):
            return sorted(address for data in answers.values() for address in addresses(data)) or "no data"
    return "no such name"

print(json.dumps([resolve(name) for name in sys.argv[1:]]))
"""
GLIBC = r"""
import json, socket, sys
def resolve(name):
    try:
        return sorted({row[4][0] for row in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)})
    except socket.gaierror as error:
        texts = {socket.EAI_NONAME: "no such name", socket.EAI_NODATA: "no data", socket.EAI_AGAIN: "try again"}
        return texts[error.errno]
print(json.dumps([resolve(name) for name in sys.argv[1:]]))
"""
MANY = sorted(f"192.0.2.{n}" for n in range(1, 61))
WEB = ["10.96.0.50"]
NAMES = {
    "web": WEB, "web.default": WEB, "web.default.svc": WEB, "web.default.svc.cluster.local": WEB,
    "web.default.svc.cluster.local.": WEB, "WEB.Default": WEB, "alias": WEB, "_http._tcp.web": WEB,
    "many": MANY,  # more than fits into a datagram of 512 bytes
    "192-0-2-7.many": ["192.0.2.7"], "10-1-2-3.default.pod.cluster.local": ["10.1.2.3"],
    "nobody.default.svc.cluster.local.": "no such name", "web.kube-system.svc.cluster.local.": "no such name",
    "default.svc.cluster.local.": "no data",
}


@pytest.mark.parametrize("program", [MUSL_LIKE, GLIBC], ids=["as musl", "as glibc"])
def test_every_name_is_found_by(lab, program):
    out = lab.execute("default/tools", "python3", "-c", program, *NAMES)
    found = dict(zip(NAMES, json.loads(out), strict=True))
    if program is GLIBC:
        found["default.svc.cluster.local."] = found["default.svc.cluster.local."].replace("no such name", "no data")
    assert found == NAMES


def test_many_clients_at_once_are_all_answered(lab):
    program = MUSL_LIKE.replace("print(json", "import concurrent.futures as c\nprint(json").replace(
        "[resolve(name) for name in sys.argv[1:]]", "list(c.ThreadPoolExecutor(20).map(resolve, sys.argv[1:] * 100))")
    out = lab.execute("default/tools", "python3", "-c", program, "web", "web.default.svc.cluster.local.", "alias")
    assert json.loads(out) == [WEB] * 300


def test_a_query_of_another_case_and_with_every_edns_option_is_answered(lab):
    out = lab.execute("default/tools", "dig", "+search", "+nsid", "+expire", "+keepalive", "+padding=64", "+dnssec",
                  "+bufsize=1400", "wEb")
    assert "status: NOERROR" in out
    assert "wEb.default.svc.cluster.local. 30 IN A 10.96.0.50" in " ".join(out.split())
    assert "flags: do; udp: 1400" in out
