import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pretend_host import needs_a_public_checkout

from netlab.kernel import bin_directory, preflight, preflight_ipv6, preflight_modes

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
ROOT = Path(__file__).resolve().parents[2]
PRINT = "from netlab.kernel import preflight; print(*preflight.quick(), sep='\\n')"


def quick(*prefix, env=None, **options):
    """The lines that another process prints whose rights or surroundings are smaller."""
    result = subprocess.run([*prefix, sys.executable, "-c", PRINT], cwd=ROOT, capture_output=True, text=True,
                            env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}), **options)
    assert result.returncode == 0, result.stderr
    return [line for line in result.stdout.splitlines() if line]


def state():
    return (os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self/ns/pid"),
            [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "/netns" not in line],
            Path("/proc/sys/net/ipv4/ip_forward").read_text(),
            subprocess.run(["ip", "-o", "link"], capture_output=True).stdout)


def test_this_machine_lacks_nothing_and_is_not_changed():
    before = state()
    assert preflight.quick() == []
    assert [lack for lack in preflight.lacks() if not lack.warning] == []
    assert state() == before


def test_who_is_not_root_is_told_so():
    needs_a_public_checkout()
    assert quick(user=65534) == ["root: network namespaces are made by root only; run it with sudo"]


def test_without_sys_admin_the_message_names_what_a_container_needs():
    lines = quick("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
    assert [line.split(":")[0] for line in lines] == ["network namespaces", "mounts"]
    assert "Operation not permitted" in lines[0]
    assert "--cap-add SYS_ADMIN,NET_ADMIN,NET_RAW" in lines[0]


@pytest.fixture
def fake(tmp_path):
    """A PATH in front of the real one, with an iptables-legacy-restore that knows no module `recent`."""
    program = tmp_path / "iptables-legacy-restore"
    program.write_text("""#!/bin/sh
rules=$(cat)
case $rules in *'-m recent'*) echo "iptables-restore v1.8.9 (legacy): Couldn't load match \\`recent'" >&2; exit 2;; esac
printf '%s\\n' "$rules" | exec /usr/sbin/iptables-legacy-restore "$@"
""")
    program.chmod(0o755)
    return str(tmp_path)


def test_a_missing_match_is_named_with_the_words_of_iptables(fake):
    lines = quick(env={"PATH": f"{fake}:{os.environ['PATH']}"})
    assert lines == ["iptables match recent: iptables-restore v1.8.9 (legacy): Couldn't load match `recent'; "
                     "load its module on the machine: modprobe xt_recent (or ipt_recent)"]


def test_a_missing_program_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(preflight, "which", lambda program: None if program == "dig" else program)
    assert [str(lack) for lack in preflight.lacks() if not lack.warning] == [
        "program dig: it is not on the PATH; apt-get install bind9-dnsutils (or dnsutils)"]


def test_too_few_open_files_are_told_with_the_limit():
    lines = quick(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))
    assert lines == ["open files: the limit is 1000, a lab needs 4096; ulimit -Hn 4096 (docker: --ulimit nofile=4096)"]


def test_a_read_only_proc_sys_is_no_lack():
    script = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec \"$@\""
    assert quick("unshare", "-m", "sh", "-c", script, "sh") == []


def test_every_probe_of_a_rule_is_a_rule_that_iptables_takes():
    restore = bin_directory.legacy("iptables-restore")
    for rule in preflight_modes.MATCHES:
        assert preflight_modes.try_rules(restore, [rule]) == ""


def test_a_busy_iptables_on_the_machine_does_not_disturb_the_probe():
    with open("/run/xtables.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert preflight.quick() == []


def test_a_machine_that_runs_labs_here_can_run_them_with_ipv6():
    assert preflight.quick("iptables", ("IPv4", "IPv6")) == []


@pytest.mark.parametrize("mode", ["iptables", "nftables", "userspace"])
def test_a_mode_of_which_nothing_is_missing_is_not_searched_through(mode, monkeypatch):
    monkeypatch.setattr(preflight, "lacks", lambda *_: pytest.fail("the search takes ten children"))
    assert preflight.quick(mode, ("IPv4", "IPv6")) == []


def test_a_rule_that_nft_refuses_is_searched_for(monkeypatch):
    monkeypatch.setattr(preflight_modes, "_NFT", "add table FAMILY netlab-probe\nadd nothing\n")
    assert [lack.what for lack in preflight.quick("nftables")] == ["nftables"]


@pytest.mark.parametrize(("text", "words"), [
    ("-m nosuch -j RETURN", "ip6tables target DNAT"),
    ("-p tcp -m tcp -j DNAT --to-destination 192.0.2.1:80", "ip6tables target DNAT"),
])
def test_what_ip6tables_lacks_is_named(monkeypatch, text, words):
    monkeypatch.setitem(preflight_ipv6.MATCHES6, "DNAT", ("nat", text))
    (lack,) = preflight_ipv6.ipv6_lacks()
    assert (lack.what, lack.warning) == (words, False)
    assert "modprobe" in lack.remedy


def test_a_kernel_without_ipv6_is_named(monkeypatch):
    def none(*_):
        raise OSError("Address family not supported by protocol")

    monkeypatch.setattr(preflight_ipv6.socket, "socket", none)
    (lack,) = preflight_ipv6.ipv6_lacks()
    assert str(lack).startswith("IPv6: Address family not supported by protocol; boot the machine without ipv6.disable")
