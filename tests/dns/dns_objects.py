"""Short ways to write the objects that a case needs, and views of them."""


from netlab.dns.answer import Answer, answer
from netlab.dns.chain import link
from netlab.dns.configuration import Configuration, Server
from netlab.dns.names import Name, Zones, zones_of
from netlab.dns.plugins.kubernetes import Kubernetes
from netlab.dns.plugins.loadbalance import LoadBalance
from netlab.dns.view import RESOURCES, DnsView, parse
from netlab.dns.wire import parse as parse_message
from netlab.dns.wire import response

SERIAL = 1700000000
ZONES = Zones(reverse=(*zones_of("10.96.0.0/12"), *zones_of("10.244.0.0/16")),
              local=("10.244.1.53",))
SOA = f"cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. {SERIAL} 7200 1800 86400 30"


def namespace(name):
    return "namespaces", {"metadata": {"name": name}}


def service(name, *ips, ports=("http:80/TCP",), in_="default", **spec):
    """`service("web", "10.96.0.5")`; headless with ip "None"; ports as name:number/protocol."""
    spec = {"type": "ClusterIP", "clusterIP": ips[0] if ips else "", "clusterIPs": list(ips),
            "ports": [_port(text) for text in ports], **spec}
    return "services", {"metadata": {"name": name, "namespace": in_}, "spec": spec}


def external(name, target, in_="default"):
    return "services", {"metadata": {"name": name, "namespace": in_},
                        "spec": {"type": "ExternalName", "externalName": target}}


def endpoints(service_name, *addresses, ports=("http:8080/TCP",), in_="default", suffix="abcde"):
    """A slice; an address may be `10.244.1.5`, `db-0=10.244.1.5` (with a hostname), `!10.244.1.5` (not ready)."""
    made = []
    for text in addresses:
        hostname, _, address = text.removeprefix("!").rpartition("=")
        made.append({"addresses": [address], "conditions": {"ready": not text.startswith("!")}}
                    | ({"hostname": hostname} if hostname else {}))
    return "endpointslices", {
        "metadata": {"name": f"{service_name}-{suffix}", "namespace": in_,
                     "labels": {"kubernetes.io/service-name": service_name}},
        "addressType": "IPv4", "endpoints": made or None, "ports": [_port(text) for text in ports]}


def _port(text):
    name, _, rest = text.rpartition(":")
    number, _, protocol = rest.partition("/")
    return {"name": name, "port": int(number), "protocol": protocol}


def view_of(*objects, synced=True):
    """The view of these objects and of the Namespace `default`."""
    view = DnsView(serial=SERIAL)
    objects = (namespace("default"), *objects)
    for resource in RESOURCES if synced else ():
        listed = [parse(kind, manifest) for kind, manifest in objects if kind == resource]
        view = view.with_list(resource, listed, now=SERIAL)
    return view


def name(text):
    return Name.of(text)


def reply(data, view, zones=ZONES, *, tcp=False):
    """The response of a server that only knows the zones, and turns addresses."""
    query = parse_message(data)
    if query is None:
        return None
    result = Answer(query.refusal, authoritative=False)
    if query.question and not query.refusal:
        result = answer(query.question, view, zones) or Answer("SERVFAIL", authoritative=False)
    return response(query, result._replace(shuffled=True), tcp=tcp)


def zones_only(zones=ZONES):
    """The configuration of a server that only knows the zones, and turns addresses."""
    plugins = (LoadBalance(), Kubernetes((zones,)))
    return Configuration((Server(Name(), 53, plugins, link(plugins)),))
