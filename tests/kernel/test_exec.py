import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from netlab.kernel import bin_directory, wiring
from netlab.kernel.exec import run
from netlab.model.lab_settings import parse
from netlab.topology.plan import plan_lab

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
NAME = f"nltwe{os.getpid()}"
WORKER = f"{NAME}.control-plane"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _lab():
    wirings = plan_lab(parse({"nodes": 1}, name=NAME))
    try:
        wiring.build(wirings)
        wiring.write_resolv_conf(WORKER, "nameserver 10.96.0.10\n")
        yield
    finally:
        for part in wirings:
            wiring.remove(part.netns)


@pytest.fixture(params=["fork", "program"])
def helper(request):
    """Both ways in which the helper is started: a process with threads must not fork."""
    if request.param == "fork":
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()


def output(argv, tmp_path, **options):
    with open(tmp_path / "out", "w+b") as out, open(tmp_path / "err", "w+b") as err:
        code = run(WORKER, argv, stdout=out.fileno(), stderr=err.fileno(), **options)
    return code, (tmp_path / "out").read_text(), (tmp_path / "err").read_text()


@pytest.mark.parametrize(("argv", "code", "stdout", "stderr"), [
    (["true"], 0, "", ""),
    (["sh", "-c", "echo out; echo err >&2; exit 7"], 7, "out\n", "err\n"),
    (["sh", "-c", "kill -TERM $$"], 143, "", ""),
    (["no-such-program"], 127, "", "netlab: no-such-program: command not found\n"),
    (["/etc/passwd"], 126, "", "netlab: /etc/passwd: Permission denied\n"),
    (["cat"], 0, "", ""),  # no stdin is an empty one
    (["ls", "/sys/class/net"], 0, "eth0\nlo\n", ""),
    (["cat", "/etc/resolv.conf"], 0, "nameserver 10.96.0.10\n", ""),
    (["sh", "-c", "echo $A-$B"], 0, "1-\n", ""),
    (["readlink", "/proc/self/fd/0"], 0, "/dev/null\n", ""),
])
def test_a_program_runs_as_with_ip_netns_exec(helper, tmp_path, argv, code, stdout, stderr):
    assert output(argv, tmp_path, env={"A": "1"}) == (code, stdout, stderr)


def test_a_program_inherits_three_descriptors_and_the_signals_of_a_shell(helper, tmp_path):
    _, out, _ = output(["sh", "-c", "ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status"], tmp_path)
    assert out.split() == ["4", "SigBlk:", "0" * 16, "SigIgn:", "0" * 16]  # the fourth is ls's own


def test_it_runs_in_that_netns_and_this_process_stays(helper, tmp_path):
    before = os.readlink("/proc/thread-self/ns/net"), os.readlink("/proc/thread-self/ns/mnt")
    code, out, _ = output(["sh", "-c", "stat -Lc %i /proc/self/ns/net"], tmp_path)
    assert (code, int(out)) == (0, os.stat(f"/run/netns/{WORKER}").st_ino)
    assert (os.readlink("/proc/thread-self/ns/net"), os.readlink("/proc/thread-self/ns/mnt")) == before
    assert not any(f"/etc/netns/{WORKER}" in line for line in Path("/proc/self/mountinfo").read_text().splitlines())


def test_stdin_ends_when_the_caller_closes_it(helper, tmp_path):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"hello")
        ours.shutdown(socket.SHUT_WR)
        assert output(["cat"], tmp_path, stdin=theirs.fileno())[:2] == (0, "hello")


def test_at_the_limit_all_descendants_are_killed(helper, tmp_path):
    began = time.monotonic()
    sleep = f"sleep 4711.{os.getpid()}"
    command = f"setsid {sleep} & (setsid {sleep} &) ; trap '' TERM INT; {sleep}"
    code, _, _ = output(["sh", "-c", command], tmp_path, limit=0.3)
    assert code == 124
    assert time.monotonic() - began < 3
    assert subprocess.run(["pgrep", "-f", f"^{sleep}"], stdout=subprocess.DEVNULL).returncode == 1


def test_when_the_caller_is_killed_all_descendants_are_killed():
    sleep = f"sleep 4712.{os.getpid()}"
    code = (f"from netlab.kernel import exec; import os; r = os.open('/dev/null', os.O_RDWR);"
            f"exec.run({WORKER!r}, ['sh', '-c', 'setsid {sleep} & echo up; {sleep}'], stderr=r)")
    caller = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert caller.stdout.readline() == b"up\n"
    caller.kill()
    caller.wait()
    end = time.monotonic() + 3
    while subprocess.run(["pgrep", "-f", f"^{sleep}"], stdout=subprocess.DEVNULL).returncode == 0:
        assert time.monotonic() < end, "a program outlived its caller"
    caller.stdout.close()


@pytest.mark.parametrize(("program", "ends_with"), [
    ("import time\ntry:\n print('up', flush=True)\n time.sleep(30)\nexcept KeyboardInterrupt: print('bye')",
     (0, b"bye\n")),
    ("import signal, time\nsignal.signal(2, signal.SIG_DFL)\nprint('up', flush=True)\ntime.sleep(30)", (130, b"")),
])
def test_after_ctrl_c_the_program_decides(program, ends_with):
    code = (f"from netlab.kernel import exec; import sys\n"
            f"try: code = exec.run({WORKER!r}, [sys.executable, '-c', sys.argv[1]])\n"
            f"except KeyboardInterrupt: code = 130\n"
            f"sys.exit(code)")
    caller = subprocess.Popen([sys.executable, "-c", code, program], cwd=ROOT, stdout=subprocess.PIPE,
                              start_new_session=True)
    assert caller.stdout.readline() == b"up\n"
    os.killpg(caller.pid, signal.SIGINT)
    try:
        out, _ = caller.communicate(timeout=5)
    finally:
        caller.kill()
    assert (caller.returncode, out) == ends_with


def test_a_missing_netns_is_told():
    with pytest.raises(FileNotFoundError, match=f"{NAME}.nowhere"):
        run(f"{NAME}.nowhere", ["true"])


def test_iptables_is_the_legacy_variant(helper, tmp_path):
    directory = str(bin_directory.make(tmp_path / "bin"))
    assert str(bin_directory.make(tmp_path / "bin")) == directory
    code, out, _ = output(["iptables", "-V"], tmp_path, bin_directory=directory)
    assert (code, out.split()[-1]) == (0, "(legacy)")
    command = "iptables -t nat -N KUBE-SERVICES && iptables-save -t nat && ip6tables -V"
    code, out, err = output(["sh", "-c", command], tmp_path, bin_directory=directory)
    assert (code, err) == (0, "")
    assert ":KUBE-SERVICES - [0:0]" in out
    assert "(legacy)" in out
    legacy = subprocess.run(["ip", "netns", "exec", WORKER, "iptables-legacy", "-t", "nat", "-X", "KUBE-SERVICES"])
    assert legacy.returncode == 0
