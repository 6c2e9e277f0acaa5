"""A table as the kernel hands it out (IPT_SO_GET_ENTRIES), and as it must look when it holds given rules.

The layout is libiptc's: built-in chains, then the others by name; a chain is an ERROR entry with its name (built-in
ones have none), its rules, and an entry with its policy or RETURN; a last ERROR entry ends the table. A jump is the
offset of the first entry after its chain's head.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from netlab.kernel.iptables_pack import ENTRY, blob
from netlab.kernel.netns import libc
from netlab.netfilter.rule import VERDICTS, Jump, Rule
from netlab.netfilter.ruleset import Table

GET_INFO, GET_ENTRIES = 64, 65
_INFO = struct.Struct("<32sI20s20sII")
_HEADER = 40  # struct ipt_get_entries
_VERDICTS = {"DROP": -1, "ACCEPT": -2, "RETURN": -5}  # -NF_x - 1
_STANDARD, _ERROR = 40, 64  # sizes of these targets
_HEAD, _FOOT = ENTRY + _ERROR, ENTRY + _STANDARD
_ZERO4, _ZERO20 = bytes(4), bytes(20)


def holds(table: Table) -> bool:
    """Whether this netns's table is exactly that one, counters aside. Must run inside of the netns."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as handle:
        expected, offsets = layout(table)
        entries, size = _info(handle, table.name)
        if (entries, size) != (len(offsets), len(expected)):
            return False
        found = _entries(handle, table.name, size)
    return found is not None and blank(found, offsets) == expected


def blank(raw: bytes, offsets: list[int]) -> bytes:
    """The entries without what the kernel and libiptc note in them: nfcache, comefrom, counters."""
    data = bytearray(raw)
    for offset in offsets:
        data[offset + 84:offset + 88] = _ZERO4
        data[offset + 92:offset + 112] = _ZERO20
    return bytes(data)


def layout(table: Table) -> tuple[bytes, list[int]]:
    """The table's bytes as the kernel keeps them, and where each entry begins."""
    chains = [(chain, [blob(rule) for rule in chain.rules]) for chain in table.chains]
    starts, position = {}, 0
    for chain, blobs in chains:
        position += _HEAD if chain.policy == "-" else 0
        starts[chain.name] = position
        position += sum(map(len, blobs)) + _FOOT
    parts: list[bytes] = []
    offsets: list[int] = []
    position = 0

    def add(data: bytes) -> None:
        nonlocal position
        offsets.append(position)
        parts.append(data)
        position += len(data)

    for chain, blobs in chains:
        if chain.policy == "-":
            add(_error(chain.name))
        for rule, packed in zip(chain.rules, blobs, strict=True):
            add(_resolved(rule, packed, position, starts))
        add(_foot("RETURN" if chain.policy == "-" else chain.policy))
    add(_error("ERROR"))
    return b"".join(parts), offsets


def _resolved(rule: Rule, packed: bytes, position: int, starts: dict[str, int]) -> bytes:
    if rule.target is None:
        return packed[:-_STANDARD] + _standard(position + len(packed))
    if type(rule.target) is not Jump:
        return packed
    chain = rule.target.chain
    return packed[:-_STANDARD] + _standard(_VERDICTS[chain] if chain in VERDICTS else starts[chain])


def _standard(verdict: int) -> bytes:
    return struct.pack("<H30xi4x", _STANDARD, verdict)


def _foot(verdict: str) -> bytes:
    return struct.pack("<88xHH20x", ENTRY, _FOOT) + _standard(_VERDICTS[verdict])


def _error(name: str) -> bytes:
    return struct.pack("<88xHH20xH30s32s", ENTRY, _HEAD, _ERROR, b"ERROR", name.encode())


def _info(handle: socket.socket, table: str) -> tuple[int, int]:
    buffer = bytearray(_INFO.pack(table.encode(), 0, b"", b"", 0, 0))
    if not _get(handle, GET_INFO, buffer):
        return 0, 0
    _, _, _, _, entries, size = _INFO.unpack(buffer)
    return entries, size


def _entries(handle: socket.socket, table: str, size: int) -> bytes | None:
    buffer = bytearray(struct.pack("<32sI4x", table.encode(), size) + bytes(size))
    return bytes(buffer[_HEADER:]) if _get(handle, GET_ENTRIES, buffer) else None


def _get(handle: socket.socket, option: int, buffer: bytearray) -> bool:
    # Python's own getsockopt stops at 1,024 bytes.
    length = ctypes.c_uint32(len(buffer))
    view = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    if libc.getsockopt(handle.fileno(), socket.IPPROTO_IP, option, view, ctypes.byref(length)) == 0:
        return True
    code = ctypes.get_errno()
    # No such table, or it has changed since the first call: not what we look for.
    if code in (errno.ENOENT, errno.EAGAIN, errno.EINVAL):
        return False
    raise OSError(code, f"getsockopt {option}: {os.strerror(code)}")
