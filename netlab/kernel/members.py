"""Kills groups of processes inside a pod; called by its init, whose /proc shows the pod only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

LIMIT = 0.5  # seconds to wait for the killed


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _kill_all(belongs: Callable[[int], bool]) -> None:
    # Again until none is left: one may have forked while we looked, and dying takes its time.
    end = time.monotonic() + LIMIT
    while found := [pid for pid in _pids() if belongs(pid)]:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > end:
            return
        time.sleep(0.001)


def kill_mount_namespace(inode: int) -> None:
    """Ends all processes in that mount namespace, daemons of an own session included; their ports are free then."""
    def belongs(pid: int) -> bool:
        try:
            return os.stat(f"/proc/{pid}/ns/mnt").st_ino == inode
        except OSError:
            return False  # gone, or a zombie
    _kill_all(belongs)


def kill_session(leader: int) -> None:
    """Ends all processes of a session, whatever their process group."""
    def belongs(pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return False
        return fields[0] not in "ZX" and int(fields[3]) == leader
    _kill_all(belongs)
