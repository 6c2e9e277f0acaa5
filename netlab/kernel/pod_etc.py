"""A pod's /etc: a directory of its own in which the machine's entries are bound one by one, without the secrets.

A mask laid over a secret would not hold: the kernel takes a mount away when its mount point is replaced by rename in
another mount namespace (rename(2), mount_namespaces(7)), which is how passwd(1) writes /etc/shadow.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from functools import cache

from netlab.kernel import mounts, syscalls
from netlab.kernel.syscalls import MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY, MS_REC

READABLE = 0o004
# Kept by root, or of no use in a pod, though their directory may be read by all.
SECRET = ("ssh", "ssl/private", "sudoers.d", "security/opasswd", "NetworkManager/system-connections", "wireguard",
          "letsencrypt", "kubernetes", "rancher", "netns")


def show(source: str, target: str) -> None:
    """Makes `target`, read-only and like the machine's `source`; what others than root may not read there is empty."""
    hidden = secrets(source)
    opened = {parent for path in hidden for parent in _parents(path, source)}
    os.mkdir(target)
    syscalls.mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, data="size=4m,nr_inodes=65536,mode=755")
    _fill(source, target, hidden, opened)
    mounts.protect(target, MS_RDONLY | MS_NOSUID | MS_NODEV)


@cache
def secrets(directory: str) -> frozenset[str]:
    """The paths below the directory that are not for everybody's eyes. Looked for once: some milliseconds."""
    return frozenset([*_unreadable(directory), *(f"{directory}/{name}" for name in SECRET)])


def _unreadable(directory: str) -> Iterator[str]:
    for entry in os.scandir(directory):
        mode = _mode(entry)
        if stat.S_ISLNK(mode):
            continue
        if not mode & READABLE:
            yield entry.path
        elif stat.S_ISDIR(mode):
            with contextlib.suppress(FileNotFoundError):
                yield from _unreadable(entry.path)


def _fill(source: str, target: str, hidden: frozenset[str], opened: set[str]) -> None:
    for entry in os.scandir(source):
        place, mode = f"{target}/{entry.name}", _mode(entry)
        try:
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(entry.path), place)
            elif not mode & READABLE or entry.path in hidden:
                _make(place, mode & stat.S_IFDIR)  # the name is no secret
            elif entry.path in opened:
                os.mkdir(place)
                os.chmod(place, 0o755)
                _fill(entry.path, place, hidden, opened)
            else:
                _make(place, mode & stat.S_IFDIR)
                syscalls.mount(entry.path, place, flags=MS_BIND | MS_REC)
        except FileNotFoundError:
            pass  # removed just now


def _make(place: str, directory: int) -> None:
    if directory:
        os.mkdir(place, 0o755)
    else:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _mode(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return stat.S_IFREG  # removed just now: then nobody may read it


def _parents(path: str, root: str) -> Iterator[str]:
    while (path := os.path.dirname(path)) != root:
        yield path
