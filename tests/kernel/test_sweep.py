import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netlab.kernel import lock, netns, process, sweep, wiring
from netlab.model.errors import LabError
from netlab.model.lab_settings import parse
from netlab.topology import names
from netlab.topology.plan import plan_lab

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
LAB = f"nltws{os.getpid()}"
OTHERS = (f"{LAB}-b", f"{LAB}x")
SLEEP = f"sleep 1000.{os.getpid()}"  # to be known among all processes
ROOT = Path(__file__).resolve().parents[2]

# What a lab does to a machine, without a lab's code: lock, run directory, netns, veths, /etc/netns, a process in a
# node, and a PID namespace with its own processes, recorded before it is released.
BUILDER = """
import os, subprocess, sys
from ipaddress import IPv4Address
from pathlib import Path
from netlab.kernel import lock, netlink, process, wiring
from netlab.model.lab_settings import parse
from netlab.topology import names
from netlab.topology.plan import plan_lab, plan_pod
lab = sys.argv[1]
spec = parse({}, name=lab)
netlink.load()
print("go", flush=True)
held = lock.Lock.try_take(lab, purpose="daemon")
directory = lock.make_run_dir(lab)
process.write_record(directory / "daemon.json", os.getpid())
r, w = os.pipe()
waits = f"read x <&{r} || exit; {sys.argv[2]} & wait"  # it ends when the builder dies before it has written the record
init = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", waits], pass_fds=[r])
os.close(r)
process.write_record(directory / "init.json", init.pid)
os.write(w, b"\\n")
wiring.build(plan_lab(spec))
wiring.write_resolv_conf(f"{lab}.worker", "nameserver 10.96.0.10\\n")
subprocess.Popen(["ip", "netns", "exec", f"{lab}.worker", *sys.argv[2].split()], pass_fds=[held.fileno()])
for n in range(2, 12):
    netns = names.pod_netns(lab, "default", f"p{n}")
    wiring.build(plan_pod(spec, node="worker", netns=netns, addresses=[IPv4Address(f"10.244.1.{n}")]))
    wiring.write_resolv_conf(netns, "nameserver 10.96.0.10\\n")
    os.makedirs(directory / "pods" / str(n))
print("done", flush=True)
import time; time.sleep(1000)
"""


def start(lab=LAB):
    builder = subprocess.Popen([sys.executable, "-c", BUILDER, lab, SLEEP], stdout=subprocess.PIPE, text=True, cwd=ROOT,
                               env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert builder.stdout.readline() == "go\n"
    return builder


def built(lab=LAB):
    builder = start(lab)
    assert builder.stdout.readline() == "done\n"
    return builder


def end(builder):
    builder.kill()
    builder.wait()
    builder.stdout.close()


def traces(prefix=LAB):
    """Everything on the machine that has such a name, and the machine's own links."""
    found = [str(path) for directory in ("/run/netns", "/etc/netns", "/run/netlab")
             for path in Path(directory).glob(f"{prefix}*")]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{prefix}" in line]
    found += [line.split(":")[1] for line in subprocess.run(
        ["ip", "-o", "link"], capture_output=True, text=True).stdout.splitlines()]
    for pid in lock.all_pids():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"{prefix}." in command or SLEEP in command:
            found.append(f"{pid} {command}")
    return found


@pytest.fixture(autouse=True)
def _clean():
    yield
    for lab in (LAB, *OTHERS):
        sweep.sweep(lab)
        names.lock_file(lab).unlink(missing_ok=True)
    assert not [trace for trace in traces() if SLEEP in trace]


def test_nothing_is_left_whenever_the_builder_is_killed():
    before = traces()
    rng = random.Random(7)
    for _ in range(20):
        builder = start()
        time.sleep(rng.uniform(0.0, 0.15))
        builder.kill()
        sweep.sweep(LAB)
        assert sweep.leftovers(LAB) == []
        assert LAB not in sweep.labs()
        end(builder)
    assert traces() == before


def test_a_killed_sweep_is_finished_by_the_next():
    rng = random.Random(8)
    before = traces()
    for _ in range(6):
        builder = built()
        for _ in range(2):
            code = f"from netlab.kernel import sweep; print(1, flush=True); sweep.sweep({LAB!r})"
            child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
            child.stdout.readline()
            time.sleep(rng.uniform(0, 0.06))
            end(child)
        sweep.sweep(LAB)
        assert sweep.leftovers(LAB) == []
        end(builder)
    assert traces() == before


def test_a_running_lab_is_swept_and_its_daemon_ended():
    builder = built()
    assert len(sweep.leftovers(LAB)) > 10
    assert LAB in sweep.labs()
    sweep.sweep(LAB)
    assert builder.wait(2) == -signal.SIGKILL
    assert sweep.leftovers(LAB) == []
    sweep.sweep(LAB)
    end(builder)


def test_labs_whose_names_start_alike_are_untouched():
    for other in OTHERS:
        wiring.build(plan_lab(parse({}, name=other)))
        wiring.write_resolv_conf(f"{other}.worker", "\n")
        lock.make_run_dir(other)
    builder = built()
    before = [sweep.leftovers(other) for other in OTHERS]
    sweep.sweep(LAB)
    assert [sweep.leftovers(other) for other in OTHERS] == before
    assert set(OTHERS) <= set(sweep.labs())
    end(builder)


def test_a_daemon_without_a_record_is_found_by_its_lock_and_programs_by_their_netns():
    builder = built()
    (names.run_dir(LAB) / "daemon.json").unlink()
    sweep.sweep(LAB)
    assert builder.wait(2) == -signal.SIGKILL
    assert sweep.leftovers(LAB) == []
    end(builder)


def test_records_of_another_boot_or_of_a_reused_pid_kill_nobody():
    bystander = subprocess.Popen(["sleep", "100"])
    try:
        directory = lock.make_run_dir(LAB)
        started = process.start_time(bystander.pid)
        (directory / "daemon.json").write_text(json.dumps(["another boot", bystander.pid, started]))
        (directory / "init.json").write_text(json.dumps([process.boot_id(), bystander.pid, started - 1]))
        sweep.sweep(LAB)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_symlinks_are_removed_and_never_followed(tmp_path):
    (tmp_path / "precious").write_text("x")
    directory = lock.make_run_dir(LAB)
    (directory / "pods").symlink_to(tmp_path)
    names.ETC_NETNS.mkdir(exist_ok=True)
    (names.ETC_NETNS / f"{LAB}.worker").symlink_to(tmp_path)
    sweep.sweep(LAB)
    assert sweep.leftovers(LAB) == []
    lock.make_private_dir(names.RUN)
    directory.symlink_to(tmp_path)
    sweep.sweep(LAB)
    assert sweep.leftovers(LAB) == []
    assert (tmp_path / "precious").read_text() == "x"


def test_what_is_mounted_in_the_run_directory_is_unmounted_not_emptied(tmp_path):
    (tmp_path / "precious").write_text("x")
    inside = lock.make_run_dir(LAB) / "a b"
    inside.mkdir()
    netns.mount(str(tmp_path), str(inside), "none", netns.MS_BIND)
    netns.mount(str(tmp_path), str(inside), "none", netns.MS_BIND)
    sweep.sweep(LAB)
    assert sweep.leftovers(LAB) == []
    assert (tmp_path / "precious").read_text() == "x"


def test_a_name_of_the_machines_own_netns_kills_nobody():
    names.NETNS.mkdir(exist_ok=True)
    (names.NETNS / f"{LAB}.evil").touch()
    netns.mount("/proc/self/ns/net", f"/run/netns/{LAB}.evil", "none", netns.MS_BIND)
    bystander = subprocess.Popen(["sleep", "100"])
    try:
        if os.access("/proc/1/ns/net", os.F_OK):
            sweep.sweep(LAB)
        else:  # cannot be told from a shell inside the lab
            with pytest.raises(LabError, match="runs inside lab"):
                sweep.sweep(LAB)
        assert bystander.poll() is None
        netns.delete(f"{LAB}.evil")
        assert sweep.leftovers(LAB) == []
    finally:
        bystander.kill()
        bystander.wait()


def test_a_name_that_is_no_netns_is_removed():
    names.NETNS.mkdir(exist_ok=True)
    (names.NETNS / f"{LAB}.half").touch()
    assert sweep.leftovers(LAB) == [f"network namespace /run/netns/{LAB}.half"]
    sweep.sweep(LAB)
    assert sweep.leftovers(LAB) == []


def test_sweeping_from_inside_the_lab_is_refused():
    wiring.build(plan_lab(parse({"nodes": 1}, name=LAB)))
    code = f"from netlab.kernel import sweep; sweep.sweep({LAB!r})"
    result = subprocess.run(["ip", "netns", "exec", f"{LAB}.client", sys.executable, "-c", code], cwd=ROOT,
                            capture_output=True, text=True)
    assert f"this command runs inside lab {LAB}" in result.stderr


def test_the_lock_is_free_when_holder_and_helpers_are_gone():
    first = lock.Lock.try_take(LAB, purpose="daemon")
    assert lock.Lock.try_take(LAB, purpose="daemon") is None
    assert lock.last_holder(LAB)[:2] == ("daemon", os.getpid())
    helper = subprocess.Popen(["sleep", "100"], pass_fds=[first.fileno()])
    first.release()
    assert lock.is_held(LAB)
    assert lock.holders(LAB) == [helper.pid]
    helper.kill()
    helper.wait()
    assert not lock.is_held(LAB)
    with lock.Lock.try_take(LAB, purpose="daemon"):
        assert lock.is_held(LAB)


def test_two_sweeps_at_once_both_succeed():
    builder = built()
    code = f"from netlab.kernel import sweep; sweep.sweep({LAB!r}); assert not sweep.leftovers({LAB!r})"
    sweepers = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [sweeper.wait(20) for sweeper in sweepers] == [0, 0, 0]
    end(builder)


def test_a_lock_of_the_caller_is_kept():
    wiring.build(plan_lab(parse({"nodes": 1}, name=LAB)))
    with lock.Lock.try_take(LAB, purpose="daemon") as own:
        sweep.sweep(LAB, lock=own)
        assert lock.is_held(LAB)
        assert not netns.exists(f"{LAB}.client")


def test_a_run_directory_that_is_a_symlink_is_refused(tmp_path):
    names.RUN.mkdir(mode=0o700, exist_ok=True)
    names.run_dir(LAB).symlink_to(tmp_path)
    with pytest.raises(LabError, match="is not a directory of this user's"):
        lock.make_run_dir(LAB)
