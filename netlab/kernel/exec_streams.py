"""A program started in a pod whose input and output are non-blocking descriptors of this process."""

from __future__ import annotations

import os
from collections.abc import Sequence

from netlab.kernel import pty
from netlab.kernel.exec_session import ExecSession
from netlab.kernel.pods import Pod


class ExecStreams:
    """Its descriptors: `stdin` to write, `stdout` and `stderr` to read, -1 where there is none.

    On a pseudo-terminal stdin and stdout are the same. `log` is a file for a copy of the output, or -1. `close` kills
    the program if it runs still.
    """

    def __init__(self, session: ExecSession, stdin: int, stdout: int, stderr: int, *, tty: bool) -> None:
        self.session, self.tty = session, tty
        self.log = -1
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr

    def resize(self, rows: int, columns: int) -> None:
        """Tells the program the size of its terminal; nothing without one."""
        if self.tty and self.session.master >= 0:
            pty.resize(self.session.master, rows, columns)

    def close_stdin(self) -> None:
        """The program reads the end of its input next."""
        if self.stdin >= 0 and not self.tty:
            os.close(self.stdin)
            self.stdin = -1

    def copy(self, data: bytes) -> None:
        """Writes output to the log too."""
        if self.log >= 0:
            os.write(self.log, data)

    def close(self) -> None:
        """Closes everything; a program that runs still is killed."""
        if not self.tty:
            for descriptor in (self.stdin, self.stdout, self.stderr):
                if descriptor >= 0:
                    os.close(descriptor)
        if self.log >= 0:
            os.close(self.log)
        self.stdin = self.stdout = self.stderr = self.log = -1
        self.session.close()


def start(pod: Pod, argv: Sequence[str], *, container: str, cwd: str, stdin: bool, stdout: bool, stderr: bool,
          size: tuple[int, int] | None, log: str = "") -> ExecStreams:
    """Starts it, with a terminal of that (rows, columns) if there is a size. What is not wanted is /dev/null.

    `log` is a file that `copy` appends to. Takes milliseconds. OSError when it cannot be executed; ESRCH when
    nothing of the container runs.
    """
    started = _start(pod, argv, container=container, cwd=cwd, wanted=(stdin, stdout, stderr), size=size)
    if log:
        try:
            started.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            pass  # the pod's directory is being removed
    return started


def _start(pod: Pod, argv: Sequence[str], *, container: str, cwd: str, wanted: tuple[bool, bool, bool],
           size: tuple[int, int] | None) -> ExecStreams:
    if size is not None:
        session = pod.open_exec(argv, stdio=None, container=container, cwd=cwd, size=size, env={"TERM": "xterm"})
        os.set_blocking(session.master, False)
        return ExecStreams(session, session.master if wanted[0] else -1, session.master, -1, tty=True)
    ours, theirs = [-1, -1, -1], [-1, -1, -1]
    try:
        for place in range(3):
            if not wanted[place]:
                theirs[place] = os.open(os.devnull, (os.O_WRONLY if place else os.O_RDONLY) | os.O_CLOEXEC)
                continue
            reader, writer = os.pipe2(os.O_CLOEXEC)
            ours[place], theirs[place] = (reader, writer) if place else (writer, reader)
            os.set_blocking(ours[place], False)
        session = pod.open_exec(argv, stdio=(theirs[0], theirs[1], theirs[2]), container=container, cwd=cwd)
    except BaseException:
        for descriptor in ours:
            if descriptor >= 0:
                os.close(descriptor)
        raise
    finally:
        for descriptor in theirs:
            if descriptor >= 0:
                os.close(descriptor)
    return ExecStreams(session, *ours, tty=False)
