"""The life of pods: processes, exit codes, what survives, what dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pod_bench import Bench, ended, finish, is_gone, log_of, shell, start, sweep, until

from netlab.kernel import process
from netlab.kernel.pod_spec import Process, Sandbox
from netlab.kernel.pods import LabInit, Pod

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="pods need root")]
LAB = "nltp-life"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench(LAB)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def pod(bench: Bench) -> Pod:
    return bench.pod("web")


def test_the_output_of_a_process_is_in_its_log_and_its_exit_code_in_a_file(pod: Pod) -> None:
    code, log = finish(pod, "out.0", "sh", "-c", "echo one; echo two >&2; exit 7")
    assert (code, log) == (7, "one\ntwo\n")
    assert abs(pod.exits()["out.0"].finished - time.time()) < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_process_that_a_signal_ends_has_128_and_its_number(pod: Pod, number: signal.Signals) -> None:
    name = f"signal{number}.0"
    start(pod, name, "sleep", "600")
    assert name in pod.running()
    pod.signal(name, number)
    assert (ended(pod, name).code, ended(pod, name).signal) == (128 + number, number)
    assert name not in pod.running()
    pod.signal(name, number)  # one that has ended is fine


def test_a_missing_program_is_an_error_of_run_and_leaves_no_record(pod: Pod) -> None:
    with pytest.raises(FileNotFoundError, match='exec: "no-such-program": executable file not found in \\$PATH'):
        start(pod, "missing.0", "no-such-program")
    with pytest.raises(PermissionError, match='exec: "/etc/passwd": permission denied'):
        start(pod, "denied.0", "/etc/passwd")
    assert not {"missing.0", "denied.0"} & (set(pod.exits()) | pod.running())
    assert finish(pod, "missing.0", "true") == (0, "")


def test_a_name_is_used_once(pod: Pod) -> None:
    finish(pod, "once.0", "true")
    with pytest.raises(FileExistsError):
        start(pod, "once.0", "true")


def test_the_environment_is_exactly_what_was_said_and_a_path(bench: Bench) -> None:
    pod = bench.pod("env", bin_directory="/usr/games")
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    _, log = finish(pod, "env.0", "env", env={"A": "1 2", "B": "ü"})
    assert sorted(log.splitlines()) == ["A=1 2", "B=ü", f"PATH=/usr/games:{usual}"]
    _, log = finish(pod, "env.1", "env", env={"PATH": "/bin"})
    assert log == "PATH=/usr/games:/bin\n"


def test_an_environment_of_a_megabyte_arrives(pod: Pod) -> None:
    env = {f"SERVICE_{i}_PORT_80_TCP_ADDR": "10.96.0.1" * 10 for i in range(8000)}
    code, log = finish(pod, "large.0", "sh", "-c", "env | grep -c SERVICE_", env=env)
    assert (code, log) == (0, "8000\n")


def test_a_process_runs_in_its_directory_which_is_made(pod: Pod) -> None:
    assert finish(pod, "cwd.0", "pwd", cwd="/srv/app") == (0, "/srv/app\n")


def test_a_pod_has_its_own_host_name_and_pid_namespace_below_the_lab_inits(pod: Pod) -> None:
    assert finish(pod, "name.0", "hostname") == (0, "web\n")
    pid = start(pod, "nested.0", "sleep", "600")
    spaces = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid"))
    assert len(spaces.split()) == 1 + 3  # here, in the lab, in the pod
    pod.signal("nested.0", signal.SIGKILL)
    ended(pod, "nested.0")


def test_a_pod_cannot_end_its_init(pod: Pod) -> None:
    assert finish(pod, "suicide.0", "sh", "-c", "kill -9 1; kill -STOP 1; kill -TERM 1; echo done") == (0, "done\n")
    assert pod.alive()


def test_what_a_process_has_left_running_ends_with_it(pod: Pod) -> None:
    script = "setsid sh -c 'sleep 601 & sleep 602' & echo started; wait_for=x; sleep 0.05; exit 3"
    assert finish(pod, "parent.0", "sh", "-c", script) == (3, "started\n")
    _, processes = shell(pod, "ps -eo args")
    assert not {"sleep 601", "sleep 602"} & set(processes.splitlines())


def test_another_container_survives_that(pod: Pod) -> None:
    other = start(pod, "other.0", "sleep", "600")
    finish(pod, "short.0", "true")
    assert "other.0" in pod.running()
    assert not is_gone(other)
    pod.signal("other.0", signal.SIGKILL)
    ended(pod, "other.0")


def test_orphans_are_reaped(pod: Pod) -> None:
    start(pod, "orphans.0", "sh", "-c", "for i in 1 2 3 4 5; do (sh -c 'true & true' &); done; exec sleep 600")
    until(lambda: "defunct" not in shell(pod, "ps -eo args")[1], "no zombie in the pod")
    pod.signal("orphans.0", signal.SIGKILL)
    ended(pod, "orphans.0")


def test_the_death_of_its_creator_changes_nothing_for_a_pod() -> None:
    lab = "nltp-orphan"
    script = f"""
import os, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[2])]!r}
from pod_bench import Bench, start
bench = Bench({lab!r})
pod = bench.pod("web")
start(pod, "web.0", "sh", "-c", "while :; do echo tick; sleep 0.02; done")
start(pod, "job.0", "sh", "-c", "sleep 0.4; exit 9")
print("up", flush=True)
os.read(0, 1)
"""
    try:
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as creator:
            assert creator.stdout
            assert creator.stdout.readline() == b"up\n"
            creator.kill()
        init, pod = LabInit.adopt(lab), Pod.attach(f"/run/netlab/{lab}/pods/web")
        assert init
        assert pod
        assert "web.0" in pod.running()
        length = len(log_of(pod, "web.0").read_text())
        until(lambda: len(log_of(pod, "web.0").read_text()) > length, "the log grows on")
        assert ended(pod, "job.0").code == 9
        assert shell(pod, "echo in") == (0, "in\n")
        directory = Path(pod.directory).with_name("second")
        directory.mkdir()
        assert init.create(Sandbox("2", f"/run/netns/{lab}.web", "second", str(directory))).running() == frozenset()
        with pytest.raises(FileExistsError, match="runs already"):
            LabInit.start(lab)
    finally:
        sweep(lab)


def test_the_lab_init_does_not_outlive_a_starter_that_wrote_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    pids = []

    def crash(path: Path, pid: int) -> None:
        pids.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "write_record", crash)
    with pytest.raises(KeyboardInterrupt):
        Bench("nltp-window")
    until(lambda: is_gone(pids[0]), "the init without a record is gone")


def test_a_module_that_cannot_be_loaded_is_a_clear_error() -> None:
    with pytest.raises(OSError, match=r"the workload module no\.such cannot be loaded: ModuleNotFoundError"):
        Bench("nltp-broken", preload=("no.such",))


def test_killing_a_pod_ends_daemons_of_their_own_session_and_nothing_else(bench: Bench, pod: Pod) -> None:
    doomed = bench.pod("doomed")
    start(doomed, "web.0", "sh", "-c", "setsid setsid sleep 603 & exec sleep 604")
    until(lambda: "sleep 603" in shell(doomed, "ps -eo args")[1], "the daemon runs")
    below = process.descendants(doomed.pid)
    readable = doomed.fileno()
    assert readable >= 0
    doomed.kill()
    assert all(is_gone(pid) for pid, _ in below)
    assert Pod.attach(doomed.directory) is None
    assert not doomed.alive()
    with pytest.raises(ConnectionError):
        doomed.running()
    assert pod.running() is not None
    doomed.kill()  # again is fine


def test_a_pods_descriptor_tells_of_the_death_of_its_init(bench: Bench) -> None:
    import select
    pod = bench.pod("watched")
    pod.fileno()
    pod.exits()
    os.kill(pod.pid, signal.SIGKILL)
    assert select.select([pod], [], [], 5)[0]
    until(lambda: not pod.alive(), "the init is gone")


def test_killing_the_lab_init_ends_every_process_in_it() -> None:
    bench = Bench("nltp-end")
    try:
        for name in ("a", "b", "c"):
            start(bench.pod(name), "web.0", "sh", "-c", "setsid sleep 605 & exec sleep 606")
        until(lambda: len(process.descendants(bench.init.pid)) >= 9, "3 inits, 3 programs, 3 daemons")
        below = process.descendants(bench.init.pid)
    finally:
        bench.close()
    assert all(is_gone(pid) for pid, _ in below)
    assert LabInit.adopt("nltp-end") is None


def test_a_pod_without_its_netns_is_an_error_that_names_it(bench: Bench) -> None:
    import dataclasses
    sandbox = dataclasses.replace(bench.sandbox("lost"), netns="/run/netns/nltp-nothing")
    with pytest.raises(FileNotFoundError, match="nltp-nothing"):
        bench.init.create(sandbox)


def test_a_pod_is_created_in_milliseconds(bench: Bench) -> None:
    sandboxes = [bench.sandbox(f"speed{i}") for i in range(10)]
    times = []
    for sandbox in sandboxes:
        begin = time.perf_counter()
        pod = bench.init.create(sandbox)
        made = time.perf_counter()
        pod.run(Process("web.0", ("sleep", "600")))
        times.append((made - begin, time.perf_counter() - made))
    creation, start_up = (sorted(column)[5] * 1000 for column in zip(*times, strict=True))
    print(f"pod {creation:.1f} ms, process {start_up:.1f} ms")
