"""Files in the home of the user who runs netlab, by sudo or not: written and removed as that user.

Root must never follow a path in a home: its owner may have put a link anywhere. So a child process becomes the user
for good, and does it.
"""

from __future__ import annotations

import errno
import json
import os
import pwd
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

RECORD = "kubeconfigs.json"


class Owner(NamedTuple):
    """A user of the machine."""

    uid: int
    gid: int
    home: Path


def invoking_user(environment: Mapping[str, str] = os.environ) -> Owner:
    """Who typed the command: under sudo the user that sudo names, if there is such a one, else this process's."""
    own = os.geteuid()
    if own == 0 and environment.get("SUDO_UID", "").isdecimal() and environment.get("SUDO_GID", "").isdecimal():
        try:
            entry = pwd.getpwuid(int(environment["SUDO_UID"]))
        except KeyError:
            entry = None
        if entry and entry.pw_uid and entry.pw_gid == int(environment["SUDO_GID"]) \
                and entry.pw_name == environment.get("SUDO_USER"):
            return Owner(entry.pw_uid, entry.pw_gid, Path(entry.pw_dir))
    home = environment.get("HOME") or pwd.getpwuid(own).pw_dir
    return Owner(own, os.getegid(), Path(home))


def write(owner: Owner, path: Path, text: str) -> None:
    """Replaces the file by one of mode 0600; directories that are missing are made with mode 0700. OSError."""
    def work() -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)

    _as_user(owner, work)


def remove(owner: Owner, path: Path) -> None:
    """Removes the file, and its directory when that is empty then; absent is fine. OSError."""
    def work() -> None:
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:
            pass  # other files are in it, or it is not there

    _as_user(owner, work)


def remember(directory: Path, owner: Owner, path: Path) -> None:
    """Notes in a lab's run directory that this file is to go with the lab."""
    entry = [owner.uid, owner.gid, str(owner.home), str(path)]
    known = _remembered(directory)
    if entry not in known:
        temporary = directory / f"{RECORD}.new"
        temporary.write_text(json.dumps([*known, entry]))
        temporary.rename(directory / RECORD)


def remove_remembered(directory: Path) -> None:
    """Removes every file that was noted; one that cannot be removed stays, and is told by nobody."""
    for uid, gid, home, path in _remembered(directory):
        try:
            remove(Owner(uid, gid, Path(home)), Path(path))
        except OSError:
            pass  # a home that is not mounted now, or not writable any more: it holds no valid token either


def _remembered(directory: Path) -> list[list[Any]]:
    try:
        found: list[list[Any]] = json.loads((directory / RECORD).read_text())
    except (OSError, ValueError):
        return []
    return found


def _as_user(owner: Owner, work: Callable[[], None]) -> None:
    if owner.uid == os.geteuid():
        work()
        return
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(owner.gid, owner.gid, owner.gid)
            os.setresuid(owner.uid, owner.uid, owner.uid)
            os.chdir("/")
            os.umask(0o077)
            work()
            code = 0
        except OSError as error:
            code = min(error.errno or errno.EIO, 255)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(abs(code), os.strerror(abs(code)))
