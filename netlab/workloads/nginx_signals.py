"""`nginx -s SIGNAL`: how the nginx of a container is told to read its configuration again, or to end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from netlab.workloads.serving import Server

PID = Path("/tmp/nginx.pid")  # a pod does not have the machine's /run
SIGNALS = {"stop": signal.SIGTERM, "quit": signal.SIGQUIT, "reload": signal.SIGHUP, "reopen": signal.SIGUSR1}


def send(name: str) -> int:
    """Sends the signal of that name to the container's nginx; 1 when there is none, or no such signal."""
    if name not in SIGNALS:
        print(f'nginx: invalid option: "-s {name}"', file=sys.stderr, flush=True)
        return 1
    try:
        os.kill(int(PID.read_text()), SIGNALS[name])
    except (OSError, ValueError) as error:
        code = getattr(error, "errno", None) or 2
        print(f'nginx: [error] open() "/run/nginx.pid" failed ({code}: {os.strerror(code)})', file=sys.stderr,
              flush=True)
        return 1
    return 0


@contextlib.contextmanager
def obeyed(server: Server, reload: Callable[[], None]) -> Iterator[None]:
    """While it lasts, signals that others send have their effect on the server."""
    signal.signal(signal.SIGHUP, lambda number, frame: reload())
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # there are no log files to open anew
    signal.signal(signal.SIGQUIT, lambda number, frame: server.terminate())
    with contextlib.suppress(OSError):  # a root that is read-only: it runs, nobody can tell it anything
        PID.write_text(str(os.getpid()))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            PID.unlink()
