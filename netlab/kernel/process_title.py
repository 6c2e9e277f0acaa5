"""The name under which `ps` shows a process that was forked and not executed."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from pathlib import Path

from netlab.kernel import syscalls

ROOM = 4096  # bytes that a process that wants titles keeps free on its own command line

_layout: list[int] = []  # of this process' memory, in prctl_mm_map's order
_ARG_START, _ARG_END, _BRK = 7, 8, 5


def prepare() -> None:
    """Remembers where this process has its command line; call it once, before the first `write` and fork."""
    fields = [int(field) for field in Path("/proc/self/stat").read_text().rpartition(")")[2].split()[1:]]
    # proc_pid_stat(5) counts from 1, and the list begins with field 4: startcode, endcode, start_data, end_data,
    # start_brk, (brk), startstack, arg_start, arg_end, env_start, env_end
    numbers = (26, 27, 45, 46, 47, 47, 28, 48, 49, 50, 51)
    _layout[:] = [fields[number - 4] for number in numbers]


def write(argv: Sequence[str]) -> None:
    """Makes `ps` and /proc/PID/cmdline show argv (as much as there is room for), and comm its program."""
    name = argv[0].rpartition("/")[2].encode()[:15]
    syscalls.libc.prctl(syscalls.PR_SET_NAME, name + b"\0", 0, 0, 0)
    if not _layout or not _layout[_ARG_START]:
        return
    start, room = _layout[_ARG_START], _layout[_ARG_END] - _layout[_ARG_START]
    text = b"\0".join(word.encode(errors="surrogateescape") for word in argv)[: room - 1] + b"\0"
    ctypes.memmove(start, text.ljust(room, b"\0"), room)
    # Without this (an old kernel) there are zero bytes behind the title, which ps does not show.
    layout = list(_layout)
    layout[_ARG_END] = start + len(text)
    syscalls.libc.sbrk.restype = ctypes.c_void_p
    layout[_BRK] = syscalls.libc.sbrk(0)
    data = struct.pack("12QIi", *layout, 0, 0, -1)  # no auxv, no other executable
    syscalls.libc.prctl(syscalls.PR_SET_MM, syscalls.PR_SET_MM_MAP, data, ctypes.c_ulong(len(data)), 0)
