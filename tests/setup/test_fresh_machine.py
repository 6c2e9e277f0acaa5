"""The set-up itself, on a machine that has nothing but Python and apt: a freshly debootstrapped Debian 12."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.lab

# In namespaces of its own, with the tree as the real root (containers need pivot_root; a chroot is not enough).
INSIDE = """
set -e
mount --bind "$TREE" "$TREE"; cd "$TREE"
mount -t proc proc proc; mount -t sysfs sys sys; mount -t tmpfs run run; mount -t tmpfs tmp tmp
mount --rbind /dev dev; mount --make-rslave dev
mkdir -p mnt; pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt; cd /src; exec "$0" "$@"' "$@"
"""


def proved() -> Path:
    """A mark that this very set-up was proved here before: it takes minutes, and once is enough."""
    content = b"".join((ROOT / name).read_bytes() for name in ("scripts/setup.sh", "pyproject.toml", "scripts/netlab"))
    return Path(os.environ.get("NETLAB_VENV", ROOT / ".venv")) / f".proved-{hashlib.sha256(content).hexdigest()[:12]}"


def mirror() -> str:
    """The machine's own Debian mirror."""
    for source in (*Path("/etc/apt/sources.list.d").glob("*"), Path("/etc/apt/sources.list")):
        for word in source.read_text(errors="replace").split() if source.is_file() else ():
            if word.startswith("http") and word.rstrip("/").endswith("/debian"):
                return word
    return ""


def bootstrap(tree: Path) -> None:
    """Debian 12, minbase, plus python3 and certificates; the machine's way to its package sources comes along."""
    command = ["debootstrap", "--variant=minbase", "--include=python3,ca-certificates", "bookworm", str(tree), mirror()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"debootstrap does not work here: {done.stdout.strip().splitlines()[-1:]}")
    for name in ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
        if Path(name).is_file():
            shutil.copy(Path(name).resolve(), tree / name[1:])
    for source in Path("/etc/apt/apt.conf.d").glob("*"):
        if "Acquire" in source.read_text(errors="replace"):
            shutil.copy(source, tree / "etc/apt/apt.conf.d")
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True,
                           check=True).stdout.split(b"\0")
    for file in filter(None, files):
        target = tree / "src" / os.fsdecode(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / os.fsdecode(file)).is_file():
            shutil.copy(ROOT / os.fsdecode(file), target)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_two_commands_set_up_a_machine_that_has_only_python_and_apt():
    mark = proved()
    if mark.exists() and not os.environ.get("CI"):
        pytest.skip(f"proved on this machine before (remove {mark} to repeat)")
    if not shutil.which("debootstrap") or not mirror():
        pytest.skip("needs debootstrap and a Debian mirror in the apt sources")
    environment = {key: value for key, value in os.environ.items()
                   if key.startswith(("PIP_", "SSL_")) or key.lower().endswith("_proxy")}
    environment |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    with tempfile.TemporaryDirectory(prefix="netlab-fresh-", ignore_cleanup_errors=True) as directory:
        tree = Path(directory)
        bootstrap(tree)

        def inside(*command: str) -> subprocess.CompletedProcess[str]:
            enter = ["unshare", "-mpf", "--propagation", "private", "sh", "-c", INSIDE, "sh", *command]
            return subprocess.run(enter, env=environment | {"TREE": directory}, capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, check=False)

        first = inside("scripts/netlab", "run", "coffee")
        assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
        assert "installing system packages" in first.stderr
        again = inside("scripts/netlab", "version")
        assert again.returncode == 0, again.stderr
        assert "installing" not in again.stderr
        tests = inside("scripts/test", "-m", "not kernel and not lab", "tests/store", "tests/model")
        assert tests.returncode == 0, tests.stdout[-3000:] + tests.stderr[-3000:]
        assert " passed" in tests.stdout
    mark.touch()
