"""The address ranges of a lab file's `spec`, read and checked: their families, sizes and overlaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from netlab.model.errors import FieldError, invalid
from netlab.model.family import BITS, FAMILIES, IPV4, IPV6
from netlab.model.ranges import DEFAULTS, Network, Ranges, family_of, node_prefix

FIELDS = {"nodeCIDR": "node", "podCIDR": "pod", "serviceCIDR": "service"}
UNUSABLE = {
    IPV4: tuple(map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))),
    IPV6: tuple(map(ip_network, ("::/16", "fe80::/10", "ff00::/8"))),
}
UNUSABLE_RULE = {
    IPV4: "must be unicast addresses, /8 or smaller, outside of 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 and 224.0.0.0/3",
    IPV6: "must be unicast addresses, /8 or smaller, outside of ::/16, fe80::/10 and ff00::/8",
}
# The bounds of kube-apiserver's --service-cluster-ip-range, and at least eight addresses.
SERVICE_PREFIXES = {IPV4: (12, 29), IPV6: (108, 125)}


class RangeReader:
    """Reads the ranges of `families`; mistakes are noted in `errors`, each with its field.

    A wrong range is left out, so that nothing is said about overlaps with what nobody wrote.
    """

    def __init__(self, given: Mapping[str, Any], families: Sequence[str]) -> None:
        self.errors: list[FieldError] = []
        self._given, self._families = given, families
        self._found = {key: self._read(key) for key in FIELDS}

    def ranges(self) -> tuple[Ranges, ...]:
        """The ranges of each family; defaults in the places of wrong ones."""
        return tuple(Ranges(*(self._found[key].get(family) or getattr(DEFAULTS[family], name)
                              for key, name in FIELDS.items())) for family in self._families)

    def services(self, family: str) -> Network | None:
        """The service range of a family; None when it is wrong."""
        return self._found["serviceCIDR"].get(family)

    def check(self, nodes: int) -> None:
        """Notes ranges that overlap or are too small."""
        self._refuse_overlaps()
        for family in self._families:
            self._refuse_small(family, nodes)

    def _wrong(self, key: str, value: Any, detail: str) -> None:
        self.errors.append(invalid(f"spec.{key}", value, detail))

    def _read(self, key: str) -> dict[str, Network]:
        """The range of each family under a key: one or two texts, in a list or with a comma between."""
        value = self._given.get(key)
        defaults: dict[str, Network] = {family: getattr(DEFAULTS[family], FIELDS[key]) for family in self._families}
        if value is None:
            return defaults
        texts = [text.strip() for text in value.split(",")] if isinstance(value, str) else value
        found: dict[str, Network] = {}
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            shown = value if isinstance(value, str | int | float | list | dict) else str(value)
            self._wrong(key, shown, f"must be {self._examples(defaults)}")
            return found
        before = len(self.errors)
        for text in texts:
            network = self._one(key, text, defaults)
            if network is None:
                continue
            family = family_of(network)
            if family not in defaults:
                self._wrong(key, text, f"is {family}, and ipFamilies has {' and '.join(self._families)} only")
            elif family in found:
                self._wrong(key, text, f"is a second range of {family}: there may be one of each family")
            else:
                found[family] = network
        if len(self.errors) > before:
            return {}
        return defaults | found

    @staticmethod
    def _examples(defaults: Mapping[str, Network]) -> str:
        return " and ".join(f'an {family} range such as "{network}"' for family, network in defaults.items())

    def _one(self, key: str, text: str, defaults: Mapping[str, Network]) -> Network | None:
        try:
            network = ip_network(text, strict=False) if "/" in text else None
        except ValueError:
            network = None
        if network is None:
            self._wrong(key, text, f"must be {self._examples(defaults)}")
            return None
        family = family_of(network)
        if str(network) != text:
            self._wrong(key, text, f'has bits set after its prefix, or is written oddly: write "{network}"')
        elif network.prefixlen < 8 or any(network.overlaps(other) for other in UNUSABLE[family]):
            self._wrong(key, text, UNUSABLE_RULE[family])
        else:
            return network
        return None

    def _refuse_overlaps(self) -> None:
        known = [(key, family, network) for key in FIELDS for family, network in self._found[key].items()]
        for index, (key, family, network) in enumerate(known):
            for earlier, same, other in known[:index]:
                if family == same and network.overlaps(other):
                    # Blame what the user wrote, not a default.
                    first, second = (key, earlier) if key in self._given else (earlier, key)
                    mine, theirs = (network, other) if first == key else (other, network)
                    self._wrong(first, str(mine), f"overlaps with {second} {theirs}")

    def _refuse_small(self, family: str, nodes: int) -> None:
        count = f"{nodes} node{'s' if nodes > 1 else ''}"
        node, pod, service = (self._found[key].get(family) for key in FIELDS)
        # The network's own address, the gateway, the client and the broadcast address come on top.
        if node and node.num_addresses < nodes + 4:
            self._wrong("nodeCIDR", str(node),
                        f"too small for {count}: a gateway and the client need addresses too, {nodes + 2} in all")
        smallest = BITS[family] - 3
        if pod and node_prefix(pod, nodes) > smallest:
            self._wrong("podCIDR", str(pod),
                        f"too small for {count}: each gets a part of its own, which must be a /{smallest} or larger")
        widest, narrowest = SERVICE_PREFIXES[family]
        if service and not widest <= service.prefixlen <= narrowest:
            self._wrong("serviceCIDR", str(service), f"must be between a /{widest} and a /{narrowest}")


def read_families(value: Any) -> tuple[tuple[str, ...], list[FieldError]]:
    """(the families of a lab, the first one first; what is wrong with the list)."""
    if value is None:
        return (IPV4,), []
    known = value if isinstance(value, list) else []
    if not known or any(item not in FAMILIES for item in known) or len(set(known)) != len(known):
        shown = value if isinstance(value, str | int | float | list | dict) else str(value)
        return (IPV4,), [invalid("spec.ipFamilies", shown,
                                 'must be ["IPv4"], ["IPv6"], ["IPv4", "IPv6"] or ["IPv6", "IPv4"]')]
    return tuple(known), []
