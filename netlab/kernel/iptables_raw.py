"""A table as the kernel hands it out (IPT_SO_GET_ENTRIES) and takes it (IPT_SO_SET_REPLACE).

All functions must run inside of the netns.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from netlab.kernel.iptables_pack import SOCKETS, Layout
from netlab.kernel.iptables_table import HOOKS, ROOM, PackedTable
from netlab.kernel.netns import libc

LEVELS = {socket.AF_INET: socket.IPPROTO_IP, socket.AF_INET6: socket.IPPROTO_IPV6}  # options have the same numbers
GET_INFO, GET_ENTRIES, SET_REPLACE = 64, 65, 64
_INFO = struct.Struct("<32sI20s20sII")
_REPLACE = struct.Struct("<32sIII20s20sIQ")  # struct ipt_replace up to its entries
_COUNTERS = 16  # bytes of an entry's counters
_HEADER = 40  # struct ipt_get_entries
_ZERO4 = bytes(4)


def holds(table: PackedTable) -> bool:
    """Whether this netns's table is exactly that one, counters aside. Cheap when it has another size."""
    with _socket(table) as handle:
        _, entries, size = _info(handle, table.name)
        if (entries, size) != (table.entries, table.size):
            return False
        found = _entries(handle, table.name, size)
    if found is None:
        return False
    blank(found, table.offsets, table.layout)
    found[:ROOM] = table.message[:ROOM]
    return found == table.message  # of whole bytearrays: views would be compared byte by byte, in a loop


def has_size(table: PackedTable) -> bool:
    """Whether this netns's table has as many entries and bytes as that one."""
    with _socket(table) as handle:
        return _info(handle, table.name)[1:] == (table.entries, table.size)


def is_in_use(table: PackedTable) -> bool:
    """Whether this netns's table has rules or chains. Asked so, the kernel makes a table if there is none."""
    with _socket(table) as handle:
        return _info(handle, table.name)[1] > len(table.policies) + 1


def put(table: PackedTable) -> None:
    """Makes the table that one in a single call; OSError if the kernel refuses.

    It is not for tables that no kernel has taken before: what is wrong with a rule is not told. The lock must be held.
    """
    data = table.message
    first, last = [0] * len(HOOKS), [0] * len(HOOKS)
    for name, (start, end) in table.hooks.items():
        first[HOOKS[name]], last[HOOKS[name]] = start, end
    with _socket(table) as handle:
        hooks, entries, _ = _info(handle, table.name)
        if not entries:
            raise OSError(errno.ENOENT, f"{table.program} table {table.name}: {os.strerror(errno.ENOENT)}")
        counters = ctypes.create_string_buffer(_COUNTERS * entries)  # the kernel writes those of the old rules there
        _REPLACE.pack_into(data, 0, table.name.encode(), hooks, table.entries, table.size,
                           struct.pack("<5I", *first), struct.pack("<5I", *last), entries, ctypes.addressof(counters))
        view = (ctypes.c_char * len(data)).from_buffer(data)
        if libc.setsockopt(handle.fileno(), LEVELS[handle.family], SET_REPLACE, view, len(data)) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{table.program} table {table.name}: {os.strerror(code)}")


def blank(raw: bytearray, offsets: list[int], layout: Layout) -> None:
    """Takes out of entries behind ROOM what the kernel and libiptc note in them: nfcache, comefrom, counters."""
    cache, origin, end = ROOM + layout.cache, ROOM + layout.origin, ROOM + layout.size
    notes = bytes(end - origin)
    for offset in offsets:
        raw[offset + cache:offset + cache + 4] = _ZERO4
        raw[offset + origin:offset + end] = notes


def _socket(table: PackedTable) -> socket.socket:
    return socket.socket(SOCKETS[table.family], socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)


def _info(handle: socket.socket, table: str) -> tuple[int, int, int]:
    """The table's hooks as bits, number of entries and size; zeros when there is no such table."""
    buffer = bytearray(_INFO.pack(table.encode(), 0, b"", b"", 0, 0))
    if not _get(handle, GET_INFO, buffer):
        return 0, 0, 0
    _, hooks, _, _, entries, size = _INFO.unpack(buffer)
    return hooks, entries, size


def _entries(handle: socket.socket, table: str, size: int) -> bytearray | None:
    """The table's entries behind ROOM, as in a PackedTable's message."""
    buffer = bytearray(ROOM + size)
    struct.pack_into("<32sI", buffer, ROOM - _HEADER, table.encode(), size)
    return buffer if _get(handle, GET_ENTRIES, buffer, start=ROOM - _HEADER) else None


def _get(handle: socket.socket, option: int, buffer: bytearray, *, start: int = 0) -> bool:
    """Whether the kernel wrote what was asked for into the buffer, from `start`."""
    # Python's own getsockopt stops at 1,024 bytes.
    length = ctypes.c_uint32(len(buffer) - start)
    view = (ctypes.c_char * length.value).from_buffer(buffer, start)
    result = libc.getsockopt(handle.fileno(), LEVELS[handle.family], option, view, ctypes.byref(length))
    code = ctypes.get_errno()
    if result == 0:
        return True
    # No such table, or it has changed since the first call: not what we look for.
    if code in (errno.ENOENT, errno.EAGAIN, errno.EINVAL):
        return False
    raise OSError(code, f"getsockopt {option}: {os.strerror(code)}")
