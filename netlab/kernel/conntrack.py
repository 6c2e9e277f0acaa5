"""Tracked connections of a netns, by ctnetlink (linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from netlab.model.family import IPV4, IPV6

NETLINK_NETFILTER = 12
GET, DELETE = 1 << 8 | 1, 1 << 8 | 2  # subsystem conntrack
REQUEST, ACK, DUMP = 1, 4, 0x300
ERROR, DONE = 2, 3
TUPLE_ORIG, TUPLE_REPLY = 1, 2
TUPLE_IP, TUPLE_PROTO = 1, 2
PROTO_NUMBER, PROTO_DESTINATION = 1, 3
NESTED = 0x8000
FILTER, FILTER_ORIG_FLAGS, FILTER_REPLY_FLAGS = 25, 1, 2
BY_DESTINATION, BY_PROTOCOL, BY_PORT = 1 << 1, 1 << 3, 1 << 5  # CTA_FILTER_F_... in net/netfilter/nf_internals.h
FEW = 8  # addresses and ports, for each of which the kernel goes through all flows; with more it does once
GONE = 2  # ENOENT: it has ended by itself
_HEADER = struct.Struct("=IHHII")


class _Family(NamedTuple):
    """How flows of a family are written: CTA_IP_V4_SRC or CTA_IP_V6_SRC and so on."""

    number: int
    source: int
    destination: int
    size: int  # of an address

    @property
    def protocol_at(self) -> int:
        """Where the kernel puts a flow's protocol: after nfgenmsg, ORIG { IP { source, destination }, PROTO {."""
        return 4 + 4 + 4 + 2 * (4 + self.size) + 4 + 4

    @property
    def head(self) -> bytes:
        """struct nfgenmsg."""
        return struct.pack("=BBH", self.number, 0, 0)


_FAMILIES = {IPV4: _Family(socket.AF_INET, 1, 2, 4), IPV6: _Family(socket.AF_INET6, 3, 4, 16)}


def delete_udp(serving: Mapping[tuple[str, int], Collection[str]], *, family: str = IPV4) -> int:
    """Ends the family's UDP flows to a known address and port that others than those answer; gives their number.

    `serving` has address and port ("" for any address) and who may answer. Must run inside of the netns.
    """
    if not serving:
        return 0
    kind_of = _FAMILIES[family]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        handle.bind((0, 0))
        asked: Iterable[tuple[str, int]] = serving if len(serving) <= FEW else [("", 0)]
        stale = [original for one in asked for original, destination, port, answers in list(_udp(handle, kind_of, *one))
                 if (expected := serving.get((destination, port)) or serving.get(("", port)))
                 and answers not in expected]
        for number, original in enumerate(stale, 2):
            _send(handle, DELETE, REQUEST | ACK, number, kind_of.head
                  + struct.pack("=HH", len(original) + 4, TUPLE_ORIG | NESTED) + original)
            for kind, body in _receive(handle):
                code = -struct.unpack_from("=i", body)[0] if kind == ERROR else 0
                if code and code != GONE:
                    raise OSError(code, f"conntrack: {os.strerror(code)}")
                break
    return len(stale)


def _udp(handle: socket.socket, family: _Family, address: str, port: int) -> Iterator[tuple[bytes, str, int, str]]:
    """(the original tuple as bytes, its destination address, its port, who answers) of UDP flows.

    Of those to the address ("": any) and port (0: any). Kernels before 5.8 give flows of others as well.
    """
    chosen, flow = BY_PROTOCOL, _attribute(PROTO_NUMBER, bytes([socket.IPPROTO_UDP]))
    wanted = b""
    if address and family is _FAMILIES[IPV4]:  # with an IPv6 address the kernel gives all flows but those to it
        chosen |= BY_DESTINATION
        wanted = _attribute(TUPLE_IP | NESTED, _attribute(family.destination, socket.inet_pton(family.number, address)))
    if port:
        chosen |= BY_PORT
        flow += _attribute(PROTO_DESTINATION, port.to_bytes(2, "big"))
    _send(handle, GET, REQUEST | DUMP, 1,
          family.head + _attribute(TUPLE_ORIG | NESTED, wanted + _attribute(TUPLE_PROTO | NESTED, flow))
          + _attribute(FILTER | NESTED, _attribute(FILTER_ORIG_FLAGS, struct.pack("=I", chosen))
                       + _attribute(FILTER_REPLY_FLAGS, struct.pack("=I", 0))))
    protocol_at = family.protocol_at
    for kind, body in _receive(handle):
        if kind == ERROR:
            code = -struct.unpack_from("=i", body)[0]
            raise OSError(code, f"conntrack: {os.strerror(code)}")
        if len(body) > protocol_at and body[protocol_at] == socket.IPPROTO_TCP:
            continue
        attributes = _attributes(body[4:])
        if TUPLE_ORIG not in attributes or TUPLE_REPLY not in attributes:
            continue
        original, reply = _attributes(attributes[TUPLE_ORIG]), _attributes(attributes[TUPLE_REPLY])
        ports = _attributes(original[TUPLE_PROTO])
        if ports[PROTO_NUMBER][0] == socket.IPPROTO_UDP:
            yield (attributes[TUPLE_ORIG], _text(family, _attributes(original[TUPLE_IP])[family.destination]),
                   int.from_bytes(ports[PROTO_DESTINATION], "big"),
                   _text(family, _attributes(reply[TUPLE_IP])[family.source]))


def _text(family: _Family, address: bytes) -> str:
    return socket.inet_ntop(family.number, address)


def _send(handle: socket.socket, kind: int, flags: int, number: int, body: bytes) -> None:
    handle.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body)


def _receive(handle: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Messages (type, body) until the end of the answer."""
    while True:
        data = handle.recv(1 << 17)
        position = 0
        while position < len(data):
            length, kind, *_ = _HEADER.unpack_from(data, position)
            if kind == DONE:
                return
            yield kind, data[position + _HEADER.size:position + length]
            position += length + 3 & ~3


def _attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", len(body) + 4, kind) + body + b"\0" * (-len(body) % 4)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    position = 0
    while position + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, position)
        found[kind & 0x3FFF] = data[position + 4:position + length]
        position += length + 3 & ~3
    return found
