"""Times of kube-proxy: rules from Services to the kernel, and from a write in the API to the first packet.

    PYTHONPATH=. python scripts/benches/proxy.py [SERVICESxENDPOINTS ...] [--mode MODE] [--runs N] [--nodes N]

The peer in the same run is the program that takes the same rules as text, as a whole process: `iptables-legacy-restore`
for the iptables mode, `nft -f -` for the nftables mode. Ours and theirs come in turn, each into a fresh netns. "cold"
is all of it for the first time in a process; "warm" is another set of as many Services in a process that has written
rules before, as a lab's daemon has. Rows with a target end in "ok" or "MISSED" by the clock; one that is missed makes
the exit code 1. Needs root.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from netlab.kernel import iptables_binding
from netlab.kernel.collector import without_collector
from scripts.benches.proxy_follow import follow
from scripts.benches.proxy_modes import MODES, Mode, changed, node, rows, run_peer

NETNS = f"nltdp-bench{os.getpid()}-"
SIZES = ["100x3", "1000x3", "1000x10", "5000x2"]


@contextmanager
def fresh(number: int = 0) -> Iterator[str]:
    """A netns for one run."""
    name = f"{NETNS}{number}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


class Took(NamedTuple):
    """Milliseconds by the clock, and of processor time, programs that were started included."""

    clock: float
    processor: float


def timed(function: Callable[[], object]) -> Took:
    """What it takes."""
    gc.collect()
    start, before = time.perf_counter(), time.process_time()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    function()
    clock = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return Took(clock * 1000, (time.process_time() - before + children) * 1000)


class Bench:
    """One size in one mode. `times` are all runs' by their key."""

    def __init__(self, mode: Mode, services: int, endpoints: int, nodes: int) -> None:
        self.mode, self.nodes = mode, nodes
        self.rows, self.others = rows(services, endpoints), rows(services, endpoints)
        half = len(self.rows) // 2
        self.after = (*self.rows[:half], changed(self.rows[half]), *self.rows[half + 1:])
        held, after = (mode.compile(some, node("n0")) for some in (self.rows, self.after))
        self.text, self.change = mode.text(held), mode.change(held, after)
        self.times: dict[str, list[Took]] = {}

    def compile(self, cache: Any, some: Any = None, name: str = "n0") -> Any:
        """A node's rules."""
        with without_collector():  # as kube-proxy does
            return self.mode.compile(some or self.rows, node(name), cache=cache)

    def note(self, key: str, took: Took) -> None:
        """Keeps a figure."""
        self.times.setdefault(key, []).append(took)

    def run(self) -> None:
        """Every figure once."""
        mode = self.mode
        with fresh() as place:
            self.note("peer", timed(lambda: run_peer(place, mode.peer, self.text)))
            assert mode.tables(place).matches(self.compile(mode.cache()))
            self.note("peer change", timed(lambda: run_peer(place, mode.peer_change, self.change)))
        mode.forget()
        with fresh() as place:
            cache, tables = mode.cache(), mode.tables(place)
            self.note("cold", timed(lambda: tables.replace(self.compile(cache))))
            assert tables.matches(self.compile(cache))
        with fresh() as place:
            cache, tables = mode.cache(), mode.tables(place)
            self.note("warm", timed(lambda: tables.replace(self.compile(cache, self.others))))
            self.note("unchanged", timed(lambda: self.compile(cache, self.others)))
            ruleset = self.compile(cache, self.others)
            self.note("look", timed(lambda: tables.matches(ruleset)))
            self.note("compile", timed(lambda: self.compile(mode.cache())))
        with fresh() as place:
            cache, tables = mode.cache(), mode.tables(place)
            tables.replace(self.compile(cache))
            self.note("change", timed(lambda: tables.replace(self.compile(cache, self.after))))
            assert tables.matches(self.compile(mode.cache(), self.after))

    def many_nodes(self) -> None:
        """The first node and further ones, from nothing."""
        self.mode.forget()
        cache = self.mode.cache()
        took = []
        for number in range(self.nodes):
            with fresh(number) as place:
                tables = self.mode.tables(place)
                took.append(timed(lambda n=number, to=tables: to.replace(self.compile(cache, name=f"n{n}"))))
                assert tables.matches(self.compile(cache, name=f"n{number}"))
        self.note("nodes", Took(*map(sum, zip(*took, strict=True))))
        for one in took[1:]:
            self.note("further", one)

    def kept(self) -> tuple[int, int]:
        """Bytes and objects that are kept for a node's rules, packed as they are; what Services are is not counted."""
        self.mode.forget()
        with fresh() as place:
            tracemalloc.start()
            cache, tables = self.mode.cache(), self.mode.tables(place)
            ruleset = self.compile(cache)
            tables.replace(ruleset)
            assert tables.matches(ruleset)
            gc.collect()
            found = tracemalloc.take_snapshot()
            tracemalloc.stop()
            return sum(one.size for one in found.traces), len(found.traces)

    def report(self) -> bool:
        """Prints the figures; whether all targets were met."""
        best = {key: Took(*map(min, zip(*values, strict=True))) for key, values in self.times.items()}
        theirs, change = self.mode.peer[0], " ".join(self.mode.peer_change)
        good = True
        for key, label, against, share, peer in (
                ("peer", theirs, "", 0.0, ""), ("peer change", f"{change}, one Service", "", 0.0, ""),
                ("compile", "compile only", "", 0.0, ""),
                ("cold", "cold: compile, pack, load", "peer", 1.0, theirs),
                ("warm", "warm: compile, pack, load", "peer", 1.0, theirs),
                ("further", "a further node", "peer", 0.5, theirs),
                ("nodes", f"{self.nodes} nodes, cold", "peer", 0.5 * self.nodes + 0.5, theirs),
                ("change", "one Service changed", "peer change", 1.0, change),
                ("unchanged", "no-op sync", "", 0.0, ""), ("look", "compare with the kernel", "", 0.0, "")):
            middle = statistics.median(took.clock for took in self.times[key])
            text = f"  {label:42} best {best[key].clock:8.2f}  median {middle:8.2f}" \
                f"  processor {best[key].processor:8.2f}"
            if against:
                ratio = best[key].clock / best[against].clock
                busy = best[key].processor / best[against].processor
                text += f"   {ratio:5.2f} x {peer} (of processor time {busy:.2f}; at most {share:g})" \
                    f"  {'ok' if ratio <= share else 'MISSED'}"
                good = good and ratio <= share
            print(text, flush=True)
        size, objects = self.kept()
        print(f"  kept: {size / 1e6:.1f} MB in {objects:,} objects")
        return good


def bench(mode: Mode, services: int, endpoints: int, *, runs: int, nodes: int) -> bool:
    """Prints the figures of one size; whether the targets were met."""
    found = Bench(mode, services, endpoints, nodes)
    lines = found.mode.rules(found.text)
    print(f"{mode.name}, {services}x{endpoints}: {lines:,} rules, {runs} runs, ms")
    for _ in range(runs):
        found.run()
    for _ in range(max(1, runs // 3)):
        found.many_nodes()
    return found.report()


def main() -> int:
    """Runs the sizes and modes asked for, and then follows a change through a lab with 1,000 Services."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", metavar="SxE", help=f"e.g. {' '.join(SIZES)}; these without any")
    parser.add_argument("--mode", choices=list(MODES), action="append")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--only", choices=["rules", "follow"])
    options = parser.parse_args()
    iptables_binding.load()
    sizes = [tuple(map(int, size.split("x"))) for size in options.sizes or SIZES]
    results = []
    for name in options.mode or MODES:
        if options.only != "follow":
            results += [bench(MODES[name], *size, runs=options.runs, nodes=options.nodes) for size in sizes]
        if options.only != "rules":
            results.append(follow(name, MODES[name].budget))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
