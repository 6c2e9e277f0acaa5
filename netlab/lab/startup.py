"""Getting a lab's lock, and starting its daemon with it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from netlab.kernel import process
from netlab.kernel.lock import Lock
from netlab.lab import record
from netlab.model.errors import LabError
from netlab.server.client import ApiClient
from netlab.topology import names

INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")  # of the caller's environment, by the daemon
LOG_LINES = 5
BUSY_LIMIT = 20.0  # seconds that another command may take with a lab before we give up


def take_lock(name: str) -> Lock | None:
    """The lab's lock, or None when a daemon has it and answers. Another `up` or `down` may end its work first."""
    end = time.monotonic() + BUSY_LIMIT
    while (lock := Lock.try_take(name, purpose="up")) is None:
        # In this order: a daemon that another command starts now has its lab's new record before it.
        daemon = process.read_record(names.run_dir(name) / "daemon.json")
        found = record.read(name)
        if daemon and found and record.is_abandoned(found):
            process.kill(*daemon)
            continue
        try:
            ApiClient(names.api_socket(name), timeout=1.0).get("/netlab/v1/status")
            return None
        except (LabError, TimeoutError):
            if time.monotonic() > end:
                raise LabError(f"lab {name} is in use by another command, and its API does not answer",
                               hint=f"netlab down {name}", exit_code=124) from None
            time.sleep(0.02)
    return lock


def start_daemon(lock: Lock) -> None:
    """Starts the daemon with the lock, waits for its first line; LabError with its words when it failed."""
    name = lock.lab
    reader, writer = os.pipe()
    log = names.run_dir(name) / "daemon.log"
    os.set_inheritable(writer, True)
    os.set_inheritable(lock.fileno(), True)
    environment = {key: value for key, value in os.environ.items() if key in INHERITED}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-P", "-m", "netlab.lab.daemon", name, str(writer)]
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
               (os.POSIX_SPAWN_DUP2, 1, 2)]
    try:
        pid = os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)
    finally:
        os.close(writer)
        os.set_inheritable(lock.fileno(), False)
    try:
        lock.mark("daemon", pid)
        with os.fdopen(reader, "rb") as pipe:
            line = pipe.readline()
    except BaseException:  # nobody waits for it any more; it must not come up behind the back of who sweeps
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    answer = json.loads(line) if line else {}
    if answer.get("ok"):
        return
    os.waitpid(pid, 0)
    last = "".join(log.read_text().splitlines(True)[-LOG_LINES:]).strip()
    words = answer.get("message") or "its daemon died" + (f": {last}" if last else "")
    if answer.get("log") and last:  # it goes with the lab
        words += f"\nthe last lines of its log:\n{last}"
    raise LabError(f"lab {name} did not come up: {words}", hint=answer.get("hint", ""),
                   exit_code=answer.get("exit_code", 5))
