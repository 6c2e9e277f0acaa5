"""A lab's lock: who holds it may change the lab; and the lab's run directory, made so that nobody can plant one.

The lock is a flock(2), so it goes with its holder, however that ends. A descriptor of it may be inherited by short
helper programs (`pass_fds=(lock.fileno(),)`, never by long-lived ones): that the lock can be taken then means that
no daemon *and no helper in flight* is left. Only its holder removes the file; who has locked a file that is not the
one at that path any more owns nothing, and tries again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from netlab.kernel import process
from netlab.model.errors import LabError
from netlab.topology import names


class Holder(NamedTuple):
    """What the last one that took a lock wrote into it; it may have gone since."""

    purpose: str
    pid: int
    started: int


class Lock:
    """The lock, taken; it is released by `release`, or by the end of all processes that have its descriptor."""

    def __init__(self, lab: str, descriptor: int) -> None:
        self.lab = lab
        self._descriptor = descriptor

    @classmethod
    def try_take(cls, lab: str, *, purpose: str) -> Lock | None:
        """The lock, or None when somebody has it. `purpose` (`daemon`, `down`) is what others are told.

        The descriptor is inheritable only through `pass_fds`.
        """
        while True:
            descriptor = _open(lab)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            if _is_the_file(descriptor, lab):
                break
            os.close(descriptor)  # its last holder has removed it meanwhile: another may have made a new one
        lock = cls(lab, descriptor)
        lock.mark(purpose)
        return lock

    def mark(self, purpose: str, pid: int | None = None) -> None:
        """Writes who holds it: this process, or another one that has inherited it and stays (a daemon)."""
        pid = os.getpid() if pid is None else pid
        text = json.dumps([process.boot_id(), purpose, pid, process.start_time(pid)])
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._descriptor

    def release(self) -> None:
        """Gives it up, unless another process has inherited it. A second time is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Gives it up and removes the file: nothing of the lab is left that it could guard."""
        names.lock_file(self.lab).unlink(missing_ok=True)
        self.release()
        with contextlib.suppress(OSError):
            names.RUN.rmdir()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.release()


def _is_the_file(descriptor: int, lab: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(names.lock_file(lab)))
    except FileNotFoundError:
        return False


def is_held(lab: str) -> bool:
    """Whether somebody has the lock now."""
    try:
        descriptor = _open_file(lab, 0)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def last_holder(lab: str) -> Holder | None:
    """Who took the lock last, if that process still runs."""
    try:
        boot, purpose, pid, started = json.loads(names.lock_file(lab).read_text())
    except (OSError, ValueError):
        return None
    if boot != process.boot_id() or process.gone(pid):
        return None
    descriptor = process.pin(pid, started)
    if descriptor is None:
        return None
    os.close(descriptor)
    return Holder(str(purpose), pid, started)


def holders(lab: str) -> list[int]:
    """Pids of all other processes that hold the lock: by having taken it, or by having inherited it."""
    try:
        wanted = os.lstat(names.lock_file(lab))
    except FileNotFoundError:
        return []
    return [pid for pid in all_pids() if pid != os.getpid() and _holds(pid, wanted)]


def all_pids() -> list[int]:
    """Every process that this one's /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def make_run_dir(lab: str) -> Path:
    """The lab's run directory, made if need be: mode 0700, root's own. LabError when something is in its way."""
    make_private_dir(names.RUN)
    return make_private_dir(names.run_dir(lab))


def make_private_dir(path: Path) -> Path:
    """A directory of mode 0700; one that is there must be a real one and belong to this user, or LabError."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    if not is_private(path):
        raise LabError(f"{path} is not a directory of this user's", hint=f"see who made it: ls -ld {path}", exit_code=3)
    if os.lstat(path).st_mode & 0o077:
        os.chmod(path, 0o700)
    return path


def is_private(path: Path) -> bool:
    """Whether it is a real directory of this user or root; False when there is nothing, too."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid in (0, os.geteuid())


def _open(lab: str) -> int:
    make_private_dir(names.RUN)
    return _open_file(lab, os.O_CREAT)


def _open_file(lab: str, flags: int) -> int:
    path = names.lock_file(lab)
    try:
        return os.open(path, flags | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        raise LabError(f"{path} cannot be opened as a lab's lock: {error.strerror}",
                       hint=f"see who made it: ls -ld {path.parent} {path}", exit_code=3) from None


def _holds(pid: int, wanted: os.stat_result) -> bool:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    return any(_is_lock(f"/proc/{pid}", descriptor, wanted) for descriptor in descriptors)


def _is_lock(proc: str, descriptor: str, wanted: os.stat_result) -> bool:
    """Whether it is the lock, and is locked: who only tries has the file open as well, for a moment."""
    try:
        found = os.stat(f"{proc}/fd/{descriptor}")
        if (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino):
            return False
        return "\nlock:" in Path(f"{proc}/fdinfo/{descriptor}").read_text()  # proc_pid_fdinfo(5)
    except OSError:
        return False
