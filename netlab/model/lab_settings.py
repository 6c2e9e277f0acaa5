"""A lab file's `spec` read into a LabSpec: every mistake is found, each with its field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from netlab.model import names
from netlab.model.errors import FieldError, LabError, duplicate, invalid, not_supported, required, unknown_field
from netlab.model.feature_gates import read_feature_gates
from netlab.model.images import read_images
from netlab.model.internet import RESOLVER, ROUTER, Internet
from netlab.model.lab_balancing import read_balancing
from netlab.model.lab_internet import InternetReader
from netlab.model.lab_ranges import FIELDS, RangeReader, read_families
from netlab.model.lab_spec import CLIENT, DEFAULT_NODES, FABRIC, LOAD_BALANCER, Balancing, LabSpec
from netlab.model.proxy_settings import MODES, read_proxy_settings
from netlab.model.ranges import DEFAULTS, Address, Network, Ranges


class SpecError(LabError):
    """A lab's settings are wrong: `errors` has every cause, the message one line for each."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


def parse(spec: Mapping[str, Any] | None, *, name: str) -> LabSpec:
    """The value of a lab file's `spec`; what it does not say gets a default. SpecError with every mistake found."""
    reader = _Reader(spec)
    reader.label("metadata.name", name, "a lab's name")
    nodes, families = reader.nodes(), reader.ip_families()
    ranges = reader.ranges(families, len(nodes))
    value = LabSpec(
        name=name, nodes=nodes, node_cidr=ranges[0].node, pod_cidr=ranges[0].pod, service_cidr=ranges[0].service,
        secondary=ranges[1] if len(ranges) > 1 else None, dns_ip=reader.dns_ip(families[0]),
        node_ports=reader.node_ports(), cluster_domain=reader.domain(), proxy_mode=reader.proxy_mode(),
        kube_proxy=reader.kube_proxy(), images=reader.images(), node_labels=reader.node_labels(nodes),
        load_balancer=reader.load_balancer(nodes, ranges), internet=reader.internet(nodes, ranges),
        feature_gates=reader.feature_gates())
    if reader.errors:
        raise SpecError(reader.errors)
    return value


_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_RULE = ("must be a DNS label: at most 63 lower-case letters, digits and '-', "
               "with a letter or digit at both ends")
_KEYS = ("nodes", *FIELDS, "dnsIP", "nodePortRange", "clusterDomain", "proxyMode", "kubeProxy", "ipFamilies", "images",
         "loadBalancer", "internet", "featureGates")
_MAX_NODES = 200
_RESERVED = (CLIENT, FABRIC, LOAD_BALANCER, ROUTER, RESOLVER)


class _Reader:
    """Reads field by field; a wrong one is noted and replaced by its default, so that all mistakes are found."""

    def __init__(self, spec: Any) -> None:
        self.errors: list[FieldError] = []
        self._given: Mapping[str, Any] = {}
        self._services: Network | None = None
        if isinstance(spec, Mapping):
            self._given = spec
        elif spec is not None:
            self._wrong("spec", spec, "must be an object")
        for key in self._given:
            if key not in _KEYS:
                self.errors.append(unknown_field("spec", key, _KEYS))

    def _wrong(self, path: str, value: Any, detail: str) -> None:
        self.errors.append(invalid(path, _plain(value), detail))

    def _text(self, key: str) -> str | None:
        """The text under the key; None when it is absent, or no text (which is noted)."""
        value = self._given.get(key)
        if value is None or isinstance(value, str):
            return value
        self._wrong(f"spec.{key}", value, "must be a string")
        return None

    def label(self, path: str, value: Any, what: str) -> bool:
        if isinstance(value, str) and _LABEL.fullmatch(value):
            return True
        self._wrong(path, value, f"{what} {_LABEL_RULE}")
        return False

    def nodes(self) -> tuple[str, ...]:
        value = self._given.get("nodes")
        if value is None:
            return DEFAULT_NODES
        if isinstance(value, int) and not isinstance(value, bool):
            if 1 <= value <= _MAX_NODES:
                return ("control-plane", "worker", *(f"worker{n}" for n in range(2, value)))[:value]
            self._wrong("spec.nodes", value, f"must be between 1 and {_MAX_NODES}")
        elif not isinstance(value, list):
            self._wrong("spec.nodes", value, "must be a number or a list of names")
        elif not value:
            self.errors.append(required("spec.nodes", "a lab has at least one node"))
        elif len(value) > _MAX_NODES:
            self._wrong("spec.nodes", len(value), f"a lab has at most {_MAX_NODES} nodes")
        elif self._node_names(listed := [node.get("name") if isinstance(node, Mapping) else node for node in value]):
            return tuple(map(str, listed))
        return DEFAULT_NODES

    def node_labels(self, nodes: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
        """The labels of nodes that are written as `{name, labels}`."""
        found: dict[str, Mapping[str, str]] = {}
        given = self._given.get("nodes")
        for index, node in enumerate(given if isinstance(given, list) else ()):
            if not isinstance(node, Mapping):
                continue
            path = f"spec.nodes[{index}]"
            for key in node:
                if key not in ("name", "labels"):
                    self.errors.append(unknown_field(path, key, ("name", "labels")))
            labels = node.get("labels") or {}
            if not isinstance(labels, Mapping):
                self._wrong(f"{path}.labels", labels, "must be an object")
                continue
            for key, value in labels.items():
                for text in names.qualified_name(str(key)):
                    self._wrong(f"{path}.labels", key, text)
                for text in names.label_value(value) if isinstance(value, str) else ("must be a string",):
                    self._wrong(f"{path}.labels", value, text)
            if labels and node.get("name") in nodes:
                found[node["name"]] = dict(labels)
        return found

    def load_balancer(self, nodes: tuple[str, ...], ranges: Sequence[Ranges]) -> Balancing | None:
        given = self._given.get("loadBalancer")
        if given is None:
            return None
        small = [each.node for each in ranges if each.node.num_addresses < len(nodes) + 6]
        for network in small:
            self._wrong("spec.nodeCIDR", str(network), "too small for a load balancer and its addresses")
        if small:
            return None
        others = 2 if self._given.get("internet") is None else 3  # client and load balancer, router
        value, errors = read_balancing(given, {
            each.node: [each.host_ip(number) for number in range(len(nodes) + others)] for each in ranges})
        self.errors += errors
        return value

    def internet(self, nodes: tuple[str, ...], ranges: Sequence[Ranges]) -> Internet | None:
        if "internet" not in self._given or (given := self._given["internet"]) is None:
            return None
        for each in ranges:
            if each.node.num_addresses < len(nodes) + 6:
                self._wrong("spec.nodeCIDR", str(each.node), "too small for a router to the internet")
        domain = self._given.get("clusterDomain")
        reader = InternetReader(given, ranges=ranges, nodes=nodes, taken=(*nodes, *_RESERVED),
                                domain=domain if isinstance(domain, str) else LabSpec.cluster_domain)
        value = reader.read()
        self.errors += reader.errors
        return value

    def _node_names(self, names: list[Any]) -> bool:
        before = len(self.errors)
        for index, node in enumerate(names):
            path = f"spec.nodes[{index}]"
            if not self.label(path, node, "a node's name"):
                continue
            if node in _RESERVED:
                known = ", ".join(f'"{name}"' for name in _RESERVED)
                self._wrong(path, node, f"the names {known} are taken by other parts of labs")
            elif node in names[:index]:
                self.errors.append(duplicate(path, node))
        return len(self.errors) == before

    def ip_families(self) -> tuple[str, ...]:
        families, errors = read_families(self._given.get("ipFamilies"))
        self.errors += errors
        return families

    def ranges(self, families: tuple[str, ...], nodes: int) -> tuple[Ranges, ...]:
        """The ranges of each family."""
        reader = RangeReader(self._given, families)
        reader.check(nodes)
        self.errors += reader.errors
        self._services = reader.services(families[0])
        return reader.ranges()

    def dns_ip(self, family: str) -> Address:
        """The DNS Service's address, of the first family: kube-dns is a Service of one family."""
        text, service = self._text("dnsIP"), self._services
        anything = DEFAULTS[family].service[10]
        if service is None or service.num_addresses < 8:  # noted already
            return anything
        if text is None:
            if service.num_addresses > 11:
                return service[10]
            self.errors.append(required("spec.dnsIP", f"serviceCIDR {service} has no tenth address to take"))
            return anything
        try:
            address = ip_address(text)
        except ValueError:
            self._wrong("spec.dnsIP", text, f"must be an {family} address")
            return anything
        if address.version != service.version:
            self._wrong("spec.dnsIP", text, f"must be an {family} address, as the first of ipFamilies says")
        elif address not in service:
            self._wrong("spec.dnsIP", text, f"must lie in serviceCIDR {service}")
        elif address == service[1]:
            self._wrong("spec.dnsIP", text, "serviceCIDR's first address belongs to the Service default/kubernetes")
        elif address in (service[0], service[-1]):
            self._wrong("spec.dnsIP", text, f"must not be the first or last number of serviceCIDR {service}")
        return address

    def node_ports(self) -> range:
        text = self._text("nodePortRange")
        if text is None:
            return LabSpec.node_ports
        match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
        first, last = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= first <= last <= 65535:
            self._wrong("spec.nodePortRange", text, 'must be two ports between 1 and 65535, such as "30000-32767"')
            return LabSpec.node_ports
        return range(first, last + 1)

    def domain(self) -> str:
        text = self._text("clusterDomain")
        if text is None:
            return LabSpec.cluster_domain
        if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in text.split(".")):
            self._wrong("spec.clusterDomain", text, 'must be a DNS name in lower case without a final dot, '
                                                    'such as "cluster.local"')
        return text

    def proxy_mode(self) -> str:
        text = self._text("proxyMode")
        if text and text not in MODES:
            self.errors.append(not_supported("spec.proxyMode", text, list(MODES)))
        given = self._given.get("kubeProxy")
        said = given.get("mode") if isinstance(given, Mapping) else None
        if text and said and said != text:
            self._wrong("spec.kubeProxy.mode", said, f'differs from spec.proxyMode "{text}": say it once')
        return text or (said if said in MODES else "")

    def kube_proxy(self) -> Mapping[str, Any]:
        value = self._given.get("kubeProxy")
        errors = read_proxy_settings(value)[1]
        self.errors += errors
        return {} if errors else dict(value or {})

    def feature_gates(self) -> Mapping[str, bool]:
        value, errors = read_feature_gates(self._given.get("featureGates"))
        self.errors += errors
        return value

    def images(self) -> tuple[Mapping[str, Any], ...]:
        value = self._given.get("images")
        errors = read_images(value)[1]
        self.errors += errors
        return () if errors else tuple(value or ())


def _plain(value: Any) -> Any:
    """What can be shown as JSON: YAML makes dates and other things."""
    return value if value is None or isinstance(value, str | int | float | list | dict) else str(value)
