"""The packet-flow table: who connects to what, and what comes of it. The tracer and the kernel must both agree.

    n1 172.18.0.2: pods 10.244.1.2 and 10.244.1.10 (backends), 10.244.1.5
    n2 172.18.0.3: pods 10.244.2.11 (backend), 10.244.2.5
    client 172.18.0.4 and 203.0.113.9, outside of the cluster; "via n1": through that node
"""

from netlab.proxy.snapshot import NodeView
from tests.proxy.manifests import endpoint, endpoint_slice, port, service

NODES = {"n1": "172.18.0.2", "n2": "172.18.0.3"}
CLIENT = ("172.18.0.4", "203.0.113.9")
PODS = {"10.244.1.2": "n1", "10.244.1.5": "n1", "10.244.1.10": "n1", "10.244.2.5": "n2", "10.244.2.11": "n2"}
BACKENDS = ("10.244.1.2", "10.244.1.10", "10.244.2.11")
CLUSTER_CIDR = "10.244.0.0/16"
TCP_PORT, UDP_PORT = 8080, 53

SERVICE_CIDR = "10.96.0.0/12"

REJECT, DROP, UNMATCHED = "reject", "drop", "no rule matches"
CLOSED = "accepted by kube-proxy, which has no backend and closes it"
ITSELF = "no rule matches, and it is the node's own address, where nobody listens"
A, B, C = "10.244.1.10", "10.244.1.2", "10.244.2.11"
DNS_PORTS = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 8080, "protocol": "TCP"}]


def at(ip, **conditions):
    return endpoint(ip, node=PODS[ip], **conditions)


SERVICES = [
    service("web", "10.96.45.10"),
    service("empty", "10.96.45.11", port(node_port=30081), port(53, 53, name="u", protocol="UDP"), type="NodePort"),
    service("np", "10.96.45.12", port(node_port=30082), type="NodePort"),
    service("etp", "10.96.45.13", port(node_port=30083), type="LoadBalancer", externalTrafficPolicy="Local",
            ingress=[{"ip": "192.0.2.10"}]),
    service("fw", "10.96.45.14", port(node_port=30084), type="LoadBalancer",
            loadBalancerSourceRanges=["203.0.113.0/24"], ingress=[{"ip": "192.0.2.11", "ipMode": "VIP"}]),
    service("ext", "10.96.45.15", externalIPs=["198.51.100.7"]),
    service("itp", "10.96.45.17", internalTrafficPolicy="Local"),
    service("ending", "10.96.45.18"),
    service("unready", "10.96.45.19"),
    service("foreign", "10.96.45.20", labels={"service.kubernetes.io/service-proxy-name": "other"}),
    service("headless", "None"),
    service("elsewhere", "", type="ExternalName", externalName="example.com"),
    service("dns", "10.96.0.10", port(53, 53, name="dns", protocol="UDP"), port(53, 8080, name="dns-tcp")),
    service("fw-empty", "10.96.45.22", type="LoadBalancer", loadBalancerSourceRanges=["203.0.113.0/24"],
            ingress=[{"ip": "192.0.2.12"}]),
    service("udp-np", "10.96.45.21", port(53, 53, protocol="UDP", node_port=30053), type="NodePort"),
]
SLICES = [
    endpoint_slice("web", at(A), at(B), at(C)),
    endpoint_slice("np", at(A), at(C)),
    endpoint_slice("etp", at(A), at(B)),
    endpoint_slice("fw", at(A)),
    endpoint_slice("ext", at(A)),
    endpoint_slice("itp", at(A)),
    endpoint_slice("ending", at(B, ready=False, serving=True, terminating=True), at(A, ready=False, serving=False)),
    endpoint_slice("unready", at(A, ready=False, serving=False)),
    endpoint_slice("foreign", at(A)),
    endpoint_slice("headless", at(A)),
    endpoint_slice("dns", at(A), at(C), ports=DNS_PORTS),
    endpoint_slice("udp-np", at(C), ports=[{"name": "", "port": 53, "protocol": "UDP"}]),
]

# who, address, port, protocol, the backends that may answer (or what else happens), masqueraded?
FLOWS = [
    # ClusterIP
    ("pod 10.244.1.5", "10.96.45.10", 80, "TCP", {A, B, C}, False),
    ("pod 10.244.2.5", "10.96.45.10", 80, "TCP", {A, B, C}, False),
    ("node n1", "10.96.45.10", 80, "TCP", {A, B, C}, True),
    ("client via n1", "10.96.45.10", 80, "TCP", {A, B, C}, True),
    ("pod 10.244.1.10", "10.96.45.15", 80, "TCP", {A}, True),  # itself, through its Service: hairpin
    ("pod 10.244.1.5", "10.96.45.10", 81, "TCP", UNMATCHED, False),  # another port
    ("pod 10.244.1.5", "10.96.45.10", 80, "UDP", UNMATCHED, False),  # another protocol
    # several ports, UDP
    ("pod 10.244.1.5", "10.96.0.10", 53, "UDP", {A, C}, False),
    ("pod 10.244.1.5", "10.96.0.10", 53, "TCP", {A, C}, False),
    ("node n2", "10.96.0.10", 53, "UDP", {A, C}, True),
    # without endpoints
    ("pod 10.244.1.5", "10.96.45.11", 80, "TCP", REJECT, False),
    ("node n1", "10.96.45.11", 80, "TCP", REJECT, False),
    ("pod 10.244.1.5", "10.96.45.11", 53, "UDP", REJECT, False),
    ("client via n1", "172.18.0.2", 30081, "TCP", REJECT, False),
    ("pod 10.244.1.5", "172.18.0.2", 30081, "TCP", REJECT, False),
    ("pod 10.244.1.5", "10.96.45.19", 80, "TCP", REJECT, False),  # not ready
    ("pod 10.244.1.5", "10.96.45.18", 80, "TCP", {B}, False),  # the last one is being deleted
    # NodePort
    ("client via n1", "172.18.0.2", 30082, "TCP", {A, C}, True),
    ("client via n2", "172.18.0.3", 30082, "TCP", {A, C}, True),
    ("pod 10.244.1.5", "172.18.0.2", 30082, "TCP", {A, C}, True),
    ("pod 10.244.1.5", "172.18.0.3", 30082, "TCP", {A, C}, True),
    ("node n1", "172.18.0.2", 30082, "TCP", {A, C}, True),
    ("node n1", "127.0.0.1", 30082, "TCP", {A, C}, True),
    ("client via n1", "172.18.0.2", 30053, "UDP", {C}, True),
    ("pod 10.244.2.5", "10.96.45.12", 80, "TCP", {A, C}, False),
    # externalTrafficPolicy Local: endpoints on n1 only
    ("client via n1", "192.0.2.10", 80, "TCP", {A, B}, False),
    ("client via n2", "192.0.2.10", 80, "TCP", DROP, False),
    ("client via n1", "172.18.0.2", 30083, "TCP", {A, B}, False),
    ("client via n2", "172.18.0.3", 30083, "TCP", DROP, False),
    ("pod 10.244.2.5", "192.0.2.10", 80, "TCP", {A, B}, False),  # pods are short-circuited, source kept
    ("node n2", "192.0.2.10", 80, "TCP", {A, B}, True),
    ("node n2", "127.0.0.1", 30083, "TCP", {A, B}, True),
    ("pod 10.244.2.5", "10.96.45.13", 80, "TCP", {A, B}, False),
    # load-balancer source ranges
    ("client 203.0.113.9 via n1", "192.0.2.11", 80, "TCP", {A}, True),
    ("client via n1", "192.0.2.11", 80, "TCP", DROP, False),
    ("client via n1", "172.18.0.2", 30084, "TCP", {A}, True),  # node ports are not guarded
    ("pod 10.244.1.5", "10.96.45.14", 80, "TCP", {A}, False),
    ("client 203.0.113.9 via n1", "192.0.2.12", 80, "TCP", REJECT, False),  # allowed, but there is no endpoint
    ("client via n1", "192.0.2.12", 80, "TCP", REJECT, False),
    # external IPs
    ("client via n2", "198.51.100.7", 80, "TCP", {A}, True),
    ("pod 10.244.2.5", "198.51.100.7", 80, "TCP", {A}, True),
    ("node n1", "198.51.100.7", 80, "TCP", {A}, True),
    # internalTrafficPolicy Local
    ("pod 10.244.1.5", "10.96.45.17", 80, "TCP", {A}, False),
    ("pod 10.244.2.5", "10.96.45.17", 80, "TCP", DROP, False),
    ("node n1", "10.96.45.17", 80, "TCP", {A}, True),
    ("node n2", "10.96.45.17", 80, "TCP", DROP, False),
    # nobody's business
    ("pod 10.244.1.5", "10.96.45.99", 80, "TCP", UNMATCHED, False),  # an address that no Service has
    ("node n1", "172.18.0.2", 30999, "TCP", ITSELF, False),  # a port that no Service has
    ("pod 10.244.1.5", "10.96.45.20", 80, "TCP", UNMATCHED, False),
    ("pod 10.244.1.5", "10.244.2.11", 8080, "TCP", {C}, False),  # no Service at all
]

# Rows for which a mode has another result, or (another result, masqueraded?).
OTHERWISE = {
    "nftables": {
        # cluster IPs refuse ports that no Service has, and the rest of the Service range is dropped
        ("pod 10.244.1.5", "10.96.45.10", 81, "TCP"): REJECT,
        ("pod 10.244.1.5", "10.96.45.10", 80, "UDP"): REJECT,
        ("pod 10.244.1.5", "10.96.45.20", 80, "TCP"): DROP,
        ("pod 10.244.1.5", "10.96.45.99", 80, "TCP"): DROP,
        # 127.0.0.1 has no node ports
        ("node n1", "127.0.0.1", 30082, "TCP"): ITSELF,
        ("node n2", "127.0.0.1", 30083, "TCP"): ITSELF,
        # source ranges hold without endpoints too
        ("client via n1", "192.0.2.12", 80, "TCP"): DROP,
    },
    "ipvs": {
        # the node has the address itself: other ports are refused
        ("pod 10.244.1.5", "10.96.45.10", 81, "TCP"): REJECT,
        ("pod 10.244.1.5", "10.96.45.10", 80, "UDP"): REJECT,
        # 127.0.0.1 has no node ports
        ("node n1", "127.0.0.1", 30082, "TCP"): ITSELF,
        ("node n2", "127.0.0.1", 30083, "TCP"): ITSELF,
        # without local backends all are used
        ("client via n2", "192.0.2.10", 80, "TCP"): {A, B},
        ("client via n2", "172.18.0.3", 30083, "TCP"): {A, B},
        ("node n2", "192.0.2.10", 80, "TCP"): ({A, B}, False),
        # a Service that may use local backends only is one without backends
        ("pod 10.244.2.5", "10.96.45.17", 80, "TCP"): REJECT,
        ("node n2", "10.96.45.17", 80, "TCP"): REJECT,
        # source ranges hold without endpoints too
        ("client via n1", "192.0.2.12", 80, "TCP"): DROP,
    },
    "userspace": {
        # the proxy accepts, then finds nobody; it knows no endpoints that end, no policies, no source ranges
        ("pod 10.244.1.5", "10.96.45.11", 80, "TCP"): CLOSED,
        ("node n1", "10.96.45.11", 80, "TCP"): CLOSED,
        ("pod 10.244.1.5", "10.96.45.11", 53, "UDP"): DROP,
        ("client via n1", "172.18.0.2", 30081, "TCP"): CLOSED,
        ("pod 10.244.1.5", "172.18.0.2", 30081, "TCP"): CLOSED,
        ("pod 10.244.1.5", "10.96.45.19", 80, "TCP"): CLOSED,
        ("pod 10.244.1.5", "10.96.45.18", 80, "TCP"): CLOSED,
        ("client via n2", "192.0.2.10", 80, "TCP"): {A, B},
        ("client via n2", "172.18.0.3", 30083, "TCP"): {A, B},
        ("client via n1", "192.0.2.11", 80, "TCP"): {A},
        ("client 203.0.113.9 via n1", "192.0.2.12", 80, "TCP"): CLOSED,
        ("client via n1", "192.0.2.12", 80, "TCP"): CLOSED,
        ("pod 10.244.2.5", "10.96.45.17", 80, "TCP"): {A},
        ("node n2", "10.96.45.17", 80, "TCP"): {A},
        # what a node itself sends to an external IP goes there, unless it has the address
        ("node n1", "198.51.100.7", 80, "TCP"): UNMATCHED,
    },
}

# Rows of which only the first packet gets through: the answer comes from the wrong node, or goes to it.
LOST = {"ipvs": {("client via n2", "192.0.2.10", 80, "TCP"), ("client via n2", "172.18.0.3", 30083, "TCP"),
                 ("node n2", "192.0.2.10", 80, "TCP")}}


def view(node):
    """The node as the modes see it."""
    return NodeView(node, (NODES[node],), "", CLUSTER_CIDR, service_cidrs=(SERVICE_CIDR,))


def expected_in(mode, row):
    """What comes of the row in that mode, and whether it is masqueraded."""
    other = OTHERWISE.get(mode, {}).get(row[:4], row[4])
    if isinstance(other, tuple):
        return other
    through_proxy = mode == "userspace" and isinstance(other, set) and row[1] not in PODS
    return other, through_proxy or (row[5] and isinstance(other, set))


def first_node(who, address):
    """The node whose rules see the first packet."""
    if who.startswith("pod"):
        return PODS[who.split()[1]]
    return who.rpartition(" ")[2]


def source(who, address):
    """The address that the sender has before any rule."""
    kind, *words = who.split()
    if kind == "pod":
        return words[0]
    if kind == "node":
        return "127.0.0.1" if address.startswith("127.") else NODES[words[0]]
    return words[0] if words[0] in CLIENT else CLIENT[0]


def name(row):
    who, address, number, protocol, *_ = row
    return f"{who} to {address}:{number}/{protocol}"
