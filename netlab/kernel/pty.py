"""Joins the caller's terminal with a pseudo-terminal in a pod: raw mode, window size, end of input."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import termios
import threading
import time
import tty
from collections.abc import Iterator
from types import FrameType

from netlab.kernel.exec_session import TIMED_OUT, ExecSession

END_OF_INPUT = b"\x04"
_REST = 0.2  # seconds in which the last output may still arrive


def window_size(*descriptors: int) -> tuple[int, int]:
    """(rows, columns) of the first descriptor that is a terminal; 24, 80 when none is."""
    for descriptor in descriptors:
        try:
            rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))
        except OSError:
            continue
        if rows and columns:
            return rows, columns
    return 24, 80


def resize(master: int, rows: int, columns: int) -> None:
    """Tells the programs on that pseudo-terminal its size."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def relay(session: ExecSession, stdin: int, stdout: int, *, limit: float | None = None) -> int:
    """Copies both ways until the program ends; gives its exit code. The caller's terminal is restored always."""
    with _raw(stdin), _signals(session, stdin, stdout):
        return _copy(session, stdin, stdout, limit)


@contextlib.contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal was closed
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


@contextlib.contextmanager
def _signals(session: ExecSession, stdin: int, stdout: int) -> Iterator[None]:
    """Follows the window's size, and turns deadly signals into exits that restore the terminal (main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def size(number: int, frame: FrameType | None) -> None:
        resize(session.master, *window_size(stdin, stdout))

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {signal.SIGWINCH: signal.signal(signal.SIGWINCH, size)}
    before |= {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _copy(session: ExecSession, stdin: int, stdout: int, limit: float | None) -> int:
    poll = select.poll()
    for descriptor in (stdin, session.master, session.fileno()):
        poll.register(descriptor, select.POLLIN)
    end = None if limit is None else time.monotonic() + limit
    ended = False  # then only what the program has written is still wanted
    while True:
        left = _REST if ended else None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            session.kill()
            return TIMED_OUT
        ready = {descriptor for descriptor, _ in poll.poll(None if left is None else left * 1000)}
        if session.master in ready and not _output(session.master, stdout):
            break
        if stdin in ready and not _input(stdin, session.master):
            poll.unregister(stdin)
        if ended and session.master not in ready:
            break
        if session.fileno() in ready and not ended:
            poll.unregister(session.fileno())
            ended = True
    return session.wait(None if end is None else max(0.0, end - time.monotonic()))


def _output(master: int, stdout: int) -> bool:
    try:
        data = os.read(master, 65536)
    except OSError:  # EIO: nobody has the terminal open any more
        return False
    while data:
        data = data[os.write(stdout, data):]
    return True


def _input(stdin: int, master: int) -> bool:
    try:
        data = os.read(stdin, 65536)
    except OSError:
        data = b""
    rest = data or END_OF_INPUT
    try:
        while rest:
            rest = rest[os.write(master, rest):]
    except OSError:
        return False
    return bool(data)
