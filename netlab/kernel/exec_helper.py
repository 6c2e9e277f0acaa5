"""The process between a caller and a program that it runs in a node: enters the netns, starts the program, watches.

It runs as a fork of the caller, or, when the caller has threads, as a program of its own by `python -I -S`: so it
imports nothing but what comes with Python, and little of that.

It does what `ip netns exec` does (ip-netns(8)): a mount namespace in which /sys is that of the netns and each file
of /etc/netns/NAME lies over the one in /etc. When the caller's end of the control socket closes, because it wants to
end or because it was killed, everything that the program has started is killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import sys
import time

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_RDONLY, MS_BIND, MS_REC, MS_SLAVE = 1, 0x1000, 0x4000, 0x80000
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
NOT_SET_UP = 125
libc = ctypes.CDLL(None, use_errno=True)


def supervise(control: int, netns: int, name: str, argv: list[str], env: dict[str, str], stdio: list[int],
              limit: float | None) -> int:
    """The exit code for the caller: the program's, 128+n after signal n, 126 or 127 when it cannot be started, 124.

    What goes wrong before that is written to the control socket, and 125 is given.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends them to the program too, which decides
    try:
        control, netns = _arrange(stdio, control, netns)
        enter(netns, name)
    except OSError as error:
        os.write(control, (error.strerror or str(error)).encode())
        return NOT_SET_UP
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(argv, env, parent)
    null = os.open("/dev/null", os.O_RDWR)
    for target in (0, 1, 2):  # whoever reads the program's output must see its end
        os.dup2(null, target)
    return _watch(control, pid, limit)


def enter(netns: int, name: str) -> None:
    """Moves this process into the netns, with the view of the file system that `ip netns exec` gives."""
    _check(libc.setns(netns, CLONE_NEWNET), f"enter {name}")
    _check(libc.unshare(CLONE_NEWNS), "new mount namespace")
    _mount("", "/", "none", MS_SLAVE | MS_REC)
    flags = MS_RDONLY if os.statvfs("/sys").f_flag & os.ST_RDONLY else 0
    libc.umount2(b"/sys", MNT_DETACH)
    _mount(name, "/sys", "sysfs", flags)
    directory = f"/etc/netns/{name}"
    for entry in os.listdir(directory) if os.path.isdir(directory) else []:
        if os.path.exists(f"/etc/{entry}"):
            _mount(f"{directory}/{entry}", f"/etc/{entry}", "none", MS_BIND)


def _arrange(stdio: list[int], control: int, netns: int) -> tuple[int, int]:
    """Puts the three descriptors where a program expects them and closes all others but our two."""
    # Everything out of the way first, so that no dup2 hits what is needed still.
    stdin, stdout, stderr, control, netns = (_above(number) for number in (*stdio, control, netns))
    for target, source in enumerate((stdin, stdout, stderr)):
        os.dup2(source, target)
    kept = sorted((control, netns))
    for low, high in ((3, kept[0]), (kept[0] + 1, kept[1]), (kept[1] + 1, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(low, high)
    return control, netns


def _above(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)


def _become(argv: list[str], env: dict[str, str], parent: int) -> None:
    """Turns into the program; never returns."""
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvpe(argv[0], argv, env)
    except FileNotFoundError:
        os.write(2, f"netlab: {argv[0]}: command not found\n".encode())
        os._exit(127)
    except OSError as error:
        os.write(2, f"netlab: {argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(126)


def _watch(control: int, pid: int, limit: float | None) -> int:
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll(None if limit is None else max(0, limit * 1000))}
    if pidfd in ready:
        _, status = os.waitpid(pid, 0)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    _kill_all()
    return 128 + signal.SIGKILL if ready else 124


def _kill_all() -> None:
    """Kills all descendants: orphans become children of this process, so none is missed."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    _check(libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


if __name__ == "__main__":
    import json

    sys.exit(supervise(**json.loads(sys.argv[1]), argv=sys.argv[2:], env=dict(os.environ)))
