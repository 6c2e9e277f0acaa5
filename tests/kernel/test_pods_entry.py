"""Built-in workloads: forks that need nothing of the machine's files and look like programs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pod_bench import Bench, default_capabilities, ended, finish, is_gone, log_of, shell, start, until

from netlab.kernel.pods import Pod

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="pods need root")]
MODULE = "tests.kernel.pod_workloads"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench("nltp-entry", preload=(MODULE,))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def pod(bench: Bench) -> Pod:
    return bench.pod("web")


def test_a_workload_has_its_title_arguments_environment_and_capabilities(pod: Pod) -> None:
    code, log = finish(pod, "show.0", "web-server", "--port", "80", entry=f"{MODULE}:show", env={"A": "1"})
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert code == 4
    assert log.splitlines() == [
        "[b'web-server', b'--port', b'80']", "web-server",
        f"['--port', '80'] ['web-server', '--port', '80'] [('A', '1'), ('PATH', '{path}')] ['0', '1', '2']",
        default_capabilities()]


def test_ps_shows_the_title_from_inside_and_outside(pod: Pod) -> None:
    pid = start(pod, "linger.0", "echo-server", "--name=a b", entry=f"{MODULE}:linger")
    until(lambda: log_of(pod, "linger.0").read_text() == "ready\n", "output arrives line by line")
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"echo-server\0--name=a b\0"
    assert "echo-server --name=a b" in shell(pod, "ps -eo args")[1]
    pod.signal("linger.0", signal.SIGTERM)
    assert ended(pod, "linger.0").code == 143
    assert is_gone(pid)


@pytest.mark.parametrize(("function", "code", "text"), [
    ("leave", 3, ""), ("fail", 1, "ValueError: broken on purpose"), ("nothing", 1, "has no attribute 'nothing'")])
def test_how_a_workload_ends(pod: Pod, function: str, code: int, text: str) -> None:
    got, log = finish(pod, f"{function}.0", "job", "3", entry=f"{MODULE}:{function}")
    assert got == code
    assert text in log


def test_a_workload_can_look_up_names(pod: Pod) -> None:
    assert finish(pod, "names.0", "job", entry=f"{MODULE}:look_up") == (0, "('127.0.0.1', 80)\nlist\n")


def test_a_workload_whose_module_is_out_of_sight_says_so(pod: Pod) -> None:
    code, log = finish(pod, "other.0", "job", entry="netlab.no_such_module:main")
    assert code == 1
    assert "ModuleNotFoundError" in log


def test_workloads_run_with_an_interpreter_that_pods_cannot_see(tmp_path: Path) -> None:
    # A copy of the base interpreter's library under a hidden directory, as pyenv under /root has it.
    hidden = Path("/root/.nltp-python")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    root = Path(__file__).parents[2]
    script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent), str(root)]!r}
from pod_bench import Bench, finish
bench = Bench("nltp-hidden", preload=({MODULE!r},))
try:
    pod = bench.pod("web")
    print(finish(pod, "names.0", "job", entry={MODULE + ":look_up"!r}))
    print(finish(pod, "fail.0", "job", entry={MODULE + ":fail"!r})[0])
finally:
    bench.close()
"""
    try:
        (hidden / "bin").mkdir(parents=True)
        shutil.copy(os.path.realpath(sys.executable), hidden / "bin/python3")
        source = Path(os.__file__).parent
        shutil.copytree(source, hidden / "lib" / version, ignore=shutil.ignore_patterns(
            "test", "idlelib", "dist-packages", "site-packages", "ensurepip", "config-*", "lib2to3", "__pycache__"))
        found = subprocess.run([hidden / "bin/python3", "-c", "import sys; print(sys.prefix)\n" + script],
                               capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    finally:
        shutil.rmtree(hidden)
    assert found.stdout.splitlines() == [str(hidden), "(0, \"('127.0.0.1', 80)\\nlist\\n\")", "1"]
