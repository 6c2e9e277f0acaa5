"""The two IP families, by the names that Kubernetes gives them, and how each writes addresses."""

from __future__ import annotations

IPV4, IPV6 = "IPv4", "IPv6"
FAMILIES = (IPV4, IPV6)
BITS = {IPV4: 32, IPV6: 128}
EVERYTHING = {IPV4: "0.0.0.0/0", IPV6: "::/0"}


def family_of(text: str) -> str:
    """The family of an address or range that is known to be one."""
    return IPV6 if ":" in text else IPV4


def other(family: str) -> str:
    """The other family."""
    return IPV4 if family == IPV6 else IPV6


def host_range(address: str) -> str:
    """The range that holds just this address."""
    return f"{address}/128" if ":" in address else f"{address}/32"


def with_port(address: str, port: int | str) -> str:
    """`ADDRESS:PORT`, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
