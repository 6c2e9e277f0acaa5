"""A pretend host: namespaces of its own for all that a lab touches, so that a test may kill, plant and break at will.

It has its own network (lo and an eth0), PIDs, mounts, hostname, an empty /run and /tmp, and an /etc whose changes go
with it; the other files are the machine's. Nothing that happens in it can reach other labs on this machine, nor they
it, and when it ends all of it is gone.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAB = "host"  # the name of its labs, unless a test says otherwise
NETLAB = (sys.executable, "-P", "-m", "netlab")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
ROOMS = ("--mount", "--net", "--pid", "--uts", "--ipc")
SET_UP = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/.host/upper /run/.host/work /run/netns
mount -t overlay -o lowerdir=/etc,upperdir=/run/.host/upper,workdir=/run/.host/work overlay /etc
rm -rf /etc/netns
mkdir -p /run/.host/tmp
mount --rbind /tmp /run/.host/tmp
mount -t tmpfs -o mode=1777 tmpfs /tmp
for place in $KEPT; do  # the project and its Python, if they are below /tmp
    mkdir -p "/tmp/$place"
    mount --rbind "/run/.host/tmp/$place" "/tmp/$place"
done
umount -l /run/.host/tmp
mount --make-rshared /
mount --bind /run/netns /run/netns
mount --make-shared /run/netns
ip link set lo up
ip link add eth0 type veth peer name eth0-peer
for link in eth0 eth0-peer; do
    ip link set $link addrgenmode none  # no addresses that appear by themselves a second later
    ip link set $link up
done
ip address add 192.0.2.2/24 dev eth0
ip route add default via 192.0.2.1
iptables-legacy -t nat -A OUTPUT -d 192.0.2.99 -j RETURN
iptables-legacy -t filter -S >/dev/null
"""
KEPT = " ".join(sorted({path.removeprefix("/tmp/") for path in map(str, (ROOT, sys.prefix, sys.base_prefix))
                        if path.startswith("/tmp/")}))
# PID 1 of it: says that it is ready, waits for all that dies.
INIT = """
import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
os.write(1, b"ready\\n")
while True:
    signal.sigwait([signal.SIGCHLD])
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""


def needs_a_public_checkout():
    """Skips where another user cannot reach this checkout and its Python, as below a directory of mode 0700."""
    for place in (ROOT / "pyproject.toml", sys.executable):
        done = subprocess.run([*NOBODY, "test", "-r", str(place)], capture_output=True, check=False, cwd="/")
        if done.returncode:
            pytest.skip(f"other users cannot read {place}")


class PretendHost:
    """A context manager. `nsenter` gets programs into it; they see and are seen by nothing outside."""

    def __init__(self, *, init=INIT):
        command = ["unshare", *ROOMS, "--fork", "--mount-proc", "--kill-child", "sh", "-c", SET_UP + 'exec "$@"', "sh",
                   sys.executable, "-I", "-S", "-c", init]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                         env=os.environ | {"KEPT": KEPT})
        assert self._process.stdout.readline() == "ready\n", "the pretend host cannot be set up"
        children = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        self.pid = Path(children).read_text().split()[0]
        self.env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests", "NETLAB_NAME": LAB}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.communicate()

    def start(self, *program, **options):
        """A program in it, as a Popen with all output in one pipe."""
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True,
                    "env": self.env, "cwd": "/", "start_new_session": True} | options
        return subprocess.Popen(["nsenter", "-t", self.pid, *ROOMS, "--", *program], **settings)

    def run(self, *program, limit=60):
        """(exit code, output) of a program in it."""
        with self.start(*program) as process:
            try:
                output = process.communicate(timeout=limit)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return process.returncode, output

    def sh(self, script):
        """The output of a shell script that succeeds."""
        code, output = self.run("sh", "-c", script)
        assert code == 0, f"{script}: exit code {code}\n{output}"
        return output

    def netlab(self, *arguments, code=0, before=()):
        """The output of a netlab command, which ends with that code; `before` is a program that starts it."""
        found, output = self.run(*before, *NETLAB, *arguments)
        assert found == code, f"netlab {' '.join(arguments)}: exit code {found}, not {code}\n{output}"
        return output

    def apply(self, text):
        """Applies manifests to the lab."""
        self.sh(f"cat >/tmp/applied.yaml <<'END'\n{text}\nEND")
        self.netlab("apply", "-f", "/tmp/applied.yaml")

    def snapshot(self):
        """`leaks.snapshot`, of it."""
        return eval(self.sh(f"{sys.executable} -P -c 'import leaks; print(leaks.snapshot())'"))

    def record(self, name):
        """The pid, as it knows it, in the lab's `daemon.json` or `init.json`."""
        return int(self.sh(f"cat /run/netlab/{LAB}/{name}.json").split(",")[1])

    def is_clean(self):
        """Whether nothing of any lab is there; else a failure that shows what is."""
        ours = "-e '[n]etlab.lab.daemon' -e '^[n]etlab: ' -e '-m [n]etlab' -e '[l]ab_init'"
        script = f"ip netns; ls -A /run/netlab /etc/netns 2>/dev/null; ps -eo args= | grep {ours} || true"
        until(lambda: not self.sh(script).strip(), lambda: self.sh(script))
        return True


def until(condition, what, limit=15.0):
    """What the condition gives once that is true; fails with `what()` after `limit` seconds."""
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {limit:g} s: {what()}"
        time.sleep(0.02)
    return found
