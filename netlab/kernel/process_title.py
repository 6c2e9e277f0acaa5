"""The name under which `ps` shows a process that was forked and not executed."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

from netlab.kernel import syscalls

ROOM = 4096  # bytes that a process that wants titles keeps free on its own command line

_area: tuple[int, int] | None = None


def prepare() -> None:
    """Remembers where this process has its command line; call it once, before the first `write` and fork."""
    global _area
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, proc_pid_stat(5)
    _area = (start, end) if start and end > start else None


def write(argv: Sequence[str]) -> None:
    """Makes `ps` and /proc/PID/cmdline show argv (as much as there is room for), and comm its program."""
    name = argv[0].rpartition("/")[2].encode()[:15]
    syscalls.libc.prctl(syscalls.PR_SET_NAME, name + b"\0", 0, 0, 0)
    if _area is None:
        return
    start, end = _area
    text = b"\0".join(word.encode(errors="surrogateescape") for word in argv)[: end - start - 1] + b"\0"
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)
    try:
        syscalls.prctl(syscalls.PR_SET_MM, syscalls.PR_SET_MM_ARG_END, start + len(text))
    except OSError:
        pass  # without CAP_SYS_RESOURCE there are zero bytes behind the title, which ps does not show
