"""A table as the kernel hands it out (IPT_SO_GET_ENTRIES) and takes it (IPT_SO_SET_REPLACE).

All functions must run inside of the netns.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
from typing import Any, Literal

from netlab.kernel.iptables_pack import SOCKETS
from netlab.kernel.iptables_table import HOOKS, ROOM, PackedTable
from netlab.kernel.netns import libc

LEVELS = {socket.AF_INET: socket.IPPROTO_IP, socket.AF_INET6: socket.IPPROTO_IPV6}  # options have the same numbers
GET_INFO, GET_ENTRIES, SET_REPLACE = 64, 65, 64
_INFO = struct.Struct("<32sI20s20sII")
_REPLACE = struct.Struct("<32sIII20s20sIQ")  # struct ipt_replace up to its entries
_COUNTERS = 16  # bytes of an entry's counters
_HEADER = 40  # struct ipt_get_entries
_LENGTH = struct.Struct("<H")  # of an entry: next_offset, in front of comefrom
_ZERO4 = bytes(4)
_PROT_NONE = 0


def holds(table: PackedTable) -> bool:
    """Whether this netns's table is exactly that one, counters aside. Cheap when it has another size."""
    return _begins_like(table, table.size)


def has_hooks(table: PackedTable) -> bool:
    """Whether this netns's table has as many entries and bytes as that one, and the same built-in chains.

    Much cheaper than `holds` for a large table, and nobody adds rules or changes a policy unseen.
    """
    return _begins_like(table, table.hooks_end)


def _begins_like(table: PackedTable, end: int) -> bool:
    """Whether this netns's table has the size of that one, and up to there the same entries, counters aside."""
    space = -(-(ROOM + end) // mmap.PAGESIZE) * mmap.PAGESIZE
    with _socket(table) as handle, mmap.mmap(-1, space + mmap.PAGESIZE) as area:
        if _info(handle, table.name)[1:] != (table.entries, table.size) or not _read(handle, table, area, end):
            return False
        blank(area, end, table)
        return area[:ROOM + end] == (table.message if end == table.size else table.message[:ROOM + end])


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


def blank(area: mmap.mmap, end: int, table: PackedTable) -> None:
    """Puts zeros where the kernel and libiptc make notes in entries: in nfcache, comefrom and counters."""
    cache, origin, size = table.layout.cache, table.layout.origin, table.layout.size
    notes, length = bytes(size - origin), _LENGTH.unpack_from
    area[:ROOM] = table.message[:ROOM]
    offset = ROOM
    while offset < ROOM + end:
        area[offset + cache:offset + cache + 4] = _ZERO4
        area[offset + origin:offset + size] = notes
        offset += length(table.message, offset + origin - 2)[0]


def _socket(table: PackedTable) -> socket.socket:
    return socket.socket(SOCKETS[table.family], socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)


def _info(handle: socket.socket, table: str) -> tuple[int, int, int]:
    """The table's hooks as bits, number of entries and size; zeros when there is no such table."""
    buffer = bytearray(_INFO.pack(table.encode(), 0, b"", b"", 0, 0))
    code = _ask(handle, GET_INFO, (ctypes.c_char * len(buffer)).from_buffer(buffer), len(buffer))
    if code:
        _absent(code)
        return 0, 0, 0
    _, hooks, _, _, entries, size = _INFO.unpack(buffer)
    return hooks, entries, size


def _read(handle: socket.socket, table: PackedTable, area: mmap.mmap, end: int) -> bool:
    """Whether the table's entries up to there could be read; they are behind ROOM then, as in its message.

    The kernel gives all or none. But where there is no memory to write to it fails, and has given the first ones.
    """
    struct.pack_into("<32sI", area, ROOM - _HEADER, table.name.encode(), table.size)
    view = (ctypes.c_char * len(area)).from_buffer(area)
    try:
        address = ctypes.addressof(view)
        behind = ctypes.c_void_p(address + len(area) - mmap.PAGESIZE)
        if libc.mprotect(behind, ctypes.c_size_t(mmap.PAGESIZE), _PROT_NONE) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
        start = ctypes.c_void_p(address + ROOM - _HEADER)
        code = _ask(handle, GET_ENTRIES, start, _HEADER + table.size)
    finally:
        del view  # or the memory could not be given back
    return code == 0 or (code == errno.EFAULT and end < table.size) or _absent(code)


def _absent(code: int) -> Literal[False]:
    """False, if this error says that there is no such table, or that it has changed since its size was asked for."""
    if code not in (errno.ENOENT, errno.EAGAIN, errno.EINVAL):
        raise OSError(code, f"getsockopt: {os.strerror(code)}")
    return False


def _ask(handle: socket.socket, option: int, view: Any, size: int) -> int:
    """Has the kernel fill in what was asked for; 0, or the number of an error."""
    # Python's own getsockopt stops at 1,024 bytes.
    length = ctypes.c_uint32(size)
    failed = libc.getsockopt(handle.fileno(), LEVELS[handle.family], option, view, ctypes.byref(length))
    return ctypes.get_errno() if failed else 0
