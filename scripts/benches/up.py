"""Times a lab from nothing until its DNS answers, and its removal, as whole processes.

Peers in the same run, alternating: `python -c pass` (what any Python program costs), and `ip -batch` making only the
namespaces and links of the same lab.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
LAB = f"bench{os.getpid()}"
NODES = ("control-plane", "worker", "worker2", "client")


def seconds(command: list[str]) -> float:
    """Wall time of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - start


def bare_wiring(directory: Path) -> list[str]:
    """A shell command that makes four hosts and a bridge with `ip -batch`, and nothing else."""
    names = [f"{LAB}.x{index}" for index in range(len(NODES))]
    outer = [f"netns add {name}" for name in (f"{LAB}.xf", *names)]
    inner = ["link add br0 type bridge"]
    inner += [f"link add p{i} type veth peer name eth0 netns {name}" for i, name in enumerate(names)]
    inner += [f"link set p{i} master br0 up" for i in range(len(names))] + ["link set br0 up"]
    (directory / "outer").write_text("\n".join(outer) + "\n")
    (directory / "inner").write_text("\n".join(inner) + "\n")
    script = f"ip -batch {directory}/outer && ip -n {LAB}.xf -batch {directory}/inner"
    for i, name in enumerate(names):
        host = [f"addr add 172.18.0.{i + 2}/16 dev eth0", "link set lo up", "link set eth0 up"]
        (directory / name).write_text("\n".join(host) + "\n")
        script += f" && ip -n {name} -batch {directory}/{name}"
    return ["sh", "-c", script]


def main() -> None:
    """Prints best and median of each, and the ratios."""
    times: dict[str, list[float]] = {"python -c pass": [], "ip -batch": [], "netlab up": [], "netlab down": []}
    netlab = [sys.executable, "-P", "-m", "netlab"]
    with tempfile.TemporaryDirectory() as directory:
        wiring = bare_wiring(Path(directory))
        for _ in range(ROUNDS):
            times["python -c pass"].append(seconds([sys.executable, "-c", "pass"]))
            try:
                times["ip -batch"].append(seconds(wiring))
            finally:
                for name in (f"{LAB}.xf", *(f"{LAB}.x{index}" for index in range(len(NODES)))):
                    subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)
            try:
                times["netlab up"].append(seconds([*netlab, "up", "--name", LAB]))
            finally:
                times["netlab down"].append(seconds([*netlab, "down", LAB]))
    print(f"up: 3 nodes, 2 DNS pods, until a DNS answer through the Service ({ROUNDS} rounds)")
    best = {name: min(values) for name, values in times.items()}
    for name, values in times.items():
        median = sorted(values)[len(values) // 2]
        print(f"  {name:16} best {best[name] * 1000:7.1f} ms   median {median * 1000:7.1f} ms")
    print(f"  netlab up / python -c pass: {best['netlab up'] / best['python -c pass']:.1f}")
    print(f"  netlab up / ip -batch:      {best['netlab up'] / best['ip -batch']:.1f}")


if __name__ == "__main__":
    main()
