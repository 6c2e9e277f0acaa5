"""How long the wiring of 3 nodes and 100 pods takes: ours in one process, against `ip -batch` doing the same.

    PYTHONPATH=. python scripts/benches/wire.py [ROUNDS]

Whole runs alternate; the best of each is compared. `ip` needs one process per netns (a batch cannot change it), and
is spared the sysctls. `build` alone is the time inside our process, without the interpreter and the imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from netlab.kernel import sweep, wiring
from netlab.model.lab_settings import parse
from netlab.model.lab_spec import LabSpec
from netlab.topology.names import pod_netns
from netlab.topology.plan import plan_lab, plan_pod
from netlab.topology.wiring import Route, Veth, Wiring, in_order

PODS = 100
OURS, THEIRS = "nltbench-ours", "nltbench-ip"


def plan(lab: str) -> tuple[Wiring, ...]:
    """The wirings of the lab and its pods, one per netns."""
    spec: LabSpec = parse({}, name=lab)
    wirings = list(plan_lab(spec))
    for number in range(PODS):
        node = spec.nodes[number % len(spec.nodes)]
        address = spec.node_pod_cidr(node)[2 + number // len(spec.nodes)]
        wirings += plan_pod(spec, node=node, netns=pod_netns(lab, "default", f"p{number}"), addresses=[address])
    return in_order(wirings)


def build_in_this_process() -> None:
    """What the measured process does; it prints the milliseconds of `build`."""
    wirings = plan(OURS)
    began = time.perf_counter()
    wiring.build(wirings)
    print((time.perf_counter() - began) * 1000)


def ip_commands(part: Wiring) -> list[str]:
    """The lines of `ip -batch` that make a wiring."""
    lines = [f"link add {bridge.name} index {bridge.index} address {bridge.mac} type bridge" for bridge in part.bridges]
    lines += [line for veth in part.veths for line in _veth(veth)]
    lines += [f"link set {name} up" for name, _ in part.up]
    lines += [f"addr add {a.address} dev {a.link}{'' if a.prefix_route else ' noprefixroute'}" for a in part.addresses]
    lines += [_route(route) for route in part.routes]
    lines += [f"neigh add {n.address} lladdr {n.mac} nud permanent dev {n.link}" for n in part.neighbours]
    return lines + [f"link set {bridge.name} up" for bridge in part.bridges]


def _veth(veth: Veth) -> list[str]:
    return [f"link add {veth.name} index {veth.index} address {veth.mac} type veth peer name {veth.peer} "
            f"index {veth.peer_index} address {veth.peer_mac} netns {veth.peer_netns}",
            f"link set {veth.name} up" + (f" master {veth.master}" if veth.master else "")]


def _route(route: Route) -> str:
    words = f"route add {route.destination} dev {route.link}" + (f" via {route.via}" if route.via else "")
    return words + (" scope host" if route.on_host else "") + (f" src {route.source}" if route.source else "")


def time_ours() -> tuple[float, float]:
    """(whole run, `build` alone) in ms."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--build"], check=True, capture_output=True, text=True)
    return (time.perf_counter() - began) * 1000, float(done.stdout)


def time_ip(batches: Sequence[tuple[list[str], str]]) -> float:
    """The whole run in ms."""
    began = time.perf_counter()
    for command, file in batches:
        subprocess.run([*command, "-batch", file], check=True)
    return (time.perf_counter() - began) * 1000


def write_batches(directory: Path) -> list[tuple[list[str], str]]:
    """(ip command, batch file): first all netns, then each."""
    wirings = plan(THEIRS)
    batches = [(["ip"], [f"netns add {part.netns}" for part in wirings])]
    batches += [(["ip", "-n", part.netns], ip_commands(part)) for part in wirings]
    files = []
    for number, (command, lines) in enumerate(batches):
        file = directory / str(number)
        file.write_text("\n".join([*lines, ""]))
        files.append((command, str(file)))
    return files


def main(rounds: int) -> None:
    ours, inside, theirs = [], [], []

    def swept(lab: str, function: Callable[[], None]) -> None:
        try:
            function()
        finally:
            sweep.sweep(lab)
            time.sleep(0.5)  # the kernel ends a hundred netns behind our back: not on the other's time

    with tempfile.TemporaryDirectory() as directory:
        batches = write_batches(Path(directory))
        for _ in range(rounds):
            swept(OURS, lambda: [series.append(ms) for series, ms in zip((ours, inside), time_ours(), strict=True)])
            swept(THEIRS, lambda: theirs.append(time_ip(batches)))
    for lab in (OURS, THEIRS):
        Path(f"/run/netlab/.{lab}.lock").unlink(missing_ok=True)
    results = {"netlab, whole run": ours, "netlab, build alone": inside, "ip -batch, whole run": theirs}
    for name, series in results.items():
        print(f"{name:22} best {min(series):7.1f} ms   median {sorted(series)[len(series) // 2]:7.1f} ms")
    print(f"ratio of whole runs, best to best: {min(ours) / min(theirs):.2f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--build"]:
        build_in_this_process()
    elif os.geteuid() != 0:
        sys.exit("needs root")
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 5)
