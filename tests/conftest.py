import os
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import leaks

# Who runs the tests in the background or under nohup has these ignored, and children would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """What needs root says so, and skips without it."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("kernel") or item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason="needs root: network namespaces and iptables"))


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left(request):
    """After the run the machine is as it was: no namespace, interface, mount, process or file more."""
    if os.geteuid() != 0 or not any(item.get_closest_marker("kernel") or item.get_closest_marker("lab")
                                    for item in request.session.items):
        yield
        return
    before = leaks.snapshot()
    yield
    end = time.monotonic() + 5
    while (found := leaks.left(before, leaks.snapshot())) and time.monotonic() < end:
        time.sleep(0.1)
    assert not found, "left behind on this machine:\n" + "\n".join(found)
