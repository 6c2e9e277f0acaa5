"""Runs programs in a node's or the client's netns, as `ip netns exec` does, and never leaves one behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netlab.kernel import exec_helper, netns
from netlab.kernel.bin_directory import search_path


def run(name: str, argv: Sequence[str], *, bin_directory: str = "", stdin: int | None = None, stdout: int = 1,
        stderr: int = 2, env: Mapping[str, str] | None = None, limit: float | None = None) -> int:
    """Runs a program in the netns of that name; blocks; gives its exit code, 124 at `limit` seconds.

    128+n when signal n ended it, 127 when there is no such program, 126 when it cannot be executed. `stdin` None is
    /dev/null. `env` comes on top of this process's environment; PATH starts with `bin_directory`. At the limit, and
    when the caller dies, the program is killed with all that it has started; what it leaves running when it ends by
    itself stays, as with `ip netns exec`. Ctrl-C reaches the program too: if it ends of it, KeyboardInterrupt is
    raised here, at the second time in any case. FileNotFoundError when there is no such netns.
    """
    variables = os.environ | dict(env or {})
    variables["PATH"] = search_path(*filter(None, [bin_directory]), given=variables.get("PATH"))
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    ours, theirs = socket.socketpair()
    place = -1
    try:
        place = os.open(netns.path(name), os.O_RDONLY | os.O_CLOEXEC)
        job = {"control": theirs.fileno(), "netns": place, "name": name, "argv": list(argv), "env": variables,
               "stdio": [null if stdin is None else stdin, stdout, stderr], "limit": limit}
        wait = _spawn(job) if threading.active_count() > 1 else _fork(job)
        theirs.close()
        code = _await(wait, ours)
        if code == exec_helper.NOT_SET_UP and (text := ours.recv(1000).decode()):
            raise OSError(f"{name}: {text}")
        return code
    finally:
        for descriptor in {null, place} - {-1}:
            os.close(descriptor)
        ours.close()
        theirs.close()


def _fork(job: dict[str, Any]) -> Callable[[], int]:
    """Starts the helper as a fork of this process, which has one thread: 1 ms."""
    pid = os.fork()
    if pid == 0:
        code = exec_helper.NOT_SET_UP
        try:
            code = exec_helper.supervise(**job)
        finally:
            os._exit(code)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _spawn(job: dict[str, Any]) -> Callable[[], int]:
    """Starts the helper as a program: 15 ms, but forking a process with threads could stop at a lock of another one."""
    import json

    argv, env = job.pop("argv"), job.pop("env")
    helper = subprocess.Popen([sys.executable, "-I", "-S", exec_helper.__file__, json.dumps(job), *argv], env=env,
                              pass_fds={job["control"], job["netns"], *job["stdio"]})
    return helper.wait


def _await(wait: Callable[[], int], control: socket.socket) -> int:
    """The helper's exit code. Whatever interrupts the waiting for good ends the program first."""
    interrupted = False
    while True:
        try:
            code = wait()
            break
        except KeyboardInterrupt:
            if interrupted:
                _end(wait, control)
                raise
            interrupted = True
        except BaseException:
            _end(wait, control)
            raise
    if interrupted and code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    return 128 - code if code < 0 else code  # negative: somebody killed the helper, and so the program


def _end(wait: Callable[[], int], control: socket.socket) -> None:
    control.shutdown(socket.SHUT_RDWR)
    wait()
