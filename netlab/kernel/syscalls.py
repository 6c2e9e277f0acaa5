"""System calls that Python has no function for; each raises OSError that names the object it was refused."""

from __future__ import annotations

import ctypes
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_RELATIME = 0x400, 0x800, 0x200000
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
MNT_DETACH = 2

AT_FDCWD, AT_RECURSIVE = -100, 0x8000
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442  # the same number on every architecture that Python runs on
OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH = 4

PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_MM, PR_SET_NO_NEW_PRIVS = 4, 15, 35, 38
PR_SET_MM_MAP = 14


def check(result: int, what: str) -> int:
    """The result of a libc function; OSError with errno and `what` when it is -1."""
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def unshare(flags: int) -> None:
    """unshare(2)."""
    check(libc.unshare(flags), "unshare namespaces")


def setns(path: str, kind: int) -> None:
    """Moves the calling process (it must have one thread) into the namespace whose file that is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(libc.setns(descriptor, kind), f"enter {path}")
    finally:
        os.close(descriptor)


def mount(source: str, target: str, kind: str = "", flags: int = 0, *, data: str = "") -> None:
    """mount(2)."""
    done = libc.mount(source.encode() or None, os.fsencode(target), kind.encode() or None,
                      ctypes.c_ulong(flags), data.encode() or None)
    check(done, f"mount {source or kind or 'options'} on {target}")


def unmount(target: str) -> None:
    """Detaches what is mounted there, busy or not."""
    check(libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def pivot_root(new_root: str) -> None:
    """Makes `new_root`, a mount point, the root and lets go of the old one."""
    os.chdir(new_root)
    check(libc.pivot_root(b".", b"."), f"pivot_root to {new_root}")
    check(libc.umount2(b".", MNT_DETACH), "unmount the old root")
    os.chdir("/")


def open_tree(path: str) -> int:
    """A descriptor of a copy of the mounts at `path`, attached nowhere: it can be handed to another namespace."""
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | AT_RECURSIVE
    return check(libc.syscall(ctypes.c_long(OPEN_TREE), AT_FDCWD, os.fsencode(path), flags), f"open the mount {path}")


def move_mount(tree: int, target: str) -> None:
    """Attaches what `open_tree` gave."""
    done = libc.syscall(ctypes.c_long(MOVE_MOUNT), tree, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH)
    check(done, f"mount on {target}")


def mount_setattr(path: str, flags: int, *, recursive: bool = True) -> None:
    """Sets MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC and private propagation on the mounts at `path` (Linux 5.12)."""
    attributes = struct.pack("QQQQ", flags, 0, MS_PRIVATE, 0)
    done = libc.syscall(ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, os.fsencode(path), AT_RECURSIVE if recursive else 0,
                        attributes, ctypes.c_size_t(len(attributes)))
    check(done, f"protect the mounts of {path}")


def prctl(option: int, *arguments: int) -> None:
    """prctl(2) with numbers."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    check(libc.prctl(option, *padded), f"prctl {option}")
