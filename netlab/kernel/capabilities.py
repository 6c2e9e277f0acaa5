"""What a container's root may do: the default set of container runtimes (capabilities(7))."""

from __future__ import annotations

import ctypes
import struct

from netlab.kernel import syscalls

# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE
# SETFCAP
DEFAULT = frozenset((0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))
MASK = sum(1 << number for number in DEFAULT)  # a80425fb

_VERSION_3 = struct.pack("Ii", 0x20080522, 0)
_PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 24, 47, 4


def drop() -> None:
    """Leaves the calling process the default set at most, for good: no exec gives anything back."""
    libc = syscalls.libc
    held = ctypes.create_string_buffer(24)
    syscalls.check(libc.capget(_VERSION_3, held), "read capabilities")
    _, low, _, _, high, _ = struct.unpack("IIIIII", held.raw)
    keep = MASK & (low | high << 32)
    for number in range(64):
        # EINVAL: past the last capability that the kernel knows
        if number not in DEFAULT and libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0) < 0:
            if ctypes.get_errno() == 22:
                break
            raise PermissionError(1, f"capability {number} cannot be dropped")
    libc.prctl(_PR_CAP_AMBIENT, ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
    low, high = keep & 0xFFFFFFFF, keep >> 32
    syscalls.check(libc.capset(_VERSION_3, struct.pack("IIIIII", low, low, 0, high, high, 0)), "set capabilities")
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
