"""Manifests for tests, as short as a sentence."""


def port(number=80, target=8080, *, name="", protocol="TCP", node_port=0):
    return {"port": number, "targetPort": target, "protocol": protocol} | ({"name": name} if name else {}) \
        | ({"nodePort": node_port} if node_port else {})


def service(name, ip, *ports, labels=None, ingress=(), **spec):
    spec = {"type": "ClusterIP", "clusterIP": ip, "ports": list(ports) or [port()]} | spec
    return {"metadata": {"name": name, "namespace": "default", "labels": labels or {}}, "spec": spec,
            "status": {"loadBalancer": {"ingress": list(ingress)}}}


def endpoint(ip, *, node="", zone="", hints=(), **conditions):
    found = {"addresses": [ip], "conditions": conditions} | ({"nodeName": node} if node else {})
    return found | ({"hints": {"forZones": [{"name": hint} for hint in hints]}} if hints else {})


def endpoint_slice(service_name, *endpoints, ports=None, suffix="x1", kind="IPv4"):
    ports = ports or [{"name": "", "port": 8080, "protocol": "TCP"}]
    return {"metadata": {"name": f"{service_name}-{suffix}", "namespace": "default",
                         "labels": {"kubernetes.io/service-name": service_name}},
            "addressType": kind, "ports": ports, "endpoints": list(endpoints)}
