"""A pretend host: namespaces of its own for all that a lab touches, so that a test may kill, plant and break at will.

It has its own network (lo and an eth0), PIDs, mounts, hostname, an empty /run, and an /etc whose changes go with it;
the files are the machine's. Nothing that happens in it can reach other labs on this machine, nor they it.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SET_UP = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/.host/upper /run/.host/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/.host/upper,workdir=/run/.host/work overlay /etc
rm -rf /etc/netns
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount --make-rshared /
ip link set lo up
ip link add eth0 type veth peer name eth0-peer
for link in eth0 eth0-peer; do
    ip link set $link addrgenmode none  # no addresses that appear by themselves a second later
    ip link set $link up
done
ip address add 192.0.2.2/24 dev eth0
ip route add default via 192.0.2.1
mkdir -p /run/netns
mount --bind /run/netns /run/netns
mount --make-shared /run/netns
iptables-legacy -t nat -A OUTPUT -d 192.0.2.99 -j RETURN
iptables-legacy -t filter -S >/dev/null
"""
# PID 1 of it: starts the program, waits for all that dies, ends with the program's code.
INIT = """
import os, sys
reap, program = sys.argv[1] == "reap", sys.argv[2:]
pid = os.fork()
if pid == 0:
    os.execvp(program[0], program)
while True:
    found, status = os.waitpid(-1 if reap else pid, 0)
    if found == pid:
        os._exit(os.waitstatus_to_exitcode(status) & 255)
"""


def command(program, *, set_up=SET_UP, reap=True, then=""):
    """The argument list that runs `program` in a new pretend host. Its PID 1 need not wait for orphans."""
    script = set_up + then + '\nexec "$@"'
    return ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "--kill-child",
            "sh", "-c", script, "sh", sys.executable, "-c", INIT, "reap" if reap else "no", *program]


def run(program, *, limit=120.0, env=None, **options):
    """The completed process of a program in a new pretend host: code, and all output in `stdout`."""
    return subprocess.run(command(program, **options), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=limit, check=False,
                          env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests"} | (env or {}))
