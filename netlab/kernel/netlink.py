"""Messages to the kernel about links, addresses, routes and neighbours (rtnetlink(7)), and a socket to send them by.

pyroute2's message classes encode them; its other parts, which take most of its import time, are not loaded.
"""

from __future__ import annotations

import importlib.machinery
import os
import socket
import struct
import sys
import types
from collections.abc import Sequence
from typing import Any, NamedTuple

from netlab.topology.wiring import Address, Bridge, Neighbour, Route, Veth

REQUEST, ACK, REPLACE, EXCLUSIVE, CREATE, DUMP = 0x1, 0x4, 0x100, 0x200, 0x400, 0x300
NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, GETADDR, NEWROUTE, NEWNEIGH, GETNSID = 16, 17, 18, 20, 21, 22, 24, 28, 90
UP = 1
NO_PREFIX_ROUTE = 0x200
NO_DETECTION = 0x02  # IFA_F_NODAD
PERMANENT = 0x80
FOREVER = 0xFFFFFFFF  # seconds
MAIN_TABLE, BOOT, UNICAST = 254, 3, 1  # what `ip route add` uses
SCOPE_UNIVERSE, SCOPE_LINK, SCOPE_HOST = 0, 253, 254
FAMILY = {4: int(socket.AF_INET), 6: int(socket.AF_INET6)}

_MODULES = {"link": "ifinfmsg", "address": "ifaddrmsg", "route": "rtmsg", "neighbour": "ndmsg"}
_classes: dict[str, Any] = {}


class Message(NamedTuple):
    """An encoded request, and what it makes, for the text of an error."""

    data: bytes
    what: str


class Refusal(NamedTuple):
    """The kernel's answer to the message of that place in a batch."""

    place: int
    code: int
    text: str  # the kernel's own words, mostly empty


class Channel:
    """A netlink socket: it belongs to the netns in which it was made, whichever thread uses it."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        for option in (10, 11):  # NETLINK_CAP_ACK: errors do not repeat the request; NETLINK_EXT_ACK: they have words
            self.socket.setsockopt(270, option, 1)
        for option in (32, 33):  # SO_SNDBUFFORCE, SO_RCVBUFFORCE: for a few hundred messages, or errors, at once
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, option, 1 << 21)
            except PermissionError:
                pass

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()

    def send(self, messages: Sequence[Message]) -> list[Refusal]:
        """Sends all in one system call (per 400); the kernel goes on after one that it refuses."""
        refusals: list[Refusal] = []
        for start in range(0, len(messages), 400):
            refusals += self._send(messages[start:start + 400], start)
        return refusals

    def _send(self, messages: Sequence[Message], start: int) -> list[Refusal]:
        data = bytearray()
        for place, message in enumerate(messages):
            at = len(data)
            data += message.data
            struct.pack_into("=I", data, at + 8, place + 1)
        # Errors always come; of successes only the last one is told, so its answer ends the reading.
        flags = struct.unpack_from("=H", data, at + 6)[0]
        struct.pack_into("=H", data, at + 6, flags | ACK)
        self.socket.sendto(data, (0, 0))
        refusals = []
        while True:
            for kind, flags, sequence, body in _split(self.socket.recv(1 << 18)):
                if kind != 2:  # NLMSG_ERROR, which is also what an acknowledgement is
                    continue
                code = -int(struct.unpack_from("=i", body)[0])
                if code:
                    refusals.append(Refusal(start + sequence - 1, code, _words(flags, body)))
                if sequence == len(messages):
                    return refusals

    def ask(self, message: Message) -> bytes | None:
        """The one message that answers a question; None when the kernel refuses it."""
        self.socket.sendto(message.data, (0, 0))
        for kind, _, _, body in _split(self.socket.recv(1 << 18)):
            return None if kind == 2 else body
        return None

    def link(self, index: int) -> Any:
        """pyroute2's `ifinfmsg` of the link with that index, or None."""
        self.socket.sendto(_encode("link", GETLINK, 0, "", index=index).data, (0, 0))
        data = self.socket.recv(1 << 18)
        if struct.unpack_from("=H", data, 4)[0] == 2:
            return None
        link = _class("link")(data)
        link.decode()
        return link

    def addresses(self, index: int) -> set[tuple[str, int]]:
        """The addresses of the link with that index, of both families, with their prefix lengths."""
        body = struct.pack("=BBBBI", socket.AF_UNSPEC, 0, 0, 0, 0)  # ifaddrmsg
        self.socket.sendto(struct.pack("=IHHII", 16 + len(body), GETADDR, REQUEST | DUMP, 0, 0) + body, (0, 0))
        found: set[tuple[str, int]] = set()
        while True:
            for kind, _, _, data in _split(self.socket.recv(1 << 18)):
                if kind == 2:  # NLMSG_ERROR
                    code = -int(struct.unpack_from("=i", data)[0])
                    raise OSError(code, f"list of addresses: {os.strerror(code)}")
                if kind == 3:  # NLMSG_DONE
                    return found
                family, length, _, _, link = struct.unpack_from("=BBBBI", data)
                own = 2 if family == FAMILY[4] else 1  # IFA_LOCAL; IPv6 has no IFA_LOCAL but on links to one peer
                size_of = 4 if family == FAMILY[4] else 16
                at = 8
                while link == index and at + 4 <= len(data):
                    size, attribute = struct.unpack_from("=HH", data, at)
                    if attribute == own:
                        found.add((socket.inet_ntop(family, data[at + 4:at + 4 + size_of]), length))
                    at += size + 3 & ~3

    def netns_id(self, descriptor: int) -> int | None:
        """What this netns calls another one that is open there (NETNSA_NSID); None when it has no name for it."""
        body = struct.pack("=BxxxHHI", 0, 8, 3, descriptor)  # rtgenmsg, NETNSA_FD
        answer = self.ask(Message(struct.pack("=IHHII", 16 + len(body), GETNSID, REQUEST, 0, 0) + body, "netns id"))
        if answer is None:
            return None
        number = int(struct.unpack_from("=i", answer, 8)[0])
        return number if number >= 0 else None


def load() -> None:
    """Imports the message classes (30 ms the first time); `build` would do it as well."""
    _class("link")


def bridge(bridge: Bridge) -> Message:
    """Makes a bridge, down: it is to be set up after its ports, or the first packets wait for it."""
    return _encode("link", NEWLINK, CREATE | EXCLUSIVE, f"bridge {bridge.name}", index=bridge.index, attrs=[
        ("IFLA_IFNAME", bridge.name), *_mac(bridge.mac), ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge")]})])


def veth(veth: Veth, descriptor: int, master: int) -> Message:
    """Makes both ends of a veth, the near one up; `descriptor` is the far end's netns, `master` a bridge or 0."""
    # The far end cannot be made up (the kernel says ENOTCONN): its own netns does that.
    peer = {"index": veth.peer_index, "attrs": [
        ("IFLA_IFNAME", veth.peer), *_mac(veth.peer_mac), ("IFLA_NET_NS_FD", descriptor)]}
    return _encode("link", NEWLINK, CREATE | EXCLUSIVE, f"veth {veth.name} to {veth.peer} in {veth.peer_netns}",
                   index=veth.index, flags=UP, change=UP, attrs=[
        ("IFLA_IFNAME", veth.name), *_mac(veth.mac), *([("IFLA_MASTER", master)] if master else []),
        ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "veth"),
                                     ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]})]})])


def up(name: str, index: int, *, master: int = 0) -> Message:
    """Sets a link up, and makes it a port of a bridge."""
    return _encode("link", NEWLINK, 0, f"link {name}", index=index, flags=UP, change=UP,
                   attrs=[("IFLA_MASTER", master)] if master else [])


def delete_link(name: str) -> Message:
    """Removes a link (a veth with its peer)."""
    return _encode("link", DELLINK, 0, f"removal of link {name}", attrs=[("IFLA_IFNAME", name)])


def address(address: Address, index: int) -> Message:
    """Gives a link an address, or changes how it has it."""
    text, version = str(address.address.ip), address.address.version
    flags = (0 if address.prefix_route else NO_PREFIX_ROUTE) | (NO_DETECTION if version == 6 else 0)
    return _encode("address", NEWADDR, CREATE | REPLACE, f"address {address.address} on {address.link}",
                   family=FAMILY[version], prefixlen=address.address.network.prefixlen, index=index, attrs=[
        ("IFA_LOCAL", text), ("IFA_ADDRESS", text),
        *([("IFA_FLAGS", flags)] if flags else []),
        *([] if address.source or version == 4 else
          [("IFA_CACHEINFO", {"ifa_preferred": 0, "ifa_valid": FOREVER})])])


def delete_address(text: str, length: int, index: int) -> Message:
    """Takes an address away from a link."""
    return _encode("address", DELADDR, 0, f"removal of address {text}/{length}",
                   family=FAMILY[6 if ":" in text else 4], prefixlen=length, index=index,
                   attrs=[("IFA_LOCAL", text), ("IFA_ADDRESS", text)])


def route(route: Route, index: int) -> Message:
    """Makes a route, or replaces the one to the same destination."""
    scope = SCOPE_UNIVERSE if route.via else SCOPE_HOST if route.on_host else SCOPE_LINK
    length = route.destination.prefixlen
    via = [("RTA_GATEWAY", route.via)] if route.via else []
    source = [("RTA_PREFSRC", route.source)] if route.source else []
    return _encode("route", NEWROUTE, CREATE | REPLACE, f"route to {route.destination} by {route.via or route.link}",
                   family=FAMILY[route.destination.version], dst_len=length, table=MAIN_TABLE, proto=BOOT, scope=scope,
                   type=UNICAST, attrs=[
        *([("RTA_DST", str(route.destination.network_address))] if length else []), ("RTA_OIF", index),
        *via, *source])


def neighbour(neighbour: Neighbour, index: int) -> Message:
    """Makes a permanent neighbour entry, or replaces the one of that address."""
    return _encode("neighbour", NEWNEIGH, CREATE | REPLACE, f"neighbour {neighbour.address} on {neighbour.link}",
                   family=FAMILY[6 if ":" in neighbour.address else 4], ifindex=index, state=PERMANENT, attrs=[
        ("NDA_DST", neighbour.address), ("NDA_LLADDR", neighbour.mac)])


def refused(refusal: Refusal, what: str) -> OSError:
    """The exception that says what the kernel refused, and in which words."""
    reason = os.strerror(refusal.code) + (f" ({refusal.text})" if refusal.text else "")
    return OSError(refusal.code, f"{what}: {reason}")


def _mac(mac: str) -> list[tuple[str, str]]:
    return [("IFLA_ADDRESS", mac)] if mac else []


def _encode(kind: str, number: int, how: int, what: str, *, attrs: Sequence[Any] = (), **fields: int) -> Message:
    message = _class(kind)()
    for name, value in fields.items():
        message[name] = value
    message["header"]["type"] = number
    message["header"]["flags"] = REQUEST | how
    message["attrs"] = list(attrs)
    message.encode()
    return Message(bytes(message.data), what)


def _class(kind: str) -> Any:
    if not _classes:
        _import_classes()
    return _classes[kind]


def _import_classes() -> None:
    """Imports pyroute2's message modules without the package's `__init__`, which would import all of it (0.16 s)."""
    real = sys.modules.get("pyroute2")
    spec = None if real else importlib.machinery.PathFinder.find_spec("pyroute2")
    if spec and spec.submodule_search_locations:
        stub = types.ModuleType("pyroute2")
        stub.__path__ = list(spec.submodule_search_locations)
        stub.__spec__ = spec
        sys.modules["pyroute2"] = stub
    try:
        _import_modules()
    except (ImportError, AttributeError):
        if real or sys.modules.pop("pyroute2", None) is None:
            raise
        for name in [name for name in sys.modules if name.startswith("pyroute2.")]:
            del sys.modules[name]
        _import_modules()
    else:
        if not real:  # a later import of the whole package shall be one; it finds the modules that are loaded
            sys.modules.pop("pyroute2", None)


def _import_modules() -> None:
    found = {}
    for kind, name in _MODULES.items():
        module = importlib.import_module(f"pyroute2.netlink.rtnl.{name}")
        found[kind] = getattr(module, name)
    _classes.update(found)


def _split(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """(type, flags, sequence number, body) of each message in a datagram."""
    messages, at = [], 0
    while at + 16 <= len(data):
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
        messages.append((kind, flags, sequence, data[at + 16:at + length]))
        at += (length + 3) & ~3
    return messages


def _words(flags: int, body: bytes) -> str:
    """The text in an extended acknowledgement (NLMSGERR_ATTR_MSG)."""
    if not flags & 0x200:  # NLM_F_ACK_TLVS
        return ""
    # Attributes follow the error number and the refused message: its header only when it is capped.
    length = 16 if flags & 0x100 else struct.unpack_from("=I", body, 4)[0]
    at = 4 + ((length + 3) & ~3)
    while at + 4 <= len(body):
        size, kind = struct.unpack_from("=HH", body, at)
        if size < 4:
            break
        if kind == 1:
            return body[at + 4:at + size].rstrip(b"\0").decode(errors="replace")
        at += (size + 3) & ~3
    return ""
