"""A process of the lab dies by kill -9 at any moment; `down` then leaves nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import leaks
import pytest

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("NETLAB_KILL_ROUNDS", "50"))
pytestmark = pytest.mark.lab


def netlab(*arguments, **options):
    """A netlab command as a child process."""
    return subprocess.Popen([sys.executable, "-P", "-m", "netlab", *arguments], cwd="/", **options,
                            env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def belongs(pid, lab):
    """Whether a process is part of the lab: its command, daemon, lab init, pod inits, workloads."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        outside = os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
    except OSError:
        return False
    return state not in "ZX" and (lab in command or outside)


def test_fifty_rounds_of_up_kill_a_random_process_down_leave_nothing():
    chance = random.Random(os.environ.get("NETLAB_KILL_SEED", "1"))
    lab = f"kill{os.getpid()}"
    before = leaks.snapshot()
    strangers = {pid for pid in os.listdir("/proc") if pid.isdigit()}
    for number in range(ROUNDS):
        up = netlab("up", "--name", lab)
        time.sleep(chance.uniform(0.0, 0.8))  # the moment is the case: not a wait for anything
        victims = [pid for pid in os.listdir("/proc") if pid.isdigit() and pid not in strangers and belongs(pid, lab)]
        if victims:
            try:
                os.kill(int(chance.choice(victims)), signal.SIGKILL)
            except ProcessLookupError:
                pass
        if chance.random() < 0.5:
            up.communicate(timeout=60)
        down = netlab("down", lab)
        output = down.communicate(timeout=60)[0]
        assert down.returncode == 0, f"round {number}: {output}"
        up.communicate(timeout=60)
        if up.returncode == 0:  # it came up after that `down`
            again = netlab("down", lab)
            output = again.communicate(timeout=60)[0]
            assert again.returncode == 0, f"round {number}: {output}"
        end = time.monotonic() + 5
        while (found := leaks.left(before, leaks.snapshot())) and time.monotonic() < end:
            time.sleep(0.05)
        assert not found, f"round {number} left:\n" + "\n".join(found)
