"""Takes down all that a lab has on the machine, whatever state it is in, and tells what is there.

Everything has a name that follows from the lab's, so nothing depends on a journal. Each step can be interrupted and
repeated: what the others are found by, the run directory, goes last. Nothing is ever killed by a process's name.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from netlab.kernel import netns, process, user_files, wiring
from netlab.kernel.lock import Lock, all_pids, holders, is_held, is_private, last_holder
from netlab.model.errors import LabError
from netlab.topology import names

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def sweep(lab: str, *, lock: Lock | None = None, limit: float = 15.0) -> None:
    """Ends every process of the lab and removes everything that it made; a lab that is not there is fine.

    A lock that the caller has is kept; else it is taken, if need be by killing the daemon and what helps it, and
    removed at the end. Programs in the lab's netns are killed too, also those that a person started there by
    `ip netns exec`. LabError (exit code 5) when something is still there after `limit` seconds.
    """
    if not _LABEL.fullmatch(lab):
        raise LabError(f'"{lab}" is not a lab\'s name')
    if not _is_there(lab):
        return
    end = time.monotonic() + limit
    own = lock or _take(lab, end)
    try:
        _refuse_inside(lab)
        for record in ("daemon.json", "init.json"):
            found = process.read_record(names.run_dir(lab) / record)
            if found and found[0] != os.getpid():
                _end(*found)
        _kill_inside(lab, end)
        for name in _netns_of(lab):
            netns.delete(name)
        for name in _etc_of(lab):
            wiring.remove_etc(name)
        user_files.remove_remembered(names.run_dir(lab))
        _remove_tree(names.run_dir(lab))
    except BaseException:
        if own is not lock:
            own.release()
        raise
    if own is not lock:
        own.remove()


def leftovers(lab: str) -> list[str]:
    """One line for each thing of the lab that is on the machine."""
    found = [f"process {pid} ({_command(pid)}) in a netns of the lab" for pid in _inside(_inodes(lab))]
    found += [f"network namespace {names.NETNS / name}" for name in _netns_of(lab)]
    found += [f"directory {names.ETC_NETNS / name}" for name in _etc_of(lab)]
    found += [f"run directory {names.run_dir(lab)}"] if os.path.lexists(names.run_dir(lab)) else []
    if is_held(lab):
        found.append(f"lock {names.lock_file(lab)}, held by {', '.join(map(str, holders(lab))) or 'this process'}")
    return found


def labs() -> list[str]:
    """Names of all labs of which there is a run directory or a netns, running or not."""
    found = {name for name in _entries(names.RUN) if (names.RUN / name).is_dir()} if is_private(names.RUN) else set()
    found |= {name.partition(".")[0] for name in [*_entries(names.NETNS), *_entries(names.ETC_NETNS)] if "." in name}
    return sorted(name for name in found if _LABEL.fullmatch(name))


def _is_there(lab: str) -> bool:
    files = (names.run_dir(lab), names.lock_file(lab))
    return bool(any(map(os.path.lexists, files)) or _netns_of(lab) or _etc_of(lab))


def _take(lab: str, end: float) -> Lock:
    """The lock, taken from whoever has it: another `down` may end its work, all others are killed."""
    unknown: list[int] = []
    while True:
        lock = Lock.try_take(lab, purpose="down")
        if lock:
            return lock
        if time.monotonic() > end:
            known = ", ".join(map(str, holders(lab))) or "this process"
            raise LabError(f"the lock of lab {lab} cannot be taken: processes {known} have it", exit_code=5)
        holder = last_holder(lab)
        if holder and holder.purpose == "down":
            time.sleep(0.01)
            continue
        pids = holders(lab)
        if (holder and holder.pid in pids) or (pids and pids == unknown):
            for pid in pids:
                _kill(pid)
        else:  # it may have been taken just now, by another `down` that has not said so yet; or given up
            unknown = pids
            time.sleep(0.05)


def _refuse_inside(lab: str) -> None:
    """Who stands in a netns made by `ip netns exec` has mounts of his own, and would saw off the branch he sits on."""
    own = _inode("/proc/self/ns/net")
    if own in {_inode(netns.path(name)) for name in _netns_of(lab)} and own not in _machine(sure=True):
        raise LabError(f"this command runs inside lab {lab}", hint="leave the shell of the node, then repeat it")


def _kill_inside(lab: str, end: float) -> None:
    """Kills until nobody is left in the lab's netns: a process may have forked while we looked."""
    inodes = _inodes(lab)
    while pids := _inside(inodes):
        if time.monotonic() > end:
            raise LabError(f"processes {', '.join(map(str, pids))} in lab {lab} cannot be killed", exit_code=5)
        for pid in pids:
            _kill(pid)


def _end(pid: int, started: int) -> None:
    """Kills, and waits up to five seconds until all below it has ended too: a lab init is PID 1 of all pods."""
    descriptor = process.pin(pid, started)
    if descriptor is None:
        return
    try:
        process.kill(pid, started)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(5000)
    finally:
        os.close(descriptor)


def _kill(pid: int) -> None:
    try:
        process.kill(pid, process.start_time(pid), limit=1.0)
    except OSError:
        pass  # gone by itself


def _inside(inodes: Iterable[int]) -> list[int]:
    """Processes whose netns is one of those."""
    wanted = {f"net:[{inode}]" for inode in inodes}
    return [pid for pid in all_pids() if wanted and pid != os.getpid() and _netns_link(pid) in wanted]


def _netns_link(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def _inodes(lab: str) -> set[int]:
    """The lab's netns by number; never the machine's own, whatever was mounted under a name of ours."""
    return {_inode(netns.path(name)) for name in _netns_of(lab) if netns.exists(name)} - _machine()


def _machine(*, sure: bool = False) -> set[int]:
    """The machine's own netns: that of PID 1, or of this process where PID 1 must not be looked at."""
    try:
        return {_inode("/proc/1/ns/net")}
    except PermissionError:
        return set() if sure else {_inode("/proc/self/ns/net")}


def _inode(path: str) -> int:
    return os.stat(path).st_ino


def _netns_of(lab: str) -> list[str]:
    return [name for name in _entries(names.NETNS) if names.is_of_lab(name, lab)]


def _etc_of(lab: str) -> list[str]:
    return [name for name in _entries(names.ETC_NETNS) if names.is_of_lab(name, lab)]


def _entries(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_tree(path: Path) -> None:
    """Removes the directory without following a symlink, and without reaching into anything mounted below it."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        path.unlink()
        return
    for mounted in reversed(_mounts_below(path)):
        while netns.libc.umount2(os.fsencode(mounted), netns.MNT_DETACH | netns.UMOUNT_NOFOLLOW) == 0:
            pass
    if left := _mounts_below(path):
        raise LabError(f"{left[0]} cannot be unmounted, so {path} is not removed", exit_code=5)
    # A process of the lab that is just dying may still write; everything else that fails is told.
    for last_try in (False, True):
        try:
            shutil.rmtree(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            if last_try:
                raise
            time.sleep(0.05)


def _mounts_below(path: Path) -> list[str]:
    with open("/proc/self/mountinfo") as file:
        points = [re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), line.split(" ")[4]) for line in file]
    return [point for point in points if point == str(path) or point.startswith(f"{path}/")]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"
