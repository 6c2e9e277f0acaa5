"""Exec into pods: descriptors, exit codes, terminals, callers that go away."""

from __future__ import annotations

import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

import pytest
from pod_bench import Bench, read_until, shell, start, until

from netlab.kernel import process
from netlab.kernel.pods import Pod

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="pods need root")]
LAB = "nltp-exec"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench(LAB)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def pod(bench: Bench) -> Pod:
    pod = bench.pod("web")
    start(pod, "web.0", "sleep", "600", env={"FROM": "container"})
    return pod


@pytest.mark.parametrize(("script", "code", "output"), [
    ("echo hi", 0, "hi\n"), ("exit 42", 42, ""), ("kill -9 $$", 137, ""), ("kill -TERM $$", 143, ""),
    ("echo err >&2; exit 1", 1, "err\n"), ("echo $FROM", 0, "container\n"), ("cat", 0, "typed\n"),
])
def test_the_exit_code_and_output_of_an_exec_are_the_programs(pod: Pod, script: str, code: int, output: str) -> None:
    assert shell(pod, script, stdin=b"typed\n") == (code, output)


@pytest.mark.parametrize(("program", "code", "message"), [
    ("no-such-program", 127, 'exec: "no-such-program": executable file not found in $PATH\n'),
    ("/no/such/program", 127, 'exec: "/no/such/program": no such file or directory\n'),
    ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied\n'),
])
def test_a_program_that_cannot_run_gives_what_a_shell_gives(pod: Pod, program: str, code: int, message: str) -> None:
    reader, writer = os.pipe()
    assert pod.exec([program], stdin=0, stdout=1, stderr=writer) == code
    os.close(writer)
    with os.fdopen(reader) as file:
        assert file.read() == message


def test_the_standard_streams_are_apart(pod: Pod) -> None:
    (out, out_writer), (err, err_writer) = os.pipe(), os.pipe()
    assert pod.exec(["sh", "-c", "echo out; echo err >&2"], stdin=0, stdout=out_writer, stderr=err_writer) == 0
    assert (os.read(out, 100), os.read(err, 100)) == (b"out\n", b"err\n")
    for descriptor in (out, out_writer, err, err_writer):
        os.close(descriptor)


def test_an_exec_ends_at_its_limit_with_124_and_nothing_of_it_stays(pod: Pod) -> None:
    code, _ = shell(pod, "sh -c 'sleep 611' & sleep 612", limit=0.3)
    assert code == 124
    assert "sleep 61" not in shell(pod, "ps -eo args | grep '[s]leep'")[1]


def test_the_death_of_the_caller_ends_the_program(pod: Pod) -> None:
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[2])]!r}
from netlab.kernel.pods import Pod
Pod.attach({pod.directory!r}).exec(["sh", "-c", "echo up; exec sleep 613"], stdin=0, stdout=1, stderr=2)
"""
    caller = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert caller.stdout
    assert caller.stdout.readline() == b"up\n"
    caller.kill()
    caller.communicate()
    until(lambda: "sleep 613" not in shell(pod, "ps -eo args")[1], "the program is gone")


def test_an_exec_into_a_pod_without_containers_works(bench: Bench) -> None:
    assert shell(bench.pod("bare"), "hostname") == (0, "bare\n")


def test_an_exec_ends_with_its_container(bench: Bench) -> None:
    pod = bench.pod("ends")
    start(pod, "web.0", "sleep", "600")
    with pod.open_exec(["sleep", "600"], stdio=(0, 1, 2)) as session:
        pod.signal("web.0", signal.SIGTERM)
        assert session.wait(10) == 137
    with pod.open_exec(["sleep", "600"], stdio=(0, 1, 2)) as session:
        pod.kill()
        assert session.wait(10) == 137


def test_an_exec_can_be_signalled(pod: Pod) -> None:
    with pod.open_exec(["sleep", "600"], stdio=(0, 1, 2)) as session:
        session.signal(signal.SIGINT)
        assert session.wait(10) == 130


def test_two_hundred_execs_leave_neither_descriptors_nor_processes(bench: Bench) -> None:
    pod = bench.pod("many")
    start(pod, "web.0", "sleep", "600")

    def facts() -> tuple[int, int, int]:
        return (len(os.listdir(f"/proc/{pod.pid}/fd")), len(os.listdir("/proc/self/fd")),
                len(process.descendants(pod.pid)))

    shell(pod, "true")
    before = facts()
    null = os.open("/dev/null", os.O_RDWR)
    for _ in range(100):
        assert pod.exec(["true"], stdin=null, stdout=null, stderr=null) == 0
    for _ in range(100):
        with pod.open_exec(["sleep", "600"], stdio=None):
            pass  # closed at once
    os.close(null)
    # Not ==, since the init may not have closed the first exec's connection when we looked.
    until(lambda: all(now <= then for now, then in zip(facts(), before, strict=True)), f"no more than {before}")


def test_a_terminal_has_the_size_of_the_callers_and_is_restored(pod: Pod) -> None:
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[2])]!r}
from netlab.kernel.pods import Pod
program = "tty; stty size; trap 'stty size' WINCH; echo ready; while read line; do echo got $line; done; exit 6"
sys.exit(Pod.attach({pod.directory!r}).exec(["bash", "-c", program], stdin=0, stdout=1, stderr=2, tty=True))
"""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    before = termios.tcgetattr(slave)
    caller = subprocess.Popen([sys.executable, "-c", script], stdin=slave, stdout=slave, stderr=slave)
    assert b"/dev/pts/0\r\n33 77\r\n" in read_until(master, b"ready\r\n")
    assert not termios.tcgetattr(slave)[3] & termios.ECHO
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    caller.send_signal(signal.SIGWINCH)
    os.write(master, b"hello\rx\r")  # the shell runs its trap after a line at the latest
    seen = read_until(master, b"got x\r\n")
    assert b"got hello\r\n" in seen
    assert b"40 100\r\n" in seen
    os.write(master, b"\x04")
    assert caller.wait(10) == 6
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_a_terminal_is_restored_when_the_caller_is_told_to_end(pod: Pod) -> None:
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[2])]!r}
from netlab.kernel.pods import Pod
Pod.attach({pod.directory!r}).exec(["sh", "-c", "echo up; exec sleep 614"], stdin=0, stdout=1, stderr=2, tty=True)
"""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    caller = subprocess.Popen([sys.executable, "-c", script], stdin=slave, stdout=slave, stderr=slave)
    read_until(master, b"up")
    caller.terminate()
    assert caller.wait(10) == 128 + signal.SIGTERM
    assert termios.tcgetattr(slave) == before
    until(lambda: "sleep 614" not in shell(pod, "ps -eo args")[1], "the program is gone")
    os.close(master)
    os.close(slave)


def test_control_c_in_a_terminal_reaches_the_program_of_the_pod(pod: Pod) -> None:
    script = "trap 'echo caught; exit 8' INT; echo up; sleep 600 & wait"
    with pod.open_exec(["sh", "-c", script], stdio=None) as session:
        read_until(session.master, b"up")
        os.write(session.master, b"\x03")
        read_until(session.master, b"caught")
        assert session.wait(10) == 8
