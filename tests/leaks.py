"""What of a lab could be left on a machine, as a value that can be compared before and after."""

import os
import subprocess
from pathlib import Path


def snapshot():
    """Links, routes, rules, mounts, network namespaces, processes elsewhere, files: by kind, in words."""
    return {
        "links": _lines("ip", "-o", "link"),
        "routes": _lines("ip", "route", "show", "table", "all"),
        "rules": [line for line in _lines("iptables-legacy-save") if not line.startswith(("#", ":"))],
        "netns": _names("/run/netns"),
        "etc netns": _names("/etc/netns"),
        "run": [name for name in _names("/run/netlab") if not name.startswith(".")],
        "mounts": sorted({line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}),
        "processes": _processes(),
    }


def left(before, after):
    """What `after` has that `before` had not: lines "kind: thing".

    Processes in namespaces that were there before are none of ours, however new: somebody's lab goes on.
    """
    found = [f"{kind}: {thing}" for kind in after if kind != "processes"
             for thing in after[kind] if thing not in before[kind]]
    rooms = {room for _, room in before["processes"]}
    return found + [f"process: {process}" for process, room in after["processes"] if room not in rooms]


def _lines(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines()


def _names(directory):
    return sorted(os.listdir(directory)) if os.path.isdir(directory) else []


def _processes():
    """Living processes outside of this process's network or PID namespace, and netlab's own: (name, namespaces)."""
    here = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "pid")]
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            room = [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "pid")]
        except OSError:
            continue
        if "netlab.lab.daemon" in command:
            room = [pid]
        if state not in "ZX" and room != here:
            found.append((f"{pid} {command[:80]}", tuple(room)))
    return found
