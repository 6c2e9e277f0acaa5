"""What the API server says about addresses and ranges that it takes, but would like to be written otherwise.

Source: k8s.io/apimachinery/pkg/util/validation, GetWarningsForIP and GetWarningsForCIDR (KEP-4858).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network

from netlab.model import addresses

_FUTURE = "{}: non-standard {} {} will be considered invalid in a future Kubernetes release: use {}"


def ip_warnings(field: str, text: str) -> list[str]:
    """What is odd about an address; nothing when it is none at all."""
    if not addresses.is_ip(text):
        return []
    address = addresses.parse(text)
    if _odd(text, address):
        return [_FUTURE.format(field, "IP address", _quoted(text), _quoted(_plain(address)))]
    if str(address) != text:
        return [f"{field}: IPv6 address {_quoted(text)} should be in RFC 5952 canonical format ({_quoted(address)})"]
    return []


def cidr_warnings(field: str, text: str) -> list[str]:
    """What is odd about a range; nothing when it is none at all."""
    if not addresses.is_cidr(text):
        return []
    written, _, length = text.partition("/")
    address = addresses.parse(written)
    network = ip_network(f"{address}/{length}", strict=False)
    found = []
    if network.network_address != address:
        alone = f"{address}/{network.max_prefixlen}"
        found.append(f"{field}: CIDR value {_quoted(text)} is ambiguous in this context (should be {_quoted(network)} "
                     f"or {_quoted(alone)}?)")
    if _odd(written, address):
        found.append(_FUTURE.format(field, "CIDR value", _quoted(text), _quoted(network)))
    if not found and str(ip_interface(f"{address}/{length}")) != text:
        found.append(f"{field}: IPv6 CIDR value {_quoted(text)} should be in RFC 5952 canonical format "
                     f"({_quoted(network)})")
    return found


def _odd(text: str, address: IPv4Address | IPv6Address) -> bool:
    """Whether parsers differ in what they read: leading zeros, and IPv4 addresses in IPv6's clothes."""
    return str(address) != text if isinstance(address, IPv4Address) else address.ipv4_mapped is not None


def _plain(address: IPv4Address | IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _quoted(value: object) -> str:
    return f'"{value}"'
