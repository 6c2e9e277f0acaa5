"""Network namespaces by name, and visits to them.

A thread that enters a netns never comes back: it ends there. A socket or netlink handle made during a visit keeps
its netns for life and may be used from anywhere.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from netlab.topology.names import NETNS

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def path(netns: str) -> str:
    """Where the netns of that name is mounted, as `ip netns` does it."""
    return str(NETNS / netns)


def enter(netns: str) -> None:
    """Moves the calling thread into the netns for good. FileNotFoundError when there is none of that name."""
    descriptor = os.open(path(netns), os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"setns {netns}: {os.strerror(code)}")
    finally:
        os.close(descriptor)


def visit(netns: str, function: Callable[[], T]) -> T:
    """What `function` gives when it runs inside the netns, in a thread of its own that ends there. About 0.15 ms."""
    result: list[Any] = []

    def work() -> None:
        try:
            enter(netns)
            result.append((True, function()))
        except BaseException as error:  # handed to the caller, whatever it is
            result.append((False, error))

    thread = threading.Thread(target=work, name=f"visit {netns}")
    thread.start()
    thread.join()
    done, value = result[0]
    if not done:
        raise value
    return cast(T, value)
