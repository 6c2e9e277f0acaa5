"""Network namespaces by name, and visits to them.

A thread that enters a netns never comes back: it ends there. A socket or netlink handle made during a visit keeps
its netns for life and may be used from anywhere.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from netlab.topology.names import NETNS

T = TypeVar("T")
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_SLAVE, MS_SHARED = 0x1000, 0x4000, 0x80000, 0x100000
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
libc = ctypes.CDLL(None, use_errno=True)


def path(netns: str) -> str:
    """Where the netns of that name is mounted, as `ip netns` does it."""
    return str(NETNS / netns)


def enter(netns: str) -> None:
    """Moves the calling thread into the netns for good. FileNotFoundError when there is none of that name."""
    descriptor = os.open(path(netns), os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter_descriptor(descriptor, netns)
    finally:
        os.close(descriptor)


def enter_descriptor(descriptor: int, netns: str) -> None:
    """`enter` for a netns that is open already; the name is for the error."""
    _check(libc.setns(descriptor, CLONE_NEWNET), f"setns {netns}")


def unshare(flags: int) -> None:
    """Gives the calling thread new namespaces (unshare(2)), for good."""
    _check(libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int) -> None:
    """mount(2); OSError names the target."""
    _check(libc.mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), None),
           f"mount {target}")


def exists(netns: str) -> bool:
    """Whether there is a netns of that name: a plain file, left by an interrupted `ip netns add`, is none."""
    try:
        return os.stat(path(netns)).st_dev == os.stat("/proc/self/ns/net").st_dev
    except FileNotFoundError:
        return False


def create(netns: str) -> None:
    """Moves the calling thread into a new netns of that name, which outlives it. Repairs an interrupted creation."""
    _share_names()
    try:
        os.close(os.open(path(netns), os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    except FileExistsError:
        if exists(netns):
            raise
    unshare(CLONE_NEWNET)
    mount("/proc/thread-self/ns/net", path(netns), "none", MS_BIND)


def delete(netns: str) -> None:
    """Takes the name away; the kernel ends the netns when no process and no descriptor uses it. Absent is fine."""
    target = os.fsencode(path(netns))
    # Each mount of the name: there are several when /run was shared before the names were.
    while libc.umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0:
        pass
    try:
        os.unlink(target)
    except FileNotFoundError:
        pass


def _share_names() -> None:
    """Makes /run/netns what `ip netns add` makes of it: a mount that shows new names in other mount namespaces."""
    NETNS.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        mount("", str(NETNS), "none", MS_SHARED | MS_REC)
        return
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    lock = os.open(NETNS, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `ip netns add` takes it as well: two of us must not stack two mounts
        try:
            mount("", str(NETNS), "none", MS_SHARED | MS_REC)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            mount(str(NETNS), str(NETNS), "none", MS_BIND | MS_REC)
            mount("", str(NETNS), "none", MS_SHARED | MS_REC)
    finally:
        os.close(lock)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def visit(netns: str, function: Callable[[], T]) -> T:
    """What `function` gives when it runs inside the netns, in a thread of its own that ends there. About 0.15 ms."""

    def inside() -> T:
        enter(netns)
        return function()

    return in_thread(inside)


def in_thread(function: Callable[[], T]) -> T:
    """What `function` gives in a thread of its own that ends there, so that it may change its namespaces."""
    result: list[Any] = []

    def work() -> None:
        try:
            result.append((True, function()))
        except BaseException as error:  # handed to the caller, whatever it is
            result.append((False, error))

    thread = threading.Thread(target=work, name="netns")
    thread.start()
    thread.join()
    done, value = result[0]
    if not done:
        raise value
    return cast(T, value)
