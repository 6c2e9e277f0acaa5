"""Services whose rules golden/MODE/NAME.txt holds as the kernel lists them: for node n1, or n3 if the name says so."""

from tests.proxy.manifests import endpoint, endpoint_slice, port, service

THREE = (endpoint("10.244.1.10", node="n1"), endpoint("10.244.1.2", node="n1"), endpoint("10.244.2.11", node="n2"))
TWO = (THREE[0], THREE[2])
NAMED = [{"name": "http", "port": 8080, "protocol": "TCP"}]
BALANCED = service("etp", "10.96.45.13", port(name="http", node_port=30083), type="LoadBalancer",
                   externalTrafficPolicy="Local", healthCheckNodePort=30993, ingress=[{"ip": "192.0.2.10"}])
LOCAL = service("itp", "10.96.45.17", internalTrafficPolicy="Local")

WORKED = {
    "nothing": ([], []),
    "clusterip-3": ([service("web", "10.96.45.10")], [endpoint_slice("web", *THREE)]),
    "clusterip-1": ([service("web", "10.96.45.10")], [endpoint_slice("web", THREE[0])]),
    "nodeport-0": ([service("empty", "10.96.45.11", port(node_port=30081), type="NodePort")], []),
    "nodeport-2": ([service("np", "10.96.45.12", port(node_port=30082), type="NodePort")],
                   [endpoint_slice("np", *TWO)]),
    "loadbalancer-local": ([BALANCED], [endpoint_slice("etp", *TWO, ports=NAMED)]),
    "loadbalancer-local-n3": ([BALANCED], [endpoint_slice("etp", *TWO, ports=NAMED)]),
    "source-ranges": (
        [service("fw", "10.96.45.14", port(node_port=30084), type="LoadBalancer", ingress=[{"ip": "192.0.2.11"}],
                 loadBalancerSourceRanges=["203.0.113.0/24"])], [endpoint_slice("fw", THREE[0])]),
    "external-ip": ([service("ext", "10.96.45.15", externalIPs=["198.51.100.7"])], [endpoint_slice("ext", THREE[0])]),
    "affinity": ([service("aff", "10.96.45.16", sessionAffinity="ClientIP")], [endpoint_slice("aff", *TWO)]),
    "internal-local": ([LOCAL], [endpoint_slice("itp", *TWO)]),
    "internal-local-n3": ([LOCAL], [endpoint_slice("itp", *TWO)]),
}
