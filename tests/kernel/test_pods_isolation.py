"""What a pod can see and do: the machine's files are read-only or hidden, its powers are a container's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pod_bench import Bench, default_capabilities, ended, finish, shell, start

from netlab.kernel.pod_spec import Mount
from netlab.kernel.pods import Pod

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="pods need root")]
LAB = "nltp-walls"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench(LAB)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def pod(bench: Bench) -> Pod:
    pod = bench.pod("web")
    start(pod, "web.0", "sleep", "600")
    return pod


@pytest.mark.parametrize("script", [
    "echo x >/etc/netlab-test", "echo x >>/etc/passwd", "touch /usr/bin/netlab-test", "rm /usr/bin/env",
    "echo 1 >/proc/sys/kernel/sysrq", "echo 1 >/proc/sys/vm/drop_caches", "echo h >/proc/sysrq-trigger",
    "echo 1 >/sys/class/net/lo/ifalias", "mount -t tmpfs x /mnt", "umount /etc/shadow", "mount -o remount,rw /usr",
    "chmod 600 /dev/null", "chmod 600 /etc/shadow", "mknod /tmp/disk b 254 0 && cat /tmp/disk",
    "hostname other", "dmesg --clear", "nsenter -t 1 -m true", "cat /proc/1/environ", "echo x >/proc/1/fd/2",
    "unshare -Urm sh -c 'umount /etc/shadow || mount -o remount,rw,bind /usr'", "ip link add x0 type dummy",
    "readlink -e /proc/1/root/etc", "chroot /proc/1/root true",
])
def test_a_pod_is_refused(pod: Pod, script: str) -> None:
    code, output = shell(pod, script)
    assert code != 0, output


def test_the_machines_device_nodes_are_as_before(pod: Pod) -> None:
    assert finish(pod, "chmod.0", "chmod", "600", "/dev/null", "/proc/self/fd/0")[0] != 0
    assert os.stat("/dev/null").st_mode & 0o777 == 0o666
    assert shell(pod, "echo x >/dev/null && head -c 3 /dev/zero | wc -c && head -c 2 /dev/urandom | wc -c") == \
        (0, "3\n2\n")


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/gshadow", "/etc/ssl/private/*", "/etc/ssh/*", "/root/.[a-z]*",
                                  "/home/*", "/run/netlab", "/run/netns", "/var/lib/*", "/etc/sudoers", "/work",
                                  "/proc/keys", "/proc/kcore", "/sys/firmware/*"])
def test_a_pod_does_not_see(pod: Pod, path: str) -> None:
    assert shell(pod, f"cat {path} 2>/dev/null | head -c 100; ls -d {path} 2>/dev/null | grep -c '*' || true"
                 )[1].strip() in ("", "0")


def test_a_pod_sees_the_programs_and_users_of_the_machine(pod: Pod) -> None:
    assert shell(pod, "cat /etc/passwd")[1] == Path("/etc/passwd").read_text()
    assert shell(pod, "ls /usr/bin | wc -l")[1].strip() == str(len([n for n in os.listdir("/usr/bin") if n[0] != "."]))


@pytest.mark.parametrize("field", ["CapPrm", "CapEff", "CapBnd"])
def test_its_capabilities_are_the_default_set_of_container_runtimes(pod: Pod, field: str) -> None:
    script = f"grep -h {field} /proc/self/status"
    assert finish(pod, f"{field.lower()}.0", "sh", "-c", script)[1].split()[1] == default_capabilities()
    assert shell(pod, script)[1].split()[1] == default_capabilities()


def test_inheritable_and_ambient_sets_are_empty_and_no_exec_gives_more(pod: Pod) -> None:
    _, status = shell(pod, "cat /proc/self/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines())
    assert {facts["CapInh"], facts["CapAmb"]} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"


@pytest.mark.parametrize("place", ["/tmp", "/run", "/root", "/var/tmp", "/var/log", "/dev/shm", "/"])
def test_a_pod_can_write_to(pod: Pod, place: str) -> None:
    assert shell(pod, f"echo x >{place}/netlab-test && rm {place}/netlab-test") == (0, "")
    assert not os.path.exists(f"{place}/netlab-test")


def test_what_a_pod_may_write_has_a_limit(pod: Pod) -> None:
    code, output = shell(pod, "head -c 300M /dev/zero >/tmp/big; rc=$?; rm /tmp/big; exit $rc")
    assert code != 0
    assert "No space left" in output


def test_a_process_has_no_descriptor_of_the_init(pod: Pod) -> None:
    code, log = finish(pod, "fds.0", "sh", "-c", "ls /proc/$$/fd; readlink /proc/$$/fd/0")
    assert (code, log) == (0, "0\n1\n2\n/dev/null\n")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/a.conf").write_text("hello\n")
    (tmp_path / "file").write_text("one file\n")
    return tmp_path


TARGETS = ["/data", "/data/deep/down", "/etc/nginx/conf.d", "/usr/share/nginx-test/html", "/var/www/html",
           "/run/secrets/kubernetes.io/serviceaccount", "/opt/app", "/etc/ssl/certs", "/root/.kube", "/tmp/x"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_directory_is_mounted_wherever_it_is_wanted(pod: Pod, files: Path, target: str) -> None:
    name = f"dir{TARGETS.index(target)}.0"
    script = f"cat {target}/a.conf; touch {target}/new 2>/dev/null || echo read-only"
    mount = Mount(str(files / "conf"), target)
    assert finish(pod, name, "sh", "-c", script, mounts=(mount,)) == (0, "hello\nread-only\n")
    if target.startswith(("/etc/", "/usr/")):
        script = f"touch {os.path.dirname(target)}/new 2>/dev/null; ls {os.path.dirname(target)} | grep -c new"
        assert finish(pod, f"ro-{name}", "sh", "-c", script, mounts=(mount,))[1] == "0\n"


@pytest.mark.parametrize("target", ["/etc/resolv.conf", "/etc/hosts", "/app/config.yaml", "/etc/new-app/config.yaml"])
def test_a_file_is_mounted_wherever_it_is_wanted(bench: Bench, files: Path, target: str) -> None:
    before = os.path.lexists(target) and os.lstat(target)
    pod = bench.pod(f"file{abs(hash(target))}", Mount(str(files / "file"), target))
    assert finish(pod, "cat.0", "cat", target) == (0, "one file\n")
    assert finish(pod, "write.0", "sh", "-c", f"echo x >{target}")[0] != 0
    assert (os.path.lexists(target) and os.lstat(target)) == before
    pod.kill()


def test_a_rebuilt_directory_keeps_all_entries_and_what_is_hidden_in_it(bench: Bench, files: Path) -> None:
    pod = bench.pod("rebuilt", Mount(str(files / "conf"), "/etc/netlab-new/conf.d"))
    _, listing = finish(pod, "ls.0", "ls", "-A", "/etc")
    transient = {"netns"}  # other labs make and remove it
    assert set(listing.split()) - transient == (set(os.listdir("/etc")) | {"netlab-new"}) - transient
    assert finish(pod, "shadow.0", "sh", "-c", "cat /etc/shadow /etc/gshadow; ls /etc/ssl/private") == (0, "")
    assert finish(pod, "write.0", "touch", "/etc/new")[0] != 0
    pod.kill()


def test_a_symbolic_link_leads_to_what_the_pod_sees(bench: Bench, files: Path) -> None:
    (files / "tree").mkdir()
    (files / "tree/link").symlink_to("/run/elsewhere/stub.conf")
    pod = bench.pod("links", Mount(str(files / "tree"), "/srv/tree"), Mount(str(files / "file"), "/srv/tree/link"))
    assert finish(pod, "cat.0", "cat", "/srv/tree/link", "/run/elsewhere/stub.conf") == (0, "one file\n" * 2)
    assert not os.path.exists("/run/elsewhere")
    pod.kill()


def test_a_writable_mount_is_the_machines_directory(pod: Pod, files: Path) -> None:
    mount = Mount(str(files), "/data", read_only=False)
    assert finish(pod, "write.0", "sh", "-c", "echo from the pod >/data/new", mounts=(mount,)) == (0, "")
    assert (files / "new").read_text() == "from the pod\n"


def test_mounts_of_a_process_are_its_containers_own_and_an_exec_sees_them(pod: Pod, files: Path) -> None:
    start(pod, "own.0", "sleep", "600", mounts=(Mount(str(files), "/own"),), env={"OWN": "yes"})
    assert shell(pod, "cat /own/file; echo $OWN", container="own") == (0, "one file\nyes\n")
    assert shell(pod, "cat /own/file", container="web")[0] != 0
    with pytest.raises(ProcessLookupError, match='container not found \\("nobody"\\)'):
        shell(pod, "true", container="nobody")
    pod.signal("own.0", 9)
    assert ended(pod, "own.0").code == 137


@pytest.mark.parametrize(("source", "target", "text"), [
    ("/no/such/place", "/data", "/no/such/place"), ("file", "/etc/ssl", "is none"), ("conf", "/etc/passwd", "is none"),
    ("conf", "/", "root directory"), ("conf", "/proc/new", "/proc/new"),
])
def test_a_mount_that_is_impossible_says_why(pod: Pod, files: Path, source: str, target: str, text: str) -> None:
    with pytest.raises(OSError, match=text):
        start(pod, "impossible.0", "true", mounts=(Mount(str(files / source), target),))


@pytest.fixture(scope="module")
def old_pod() -> Iterator[Pod]:
    bench = Bench("nltp-old", preload=("tests.kernel.pod_old_kernel",))
    yield bench.pod("web")
    bench.close()


def test_kernels_without_mount_setattr_have_the_same_walls(pod: Pod, old_pod: Pod, files: Path) -> None:
    def seen(pod: Pod) -> list[list[str]]:
        _, table = finish(pod, "walls.0", "cat", "/proc/self/mountinfo", mounts=(
            Mount(str(files), "/data"), Mount(str(files / "conf"), "/etc/netlab-new/conf.d")))
        return sorted([f[4], f[5], *f[6:f.index("-")]] for f in (line.split() for line in table.splitlines())
                      if f[4] != "/etc/netns")  # other labs make and remove it

    assert seen(old_pod) == seen(pod)
    assert shell(old_pod, "touch /etc/x")[0] != 0
    assert shell(old_pod, "touch /usr/x")[0] != 0


def test_programs_find_the_bin_directory_at_its_path(bench: Bench) -> None:
    directory = bench.directory / "bin"
    directory.mkdir()
    (directory / "iptables").symlink_to("/usr/sbin/xtables-legacy-multi")
    pod = bench.pod("tools", bin_directory=str(directory))
    assert finish(pod, "which.0", "sh", "-c", "command -v iptables")[1] == f"{directory}/iptables\n"
    assert finish(pod, "run.0", "ls", "/run/netlab/" + LAB)[1] == "bin\n"


def test_the_interpreter_is_in_the_pod_when_the_sandbox_asks(bench: Bench) -> None:
    import sys
    pod = bench.pod("python", python=True)
    root = Path(__file__).parents[2]
    code, log = finish(pod, "python.0", sys.executable, "-c", "import netlab, yaml; print(netlab.__name__)",
                       env={"PYTHONPATH": str(root)})
    assert (code, log) == (0, "netlab\n")
