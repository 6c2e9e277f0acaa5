"""IP addresses and ranges as Kubernetes reads them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def parse(text: str) -> IPv4Address | IPv6Address:
    """The address; leading zeros of IPv4 parts are decimal (CVE-2021-29923). ValueError when it is none."""
    if "%" in text:
        raise ValueError(NO_IP)
    if re.fullmatch(r"\d{1,9}(\.\d{1,9}){3}", text, re.ASCII):
        text = ".".join(str(int(part)) for part in text.split("."))
    return ip_address(text)


def is_ip(text: str) -> bool:
    """Whether the text is an address of either family."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def is_cidr(text: str) -> bool:
    """Whether the text is an address with a prefix length."""
    address, slash, length = text.partition("/")
    try:
        ip_network(f"{parse(address)}/{length}", strict=False)
    except ValueError:
        return False
    return bool(slash) and length.isascii() and length.isdigit()


def family(text: str) -> str:
    """`IPv4` or `IPv6`; ValueError when the text is no address."""
    return f"IPv{parse(text).version}"


def not_special(text: str) -> list[str]:
    """Why the address cannot be an endpoint or external IP, as upstream words it; empty when it can."""
    address = parse(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    problems = []
    if address.is_unspecified:
        problems.append(f"may not be unspecified ({text})")
    if address.is_loopback:
        problems.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        problems.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if int(address) >> 8 == 0xE00000 or (address.version == 6 and int(address) >> 112 & 0xFF0F == 0xFF02):
        problems.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return problems
