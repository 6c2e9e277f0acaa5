"""A lab file's `spec` read into a LabSpec: every mistake is found, each with its field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from netlab.model.errors import FieldError, LabError, duplicate, invalid, not_supported, required
from netlab.model.images import read_images
from netlab.model.lab_spec import CLIENT, DEFAULT_NODES, FABRIC, LabSpec
from netlab.model.proxy_settings import MODES, read_proxy_settings


class SpecError(LabError):
    """A lab's settings are wrong: `errors` has every cause, the message one line for each."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


def parse(spec: Mapping[str, Any] | None, *, name: str) -> LabSpec:
    """The value of a lab file's `spec`; what it does not say gets a default. SpecError with every mistake found."""
    reader = _Reader(spec)
    reader.label("metadata.name", name, "a lab's name")
    nodes = reader.nodes()
    ranges = {key: reader.cidr(key, default) for key, default in _RANGES.items()}
    node_cidr, pod_cidr, service_cidr = ranges.values()
    reader.refuse_overlaps(ranges)
    reader.refuse_small(nodes, node_cidr, pod_cidr, service_cidr)
    value = LabSpec(
        name=name, nodes=nodes, node_cidr=node_cidr or LabSpec.node_cidr, pod_cidr=pod_cidr or LabSpec.pod_cidr,
        service_cidr=service_cidr or LabSpec.service_cidr, dns_ip=reader.dns_ip(service_cidr),
        node_ports=reader.node_ports(), cluster_domain=reader.domain(), proxy_mode=reader.proxy_mode(),
        kube_proxy=reader.kube_proxy(),
        ip_families=reader.ip_families(), images=reader.images())
    if reader.errors:
        raise SpecError(reader.errors)
    return value


_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_RULE = ("must be a DNS label: at most 63 lower-case letters, digits and '-', "
               "with a letter or digit at both ends")
_RANGES = {"nodeCIDR": LabSpec.node_cidr, "podCIDR": LabSpec.pod_cidr, "serviceCIDR": LabSpec.service_cidr}
_KEYS = ("nodes", *_RANGES, "dnsIP", "nodePortRange", "clusterDomain", "proxyMode", "kubeProxy", "ipFamilies",
         "images")
_MAX_NODES = 200


class _Reader:
    """Reads field by field; a wrong one is noted and replaced by its default, so that all mistakes are found."""

    def __init__(self, spec: Any) -> None:
        self.errors: list[FieldError] = []
        self._given: Mapping[str, Any] = {}
        if isinstance(spec, Mapping):
            self._given = spec
        elif spec is not None:
            self._wrong("spec", spec, "must be an object")
        for key in self._given:
            if key not in _KEYS:
                text = f'unknown field "{key}"{_guess(key)}'
                self.errors.append(FieldError(f"spec.{key}", "FieldValueInvalid", text))

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
        elif self._node_names(value):
            return tuple(value)
        return DEFAULT_NODES

    def _node_names(self, names: list[Any]) -> bool:
        before = len(self.errors)
        for index, node in enumerate(names):
            path = f"spec.nodes[{index}]"
            if not self.label(path, node, "a node's name"):
                continue
            if node in (CLIENT, FABRIC):
                self._wrong(path, node, f'the names "{CLIENT}" and "{FABRIC}" are taken by parts of every lab')
            elif node in names[:index]:
                self.errors.append(duplicate(path, node))
        return len(self.errors) == before

    def cidr(self, key: str, default: IPv4Network) -> IPv4Network | None:
        """The range; None when it is wrong, so that nothing is said about overlaps with what nobody wrote."""
        value = self._given.get(key)
        if value is None:
            return default
        path = f"spec.{key}"
        if not isinstance(value, str) or "/" not in value:
            self._wrong(path, value, f'must be an IPv4 range such as "{default}"')
            return None
        try:
            network = IPv4Network(value, strict=False)
        except ValueError:
            detail = "IPv6 is not supported yet" if ":" in value else f'must be an IPv4 range such as "{default}"'
            self._wrong(path, value, detail)
            return None
        if str(network) != value:
            self._wrong(path, value, f'has bits set after its prefix, or is written oddly: write "{network}"')
        elif network.prefixlen < 8 or any(network.overlaps(other) for other in _UNUSABLE):
            self._wrong(path, value, "must be unicast addresses, /8 or smaller, outside of 0.0.0.0/8, 127.0.0.0/8, "
                                     "169.254.0.0/16 and 224.0.0.0/3")
        else:
            return network
        return None

    def refuse_overlaps(self, ranges: Mapping[str, IPv4Network | None]) -> None:
        known = [(key, network) for key, network in ranges.items() if network]
        for index, (key, network) in enumerate(known):
            for earlier, other in known[:index]:
                if network.overlaps(other):
                    # Blame what the user wrote, not a default.
                    first, second = (key, earlier) if key in self._given else (earlier, key)
                    mine, theirs = (network, other) if first == key else (other, network)
                    self._wrong(f"spec.{first}", str(mine), f"overlaps with {second} {theirs}")

    def refuse_small(self, nodes: tuple[str, ...], node_cidr: IPv4Network | None, pod_cidr: IPv4Network | None,
                     service_cidr: IPv4Network | None) -> None:
        count = f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}"
        # The network's own address, the gateway, the client and the broadcast address come on top.
        if node_cidr and node_cidr.num_addresses < len(nodes) + 4:
            self._wrong("spec.nodeCIDR", str(node_cidr),
                        f"too small for {count}: a gateway and the client need addresses too, {len(nodes) + 2} in all")
        if pod_cidr:
            prefix = max(24, pod_cidr.prefixlen + (len(nodes) - 1).bit_length())
            if prefix > 29:
                self._wrong("spec.podCIDR", str(pod_cidr),
                            f"too small for {count}: each gets a part of its own, which must be a /29 or larger")
        # The bounds of kube-apiserver's --service-cluster-ip-range.
        if service_cidr and not 12 <= service_cidr.prefixlen <= 29:
            self._wrong("spec.serviceCIDR", str(service_cidr), "must be between a /12 and a /29")

    def dns_ip(self, service_cidr: IPv4Network | None) -> IPv4Address:
        text = self._text("dnsIP")
        if service_cidr is None or service_cidr.prefixlen > 29:  # noted already
            return LabSpec.dns_ip
        if text is None:
            if service_cidr.num_addresses > 11:
                return service_cidr[10]
            self.errors.append(required("spec.dnsIP", f"serviceCIDR {service_cidr} has no tenth address to take"))
            return LabSpec.dns_ip
        try:
            address = IPv4Address(text)
        except ValueError:
            self._wrong("spec.dnsIP", text, "must be an IPv4 address")
            return LabSpec.dns_ip
        if address not in service_cidr:
            self._wrong("spec.dnsIP", text, f"must lie in serviceCIDR {service_cidr}")
        elif address == service_cidr[1]:
            self._wrong("spec.dnsIP", text, "serviceCIDR's first address belongs to the Service default/kubernetes")
        elif address in (service_cidr[0], service_cidr[-1]):
            self._wrong("spec.dnsIP", text, f"must not be the first or last number of serviceCIDR {service_cidr}")
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

    def ip_families(self) -> tuple[str, ...]:
        value = self._given.get("ipFamilies")
        if value is not None and value != ["IPv4"]:
            self._wrong("spec.ipFamilies", value, 'only ["IPv4"] is supported: no IPv6 and no dual stack yet')
        return LabSpec.ip_families

    def images(self) -> tuple[Mapping[str, Any], ...]:
        value = self._given.get("images")
        errors = read_images(value)[1]
        self.errors += errors
        return () if errors else tuple(value or ())


_UNUSABLE = tuple(IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))


def _guess(key: object) -> str:
    from difflib import get_close_matches

    lower = {name.lower(): name for name in _KEYS}
    found = get_close_matches(str(key).lower(), lower, n=1)
    return f', did you mean "{lower[found[0]]}"?' if found else f"; there are {', '.join(_KEYS)}"


def _plain(value: Any) -> Any:
    """What can be shown as JSON: YAML makes dates and other things."""
    return value if value is None or isinstance(value, str | int | float | list | dict) else str(value)
