"""From a fork of the pod init to a container's program: its namespace, limits, capabilities, descriptors.

Everything in the parent's memory that must be loaded is loaded here at the top: where the child is, the
interpreter's library may be out of sight.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 (getaddrinfo looks it up when it is first called)
import errno
import fcntl
import importlib
import json
import os
import resource
import signal
import sys
import termios
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from netlab.kernel import capabilities, mounts, process_title, syscalls

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OPEN_FILES = 65536
OOM_SCORE = "1000"  # what the kubelet gives best-effort pods: on a full machine they go first


@dataclass(frozen=True)
class Program:
    """What to start, with descriptors of the parent's.

    `join` is the process whose mount namespace it shares (0: its parent's); None gives it one of its own, with
    `trees` (see `mounts.attach`) on top.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    stdio: tuple[int, int, int]
    entry: str = ""
    cwd: str = "/"
    trees: Sequence[tuple[int, str, bool]] = ()
    join: int | None = None
    tty: bool = False


def environment(env: Mapping[str, str], bin_directory: str) -> dict[str, str]:
    """The environment with its PATH, or the usual one, behind the pod's bin directory."""
    path = env.get("PATH", PATH)
    return {**env, "PATH": f"{bin_directory}:{path}" if bin_directory else path}


def start(program: Program) -> tuple[int, int]:
    """Starts it: (pid, inode of its mount namespace). OSError of the step that failed, execution included."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(program, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        lines = file.read().splitlines() or [b'{"errno": 3, "text": "it was killed when it started"}']
    report = json.loads(lines[-1])
    if "errno" in report:
        os.waitpid(pid, 0)
        raise OSError(report["errno"], report["text"])
    return pid, report["namespace"]


def _child(program: Program, writer: int) -> NoReturn:
    try:
        try:
            _isolate(program, writer)
            namespace = os.stat("/proc/self/ns/mnt").st_ino
            if program.entry:
                process_title.write(program.argv)
            capabilities.drop()
            if not program.entry:
                _execute(program, writer, namespace)
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
            _report(writer, namespace=namespace)
        except OSError as error:
            text = f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
            _report(writer, errno=error.errno or errno.EINVAL, text=text)
            os._exit(127)
        os.close(writer)
        os._exit(_call(program))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _report(writer: int, **facts: int | str) -> None:
    os.write(writer, json.dumps(facts).encode() + b"\n")


def _isolate(program: Program, writer: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    for place, descriptor in enumerate(program.stdio):
        os.dup2(descriptor, place)
    if program.tty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if program.join:
        syscalls.setns(f"/proc/{program.join}/ns/mnt", syscalls.CLONE_NEWNS)
    elif program.join is None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        mounts.attach(program.trees)
    # Descriptors that Python opened are closed by an exec; a built-in workload does none.
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != writer:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that listed them
    _limit()
    os.umask(0o022)
    if not os.path.isdir(program.cwd):
        os.makedirs(program.cwd, exist_ok=True)  # as container runtimes do
    os.chdir(program.cwd)


def _limit() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(OOM_SCORE)
    except OSError:
        pass  # in a user namespace
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, max(hard, OPEN_FILES)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, OPEN_FILES), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        os.setgroups([])
    except PermissionError:
        pass  # in a user namespace


def _execute(program: Program, writer: int, namespace: int) -> NoReturn:
    name = program.argv[0]
    path = "" if "/" in name else program.env["PATH"]
    worst = OSError(errno.ENOENT, f'exec: "{name}": ' + (
        "executable file not found in $PATH" if path else "no such file or directory"))
    # The parent reads until the exec closes the pipe; the last line that it gets counts.
    _report(writer, namespace=namespace)
    for directory in path.split(":"):
        try:
            os.execve(f"{directory}/{name}" if path else name, list(program.argv), dict(program.env))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            code = error.errno or errno.EINVAL
            worst = OSError(code, f'exec: "{name}": {os.strerror(code).lower()}')
            if code != errno.EACCES:
                break
    raise worst


def _call(program: Program) -> int:
    for stream, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        mode = "r" if descriptor == 0 else "w"
        setattr(sys, stream, open(descriptor, mode, buffering=1, encoding="utf-8",  # noqa: SIM115 (until the end)
                                  errors="backslashreplace", closefd=False))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as in every Python program
    os.environ.clear()
    os.environ.update(program.env)
    sys.argv = list(program.argv)
    module, _, function = program.entry.partition(":")
    try:
        try:
            sys.exit(getattr(importlib.import_module(module), function)(list(program.argv[1:])))
        finally:
            if "threading" in sys.modules:
                for thread in sys.modules["threading"].enumerate():
                    if not thread.daemon and thread is not sys.modules["threading"].main_thread():
                        thread.join()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        for output in (sys.stdout, sys.stderr):
            try:
                output.flush()
            except OSError:
                pass
    return 1
