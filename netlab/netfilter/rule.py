"""A rule as a value: what it matches, and what then happens.

All values here are named tuples, because a cluster has tens of thousands of them. Their order inside a rule is the
kernel's: an extension that is named first is evaluated and printed first.
"""

from __future__ import annotations

from typing import NamedTuple

from netlab.model.family import IPV4, IPV6

ANY_PORT = (0, 65535)
WHOLE_ADDRESS = {IPV4: "255.255.255.255", IPV6: ":".join(["ffff"] * 8)}
PORT_UNREACHABLE = {IPV4: "icmp-port-unreachable", IPV6: "icmp6-port-unreachable"}
CERTAIN = 1 << 31  # statistic's probabilities are integers; this one is 1


class Comment(NamedTuple):
    """`-m comment --comment TEXT`: matches always; at most 255 bytes."""

    text: str


class Ports(NamedTuple):
    """`-m tcp|udp|sctp --sport LOW:HIGH --dport LOW:HIGH`."""

    protocol: str
    destination: tuple[int, int] = ANY_PORT
    source: tuple[int, int] = ANY_PORT


class State(NamedTuple):
    """`-m conntrack [!] --ctstate ...`: INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED, SNAT, DNAT.

    `old_name`: it was written as `-m state [!] --state ...`, and is printed so.
    """

    states: frozenset[str]
    inverted: bool = False
    old_name: bool = False


class Marked(NamedTuple):
    """`-m mark [!] --mark VALUE/MASK`."""

    value: int
    mask: int = 0xFFFFFFFF
    inverted: bool = False


class Chance(NamedTuple):
    """`-m statistic --mode random --probability P`, where P is `share` of 2**31 (see `chance`)."""

    share: int


class AddressType(NamedTuple):
    """`-m addrtype [!] --src-type TYPE --dst-type TYPE`; LOCAL is any address of the netns itself."""

    source: str = ""
    destination: str = ""
    not_source: bool = False


class Recent(NamedTuple):
    """`-m recent --set|--rcheck ... --name NAME --mask MASK` on source addresses; `seconds` 0 is without a limit."""

    action: str
    name: str
    seconds: int = 0
    reap: bool = False
    mask: str = WHOLE_ADDRESS[IPV4]


class InSet(NamedTuple):
    """`-m set --match-set NAME SIDE,...`: an ipset has the packet's values; a side is src or dst."""

    name: str
    sides: tuple[str, ...]


class VirtualService(NamedTuple):
    """`-m ipvs --vproto NUMBER --vaddr ADDRESS --vport PORT`: IPVS has taken the packet for that virtual server."""

    protocol: str
    address: str
    port: int


class NotBridged(NamedTuple):
    """`-m physdev ! --physdev-is-in`: the packet did not come in through a port of a bridge."""


Match = Comment | Ports | State | Marked | Chance | AddressType | Recent | InSet | VirtualService | NotBridged


class Jump(NamedTuple):
    """`-j CHAIN`, where ACCEPT, DROP and RETURN are verdicts; `-g CHAIN` when `goto`."""

    chain: str
    goto: bool = False


class SetMark(NamedTuple):
    """`-j MARK --set-xmark VALUE/MASK`: mark = (mark & ~MASK) ^ VALUE."""

    value: int
    mask: int = 0xFFFFFFFF


class Masquerade(NamedTuple):
    """`-j MASQUERADE`: the source becomes the address of the interface that the packet leaves by."""

    random_fully: bool = False


class Dnat(NamedTuple):
    """`-j DNAT --to-destination ADDRESS:PORT`, an IPv6 address in brackets."""

    address: str
    port: int


class Redirect(NamedTuple):
    """`-j REDIRECT --to-ports PORT`: to the node itself, at that port."""

    port: int


class Reject(NamedTuple):
    """`-j REJECT --reject-with ...`: the sender is told."""

    answer: str = "icmp-port-unreachable"


Target = Jump | SetMark | Masquerade | Dnat | Redirect | Reject

ACCEPT, DROP, RETURN = Jump("ACCEPT"), Jump("DROP"), Jump("RETURN")
VERDICTS = frozenset(("ACCEPT", "DROP", "RETURN"))


class Rule(NamedTuple):
    """One rule. An empty field matches everything; addresses are CIDRs; a `+` ends an interface name's prefix.

    `inverted` names the fields that must not match (the `!`): addresses, protocol, interfaces. Without a target a
    rule only counts.
    """

    matches: tuple[Match, ...] = ()
    target: Target | None = None
    source: str = ""
    destination: str = ""
    protocol: str = ""
    in_interface: str = ""
    out_interface: str = ""
    inverted: frozenset[str] = frozenset()


def chance(probability: float) -> Chance:
    """A statistic match of that probability, rounded as iptables does it."""
    return Chance(round(CERTAIN * probability))


def port_match(protocol: str, port: int) -> Ports:
    """The match of one destination port."""
    return Ports(protocol, (port, port))
