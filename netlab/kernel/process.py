"""Processes by identity, not by number: a record says boot, pid and start time, so a reused pid is never hit."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from pathlib import Path


def boot_id() -> str:
    """The kernel's random name of this boot (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int:
    """Clock ticks between boot and the process's start (proc_pid_stat(5), field 22). OSError when it is gone."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def pin(pid: int, started: int) -> int | None:
    """A pidfd of exactly that process, or None when it is gone. The caller closes it."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        if start_time(pid) == started:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def number(pidfd: int) -> int:
    """The pid of a pidfd's process as this machine's /proc has it, whatever namespace gave us the descriptor."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    raise ProcessLookupError(3, "not a pidfd")


def gone(pid: int) -> bool:
    """Whether the process has released its namespaces: it is dead, or a zombie nobody has reaped yet."""
    try:
        os.readlink(f"/proc/{pid}/ns/net")
    except PermissionError:
        return False  # a protected process, seen without CAP_SYS_PTRACE; once it has no memory it would be ENOENT
    except OSError:
        return True
    return False


def write_record(path: Path, pid: int) -> None:
    """Writes [boot_id, pid, start time] so that it is there whole or not at all.

    Not synced to the disk: after a crash of the machine the process is gone anyway.
    """
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w") as file:
        json.dump([boot_id(), pid, start_time(pid)], file)
    temporary.rename(path)


def read_record(path: Path) -> tuple[int, int] | None:
    """(pid, start time) of a process that runs still, or None: no record, another boot, or gone."""
    try:
        boot, pid, started = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if boot != boot_id() or gone(pid):
        return None
    descriptor = pin(pid, started)
    if descriptor is None:
        return None
    os.close(descriptor)
    return pid, started


def descendants(pid: int) -> list[tuple[int, int]]:
    """(pid, start time) of all processes below that one; of a PID namespace's init: of the whole namespace."""
    children: dict[int, list[tuple[int, int]]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append((int(name), int(fields[19])))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += [child for child, _ in below]
    return found


def kill_namespace(pid: int, started: int, *, limit: float = 10.0) -> bool:
    """SIGKILLs the init of a PID namespace and waits until all that ran in it is gone; False after `limit` seconds."""
    descriptor = pin(pid, started)
    if descriptor is None:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        members = descendants(pid)
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            # The pidfd is readable when the kernel has emptied the namespace. An unreaped zombie that somebody
            # put into it from outside delays that for ever (pid_namespaces(7)), so look at the members as well.
            if poll.poll(20) or (gone(pid) and all(gone(member) for member, _ in members)):
                return True
        return False
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)


def kill(pid: int, started: int, *, limit: float = 5.0) -> bool:
    """SIGKILLs exactly that process and waits until its namespaces are released; False when `limit` seconds pass."""
    descriptor = pin(pid, started)
    if descriptor is None:
        return True
    try:
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            # A zombie whose parent does not reap it may never make the pidfd readable: look at both.
            if poll.poll(5) or gone(pid):
                return True
        return False
    finally:
        os.close(descriptor)
