"""Processes of the lab die by kill -9 at any moment; `up` then heals and `down` leaves nothing."""

import os
import sys
from pathlib import Path

import pytest
from pretend_host import PretendHost

ROUNDS = os.environ.get("NETLAB_KILL_ROUNDS", "50")
SEED = os.environ.get("NETLAB_KILL_SEED", "1")
PROGRAM = Path(__file__).with_name("kill_rounds.py")
pytestmark = pytest.mark.lab


def test_fifty_rounds_of_up_kill_random_processes_down_leave_nothing():
    with PretendHost() as host:
        code, output = host.run(sys.executable, "-P", str(PROGRAM), ROUNDS, SEED, limit=20 + 10 * int(ROUNDS))
    assert code == 0, output[-8000:]
