"""Which of a node's addresses have node ports: kube-proxy's setting nodePortAddresses (--nodeport-addresses)."""

from __future__ import annotations

from netlab.model.family import IPV4, family_of
from netlab.model.fields import contains

PRIMARY = "primary"


def node_port_cidrs(said: tuple[str, ...], family: str) -> tuple[str, ...] | None:
    """The CIDRs of a family, or ("primary",); None when all addresses have node ports.

    A family of which nothing is said has them on all addresses, also where something is said of the other one.
    """
    if said == (PRIMARY,):
        return said
    ours = tuple(cidr for cidr in said if family_of(cidr) == family)
    return None if not ours or any(cidr.endswith("/0") for cidr in ours) else ours


def on_localhost(said: tuple[str, ...]) -> bool:
    """Whether addresses of 127.0.0.0/8 are among those with node ports."""
    cidrs = node_port_cidrs(said, IPV4)
    return cidrs is None or any(cidr.startswith("127.") or contains(cidr, "127.0.0.0")
                                for cidr in cidrs if cidr != PRIMARY)
