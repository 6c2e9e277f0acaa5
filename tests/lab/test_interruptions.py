"""Ctrl-C, SIGTERM and a closed terminal: exit codes, and what is left."""

import os
import signal
import subprocess
import time

import pytest
from pretend_host import LAB, NETLAB, until

pytestmark = pytest.mark.lab

SLOW = """
apiVersion: netlab/v1
kind: Scenario
metadata: {name: slow}
title: one that takes its time
steps:
- name: A program that runs long
  run: {in: worker, command: [sleep, "997"]}
  within: 60s
  expect: {exitCode: 0}
"""
FAILING = SLOW.replace('[sleep, "997"]', '["false"]').replace("60s", "100ms")
STEP = "A program that runs long"
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper}
spec: {containers: [{name: sleeper, image: busybox, command: [sleep, "1000"]}]}
"""


class Terminal:
    """A netlab command on a pseudo-terminal of its own, in the host."""

    def __init__(self, host, *arguments):
        self.master, slave = os.openpty()
        self.process = host.start(*("setsid", "--ctty", "--wait", *NETLAB), *arguments, stdin=slave, stdout=slave,
                                  stderr=slave)
        os.close(slave)
        self.seen = ""
        os.set_blocking(self.master, False)

    def wait_for(self, text):
        def look():
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except (BlockingIOError, OSError):
                pass
            return text in self.seen

        until(look, lambda: f"{text!r} in {self.seen!r}")

    def ctrl_c(self):
        os.write(self.master, b"\x03")

    def hang_up(self):
        os.close(self.master)
        self.master = -1

    def code(self):
        """The exit code, 128+n after signal n."""
        end = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < end:
            try:
                os.read(self.master, 65536)  # who writes to a terminal that nobody reads would wait
            except OSError:
                pass
            time.sleep(0.01)
        code = self.process.wait(timeout=1)
        if self.master >= 0:
            os.close(self.master)
        return code if code >= 0 else 128 - code


def signal_command(host, number):
    """Signals the netlab command that runs (not the daemon), as `kill` in another terminal would."""
    host.sh(f"pkill -{int(number)} -o -f '^[^ ]*python[^ ]* -P -m netlab '")


def write_scenario(host, text):
    host.sh(f"cat >/tmp/slow.yaml <<'END'\n{text}\nEND")


@pytest.mark.parametrize("moment", ["", STEP])
@pytest.mark.parametrize(("way", "code"), [("ctrl-c", 130), ("ctrl-c twice", 130), ("term", 143), ("hang up", 129)])
def test_a_run_that_is_stopped_takes_its_lab_down(host, way, code, moment):
    write_scenario(host, SLOW)
    run = Terminal(host, "run", "/tmp/slow.yaml")
    if moment:
        run.wait_for(moment)
        until(lambda: host.run("pgrep", "-f", "sleep 99[7]")[0] == 0, lambda: "the step's program does not run")
    else:
        until(lambda: host.run("test", "-e", f"/run/netlab/{LAB}/daemon.json")[0] == 0, lambda: "no daemon starts")
    if way == "hang up":
        run.hang_up()
    elif way == "term":
        signal_command(host, signal.SIGTERM)
    else:
        run.ctrl_c()
        if way == "ctrl-c twice":
            time.sleep(0.02)  # the second one hits the clean-up, or comes after it
            run.ctrl_c()
    assert run.code() == code
    assert host.is_clean()


@pytest.mark.parametrize(("way", "code"), [("ctrl-c", 130), ("ctrl-c twice", 130), ("term", 143), ("hang up", 129)])
def test_an_up_that_is_stopped_leaves_nothing(host, way, code):
    up = Terminal(host, "up")
    until(lambda: host.run("test", "-e", f"/run/netlab/{LAB}/init.json")[0] == 0, lambda: "no lab init starts")
    if way == "hang up":
        up.hang_up()
    elif way == "term":
        signal_command(host, signal.SIGTERM)
    else:
        up.ctrl_c()
        if way == "ctrl-c twice":
            up.ctrl_c()
    found = up.code()
    if found == 0:  # it was up before the signal came
        host.netlab("down")
    else:
        assert found == code
    assert host.is_clean()


@pytest.mark.parametrize("arguments", [
    ("exec", "worker", "--", "sleep", "998"), ("exec", "sleeper", "--", "sleep", "998"),
    ("exec", "-it", "sleeper", "--", "sleep", "998"), ("logs", "-f", "sleeper"), ("get", "pods", "-w"),
], ids=" ".join)
def test_commands_that_wait_end_by_a_signal_with_its_code_and_leave_no_program(host, arguments):
    host.netlab("up")
    host.apply(PODS)
    host.netlab("get", "pods")
    until(lambda: "1/1" in host.netlab("get", "pods"), lambda: host.netlab("get", "pods"))
    for way, code in (("ctrl-c", 130), ("term", 143), ("hang up", 129)):
        command = Terminal(host, *arguments)
        if arguments[0] == "exec":
            until(lambda: host.run("pgrep", "-f", "^sleep 99[8]")[0] == 0, lambda: "the program does not run")
        elif arguments[0] == "get":
            command.wait_for("sleeper")
        else:
            until(lambda: host.run("sh", "-c", "ss -xHp | grep -q api.sock")[0] == 0, lambda: "nobody is connected")
        if way == "hang up":
            command.hang_up()
        elif way == "term":
            signal_command(host, signal.SIGTERM)
        else:
            command.ctrl_c()
        assert command.code() == code, way
        until(lambda: host.run("pgrep", "-f", "^sleep 99[8]")[0] == 1, lambda: "the program runs on")


def test_a_run_with_a_failing_step_gives_1_and_leaves_nothing(host):
    write_scenario(host, FAILING)
    host.netlab("run", "/tmp/slow.yaml", code=1)
    assert host.is_clean()


def test_a_kept_lab_stays_after_a_failing_step_too(host):
    write_scenario(host, FAILING)
    host.netlab("run", "--keep", "/tmp/slow.yaml", code=1)
    assert "running" in host.netlab("list")
    host.netlab("run", "/tmp/slow.yaml", code=2)  # it is somebody's
    host.netlab("down")


def test_the_next_run_removes_the_lab_of_one_that_was_killed(host):
    write_scenario(host, SLOW)
    run = Terminal(host, "run", "/tmp/slow.yaml")
    run.wait_for(STEP)
    signal_command(host, signal.SIGKILL)
    assert run.code() == 137
    assert "running" in host.netlab("list")
    write_scenario(host, FAILING)
    host.netlab("run", "/tmp/slow.yaml", code=1)
    assert host.is_clean()


def test_output_that_cannot_be_written_is_an_error(host):
    code, output = host.run("sh", "-c", f"{' '.join(NETLAB)} version >/dev/full")
    assert (code, output) == (5, "error: the output cannot be written: No space left on device\n")


def test_only_one_of_two_runs_of_a_name_gets_it(host):
    runs = [host.start(*NETLAB, "run", "-q", "clusterip") for _ in range(2)]
    ends = sorted((run.wait(timeout=60), run.communicate()[0]) for run in runs)
    assert [code for code, _ in ends] == [0, 2], ends
    assert f"a lab named {LAB} is there already" in ends[1][1]


def test_down_ends_an_up_that_is_under_way(host):
    up = host.start(*NETLAB, "up")
    until(lambda: host.run("test", "-e", f"/run/netlab/{LAB}/daemon.json")[0] == 0, lambda: "no daemon starts")
    host.netlab("down")
    try:
        up.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        up.kill()
        raise
    assert host.is_clean()
