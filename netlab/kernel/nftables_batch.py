"""Small changes of a table as one netlink batch, without nft: it would list the whole table before it changes a rule.

Everything is what nft itself sends (linux/netfilter/nf_tables.h); what is not known here is left to nft.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from netlab.netfilter.nft import (
    Chain,
    Compare,
    Dnat,
    Element,
    Key,
    NftTable,
    Rule,
    Spread,
    Update,
    Verdict,
)
from netlab.netfilter.nft_changes import Difference, Pairs

NETLINK_NETFILTER = 12
NEWCHAIN, DELCHAIN, NEWRULE, DELRULE, NEWSET, NEWSETELEM, DELSETELEM = 3, 5, 6, 8, 9, 12, 14
BEGIN, END, SUBSYSTEM = 16, 17, 10
REQUEST, ACK, CREATE, APPEND = 1, 4, 0x400, 0x800
NESTED = 0x8000
FAMILIES = {"ip": socket.AF_INET, "ip6": socket.AF_INET6}
CODES = {"drop": 0, "accept": 1, "jump": -3, "goto": -4, "return": -5}
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
ANONYMOUS, CONSTANT, MAP, VERDICT_TYPE, INTEGER = 1, 2, 8, 0xFFFFFF00, 4
EQUAL, UNEQUAL = 0, 1
LIMIT = 200  # messages; a socket's buffer takes more, but for so much nft's look at the table does not matter


class LeftToNft(Exception):
    """The change has something that only nft knows how to say."""


def send(found: Difference, table: NftTable, *, through: socket.socket, stale: Iterable[str] = ()) -> bool:
    """Makes what differs so in one transaction, through a netlink socket; False when nft must do it.

    The stale chains are deleted.
    """
    try:
        written = messages(found, table, stale=stale)
    except LeftToNft:
        return False
    if not written or len(written) > LIMIT:
        return False
    ends = [_message(kind, 0, socket.AF_UNSPEC, b"", resource=SUBSYSTEM) for kind in (BEGIN, END)]
    data = ends[0] + b"".join(written) + ends[1]
    through.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, max(len(data) * 2, 1 << 18))
    through.send(data)
    answer = through.recv(1 << 16)  # of the last message, or of the first that failed
    kind, code = struct.unpack_from("=H", answer, 4)[0], -struct.unpack_from("=i", answer, 16)[0]
    if kind == 2 and code:
        raise OSError(code, f"nftables: {os.strerror(code)}")
    return True


def messages(found: Difference, table: NftTable, *, stale: Iterable[str] = ()) -> list[bytes]:
    """What the table needs, without the batch's ends. LeftToNft when something is not known here."""
    return _Batch(table.family, table.name).messages(found, stale)


class _Batch:
    def __init__(self, family: str, table: str) -> None:
        self.family, self.six = FAMILIES[family], family == "ip6"
        self.table = _text(1, table)
        self._sets = 0

    def messages(self, found: Difference, stale: Iterable[str]) -> list[bytes]:
        chains = [*found.new_chains, *found.changed_chains]
        if found.new_sets or found.gone_sets or len(chains) > LIMIT \
                or any(chain.hook or chain.comment for chain in chains):
            raise LeftToNft
        made = [self._make(NEWCHAIN, CREATE, self._chain(3, chain.name)) for chain in found.new_chains]
        made += [self._make(DELRULE, 0, self._chain(2, name)) for name in found.flushed_chains]
        made += [self._elements(DELSETELEM, name, pairs) for name, pairs in found.removed.items()]
        for chain in chains:
            made += self._rules(chain)
        made += [self._elements(NEWSETELEM, name, pairs) for name, pairs in found.added.items()]
        made += [self._make(DELCHAIN, 0, self._chain(3, name)) for name in stale]
        if made:  # one answer for all, after the last
            last = made[-1]
            made[-1] = last[:6] + struct.pack("=H", struct.unpack_from("=H", last, 6)[0] | ACK) + last[8:]
        return made

    def _chain(self, kind: int, name: str) -> bytes:
        return self.table + _text(kind, name)

    def _make(self, kind: int, flags: int, body: bytes) -> bytes:
        return _message(SUBSYSTEM << 8 | kind, flags, self.family, body)

    def _elements(self, kind: int, name: str, pairs: Pairs) -> bytes:
        body = b"".join(self._element(key, element) for key, element in pairs)
        return self._make(kind, CREATE if kind == NEWSETELEM else 0, self.table + _text(2, name) + _nest(3, body))

    def _element(self, key: Key, element: Element) -> bytes:
        body = _nest(1, _data(b"".join(self._part(part) for part in key)))
        if element.verdict:
            body += _nest(2, _verdict(element.verdict))
        return _nest(1, body + (_attribute(6, _comment(element.comment)) if element.comment else b""))

    def _part(self, part: str) -> bytes:
        if part in PROTOCOLS:
            return bytes([PROTOCOLS[part], 0, 0, 0])
        return struct.pack(">HH", int(part), 0) if part.isdigit() else ip_address(part).packed

    def _rules(self, chain: Chain) -> list[bytes]:
        found = []
        for rule in chain.rules:
            body = b""
            for match in rule.matches:
                if not isinstance(match, Compare):
                    raise LeftToNft
                body += self._compare(match)
            more, action = self._action(rule)
            found += more
            words = self._chain(2, chain.name) + _nest(4, body + action)
            words += _attribute(7, _comment(rule.comment)) if rule.comment else b""
            found.append(self._make(NEWRULE, CREATE | APPEND, words))
        return found

    def _address(self, key: str) -> bytes:
        """The address in register 1."""
        offset, size = ({"saddr": 8, "daddr": 24}, 16) if self.six else ({"saddr": 12, "daddr": 16}, 4)
        return _expression("payload", _number(1, 1) + _number(2, 1) + _number(3, offset[key.split()[1]])
                           + _number(4, size))

    def _compare(self, match: Compare) -> bytes:
        key, value = match.key, match.values[0]
        if len(match.values) > 1 or "-" in value.partition("@")[0]:
            raise LeftToNft
        operator = UNEQUAL if match.inverted else EQUAL
        if key.endswith("addr"):
            load = self._address(key)
            if value.startswith("@"):
                return load + _expression("lookup", _text(1, value[1:]) + _number(2, 1)
                                          + (_number(5, 1) if match.inverted else b""))
            network = ip_network(value)
            if network.prefixlen < network.max_prefixlen:
                size = network.max_prefixlen // 8
                load += _expression("bitwise", _number(1, 1) + _number(2, 1) + _number(3, size)
                                    + _nest(4, _data(network.netmask.packed)) + _nest(5, _data(bytes(size))))
            return load + _cmp(operator, network.network_address.packed)
        if key == "meta l4proto":
            return _L4PROTO + _cmp(operator, bytes([PROTOCOLS[value]]))
        if key.endswith("dport"):
            port = _expression("payload", _number(1, 1) + _number(2, 2) + _number(3, 2) + _number(4, 2))
            return _L4PROTO + _cmp(EQUAL, bytes([PROTOCOLS[key.split()[0]]])) + port \
                + _cmp(operator, struct.pack(">H", int(value)))
        if key == "fib saddr type" and value == "local":
            return _expression("fib", _number(3, 1) + _number(2, 3) + _number(1, 1)) \
                + _cmp(operator, struct.pack("=I", 2))
        raise LeftToNft

    def _action(self, rule: Rule) -> tuple[list[bytes], bytes]:
        action = rule.action
        if isinstance(action, Verdict):
            return [], _expression("immediate", _number(1, 0) + _nest(2, _verdict(action)))
        if isinstance(action, Dnat):
            address = ip_address(action.address).packed
            return [], _expression("immediate", _number(1, 1) + _nest(2, _data(address))) \
                + _expression("immediate", _number(1, 2) + _nest(2, _data(struct.pack(">H", action.port)))) \
                + _expression("nat", _number(1, 1) + _number(2, self.family) + _number(3, 1) + _number(5, 2))
        if isinstance(action, Spread):
            return self._spread(action)
        if isinstance(action, Update):
            return [], self._address(action.key) + _expression(
                "dynset", _number(4, 1) + _number(3, 1) + _text(1, action.set))
        raise LeftToNft

    def _spread(self, action: Spread) -> tuple[list[bytes], bytes]:
        """A map of its own, whose number stands for its name until the kernel has given it one."""
        self._sets += 1
        name = self.table + _text(2, "__map%d")
        order = struct.pack("=BBI", 0, 4, 1)  # user data: the key's bytes are in this machine's order
        made = self._make(NEWSET, CREATE, name + _number(3, ANONYMOUS | CONSTANT | MAP) + _number(4, INTEGER)
                          + _number(5, 4) + _number(6, VERDICT_TYPE) + _number(7, 0) + _number(10, self._sets)
                          + _nest(9, _number(1, len(action.chains))) + _attribute(13, order))
        elements = b"".join(_nest(1, _nest(1, _data(struct.pack("=I", number)))
                                  + _nest(2, _verdict(Verdict("goto", chain))))
                            for number, chain in enumerate(action.chains))
        filled = self._make(NEWSETELEM, CREATE, name + _number(4, self._sets) + _nest(3, elements))
        pick = _expression("numgen", _number(1, 1) + _number(2, len(action.chains)) + _number(3, 1) + _number(4, 0))
        look = _expression("lookup", _text(1, "__map%d") + _number(2, 1) + _number(3, 0) + _number(4, self._sets))
        return [made, filled], pick + look


def _message(kind: int, flags: int, family: int, body: bytes, *, resource: int = 0) -> bytes:
    return struct.pack("=IHHII", 20 + len(body), kind, REQUEST | flags, 0, 0) \
        + struct.pack("=BB", family, 0) + struct.pack(">H", resource) + body


def _attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", len(body) + 4, kind) + body + b"\0" * (-len(body) % 4)


def _nest(kind: int, body: bytes) -> bytes:
    return _attribute(kind | NESTED, body)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value))


def _data(value: bytes) -> bytes:
    return _attribute(1, value)


def _verdict(verdict: Verdict) -> bytes:
    chain = _text(2, verdict.chain) if verdict.chain else b""
    return _nest(2, _attribute(1, struct.pack(">i", CODES[verdict.kind])) + chain)


def _comment(text: str) -> bytes:
    data = text.encode() + b"\0"
    return bytes([0, len(data)]) + data


def _expression(name: str, body: bytes) -> bytes:
    return _nest(1, _text(1, name) + _nest(2, body))


def _cmp(operator: int, value: bytes) -> bytes:
    return _expression("cmp", _number(1, 1) + _number(2, operator) + _nest(3, _data(value)))


_L4PROTO = _expression("meta", _number(2, 16) + _number(1, 1))
