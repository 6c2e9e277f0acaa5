"""A program started in a pod whose input and output are non-blocking descriptors of this process."""

from __future__ import annotations

import os
from collections.abc import Sequence

from netlab.kernel import pty
from netlab.kernel.exec_session import ExecSession
from netlab.kernel.pods import Pod


class ExecStreams:
    """Its descriptors: `stdin` to write, `stdout` and `stderr` to read, -1 where there is none.

    On a pseudo-terminal stdin and stdout are the same. `close` kills the program if it runs still.
    """

    def __init__(self, session: ExecSession, stdin: int, stdout: int, stderr: int, *, tty: bool) -> None:
        self.session, self.tty = session, tty
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

    def close(self) -> None:
        """Closes everything; a program that runs still is killed."""
        if not self.tty:
            for descriptor in (self.stdin, self.stdout, self.stderr):
                if descriptor >= 0:
                    os.close(descriptor)
        self.stdin = self.stdout = self.stderr = -1
        self.session.close()


def start(pod: Pod, argv: Sequence[str], *, container: str, cwd: str, stdin: bool, stdout: bool, stderr: bool,
          size: tuple[int, int] | None) -> ExecStreams:
    """Starts it, with a terminal of that (rows, columns) if there is a size. What is not wanted is /dev/null.

    Takes milliseconds. OSError when it cannot be executed; ESRCH when nothing of the container runs.
    """
    if size is not None:
        session = pod.open_exec(argv, stdio=None, container=container, cwd=cwd, size=size, env={"TERM": "xterm"})
        os.set_blocking(session.master, False)
        return ExecStreams(session, session.master if stdin else -1, session.master, -1, tty=True)
    ours, theirs = [-1, -1, -1], [-1, -1, -1]
    try:
        for place, wanted in enumerate((stdin, stdout, stderr)):
            if not wanted:
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
