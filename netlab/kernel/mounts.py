"""Bind mounts: protected as a whole tree, and at targets that do not exist yet, even below read-only directories."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from netlab.kernel import syscalls
from netlab.kernel.syscalls import MS_BIND, MS_MOVE, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT

REPLICA_LIMIT = 4096  # entries of a directory that is rebuilt to get a mount point into it
_BUILD = "/.replica"
_OPTIONS = {"ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC,
            "noatime": syscalls.MS_NOATIME, "nodiratime": syscalls.MS_NODIRATIME, "relatime": syscalls.MS_RELATIME}


def bind(source: str, target: str, flags: int, *, recursive: bool = True) -> None:
    """Shows `source` at `target`, which exists, with those flags on every mount of it."""
    syscalls.mount(source, target, flags=MS_BIND | (MS_REC if recursive else 0))
    protect(target, flags)


def protect(path: str, flags: int) -> None:
    """Adds the flags to all mounts at and below `path`, and cuts them off from the propagation of others."""
    try:
        syscalls.mount_setattr(path, flags)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
        _protect_each(path, flags)


def _protect_each(path: str, flags: int) -> None:
    # Before Linux 5.12: a remount reaches one mount only, and sets the flags that it must keep as well.
    syscalls.mount("", path, flags=MS_REC | syscalls.MS_PRIVATE)
    for point, held in table():
        if point == path or point.startswith(path.rstrip("/") + "/"):
            syscalls.mount("", point, flags=MS_REMOUNT | MS_BIND | held | flags)


def table() -> list[tuple[str, int]]:
    """(mount point, flags) of what the calling process sees (proc_pid_mountinfo(5))."""
    rows = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        point = fields[4].encode().decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape")
        rows.append((point, sum(_OPTIONS.get(option, 0) for option in fields[5].split(","))))
    return rows


def attach(trees: Iterable[tuple[int, str, bool]]) -> None:
    """Attaches (descriptor of `open_tree`, target, read-only) in this order; closes the descriptors.

    Symbolic links in a target count as they are inside the pod. OSError names a target that is impossible.
    """
    replicas: list[str] = []
    waiting = list(trees)
    try:
        while waiting:
            tree, target, read_only = waiting[0]
            place = os.path.realpath(target)
            _make_place(place, stat.S_ISDIR(os.fstat(tree).st_mode), replicas)
            syscalls.move_mount(tree, place)
            protect(place, MS_NOSUID | MS_NODEV | (MS_RDONLY if read_only else 0))
            os.close(waiting.pop(0)[0])
    finally:
        for tree, _, _ in waiting:
            os.close(tree)
    for place in replicas:
        syscalls.mount("", place, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _make_place(place: str, directory: bool, replicas: list[str]) -> None:
    if place == "/":
        raise OSError(errno.EINVAL, "nothing can be mounted over the root directory", place)
    if os.path.lexists(place):
        if os.path.isdir(place) != directory:
            code, wanted = (errno.ENOTDIR, "directory") if directory else (errno.EISDIR, "file")
            raise OSError(code, f"a {wanted} cannot be mounted there: it is none", place)
        return
    try:
        _create(place, directory)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        parent = os.path.dirname(place)
        while not os.path.exists(parent):
            parent = os.path.dirname(parent)
        _replicate(parent)
        replicas.append(parent)
        _create(place, directory)


def _create(place: str, directory: bool) -> None:
    missing, path = [], place if directory else os.path.dirname(place)
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for path in reversed(missing):
        os.mkdir(path)
        os.chmod(path, 0o755)  # whatever the umask is: programs in the pod may run as other users
    if not directory:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))


def _replicate(directory: str) -> None:
    # A read-only directory gets new entries by a tmpfs over it, in which everything it had is bound again. (An
    # overlay would be one mount, but it loses the mounts below the directory, with them the masks over secrets.)
    if directory.startswith(("/proc", "/sys")):
        raise OSError(errno.EROFS, "nothing new can be mounted there", directory)
    entries = list(os.scandir(directory))
    if len(entries) > REPLICA_LIMIT:
        raise OSError(errno.EROFS, f"it is read-only, and has more than {REPLICA_LIMIT} entries", directory)
    mode = stat.S_IMODE(os.stat(directory).st_mode)
    os.mkdir(_BUILD)
    try:
        syscalls.mount("tmpfs", _BUILD, "tmpfs", MS_NOSUID | MS_NODEV, data=f"size=1m,mode={mode:o}")
        try:
            for entry in entries:
                _copy_entry(entry)
            syscalls.mount(_BUILD, directory, flags=MS_MOVE)
        except BaseException:
            syscalls.unmount(_BUILD)
            raise
    finally:
        os.rmdir(_BUILD)


def _copy_entry(entry: os.DirEntry[str]) -> None:
    copy = f"{_BUILD}/{entry.name}"
    if entry.is_symlink():
        with contextlib.suppress(FileNotFoundError):  # removed just now
            os.symlink(os.readlink(entry.path), copy)
        return
    if entry.is_dir():
        os.mkdir(copy)
    else:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    try:
        syscalls.mount(entry.path, copy, flags=MS_BIND | MS_REC)
    except FileNotFoundError:
        pass  # removed just now


def mask(paths: Sequence[str]) -> None:
    """Hides what is at those paths, as far as it exists: files behind /dev/null, directories behind an empty one."""
    for path in paths:
        try:
            directory = stat.S_ISDIR(os.stat(path).st_mode)
        except OSError:
            continue
        place = os.path.realpath(path)
        try:
            if directory:
                flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
                syscalls.mount("tmpfs", place, "tmpfs", flags, data="size=0,nr_inodes=2,mode=755")
            else:
                syscalls.mount("/dev/null", place, flags=MS_BIND)
        except FileNotFoundError:
            pass  # removed just now
