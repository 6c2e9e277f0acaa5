"""Times of writing kube-proxy's rules, ours against iptables-legacy-restore as a whole process with the same rules.

    PYTHONPATH=. python scripts/benches/rules.py [SERVICESxENDPOINTS ...] [--runs N]

Every run loads into a fresh netns, ours and theirs in turn; the best and the median of all runs are printed. A ratio
above 1.0 in a row "cold" is a failure. "cold, 3 nodes" stands against three times the program. Needs root.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from netlab.api.registry import Registry
from netlab.controllers.kube_proxy import KubeProxy
from netlab.controllers.runtime import Manager
from netlab.kernel import iptables_binding, netns
from netlab.kernel.iptables import NodeTables
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import ObjectKey
from netlab.netfilter import Ruleset, render
from netlab.proxy import iptables, iptables_shape
from netlab.proxy.backends import Backend
from netlab.proxy.frontends import CLUSTER_IP, Frontend, Portal
from netlab.proxy.iptables import Cache
from netlab.proxy.snapshot import NodeView, Proxied
from netlab.store import Store

NETNS = "nltdp-bench"


def rows(services: int, endpoints: int) -> tuple[Proxied, ...]:
    """That many Services with that many endpoints each."""
    found = []
    for i in range(services):
        name = f"default/service-{i:05}"
        frontend = Frontend(CLUSTER_IP, f"10.96.{i >> 8}.{i & 255}", 80, "TCP", "Cluster")
        backends = [Backend(f"10.244.{n >> 8 & 255}.{n & 255}", 8080, node="n1")
                    for n in range(i * endpoints, (i + 1) * endpoints)]
        portal = Portal(name, "TCP", "default", name[8:], "", (frontend,))
        found.append(Proxied(portal, tuple(sorted(backends, key=lambda backend: backend.text))))
    return tuple(found)


def changed(row: Proxied) -> Proxied:
    """The Service with one endpoint less."""
    return Proxied(row.portal, row.backends[:-1])


def node(name: str) -> NodeView:
    """A node as the rules see it."""
    return NodeView(name, ("172.18.0.2",), "", "10.244.0.0/16")


class Fresh:
    """A netns for one run."""

    def __init__(self, name: str = NETNS) -> None:
        self.name = name

    def __enter__(self) -> NodeTables:
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        return NodeTables(self.name)

    def __exit__(self, *error: object) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=True)


def timed(function: Callable[[], object]) -> float:
    """Milliseconds that it takes."""
    gc.collect()
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


def forget() -> None:
    """Shapes are found and packed again."""
    iptables_shape._samples.clear()


def restore(text: str, *options: str) -> None:
    """The whole program, as kube-proxy starts it."""
    netns.visit(NETNS, lambda: subprocess.run(["iptables-legacy-restore", *options], input=text, text=True, check=True))


def three_nodes(all_rows: tuple[Proxied, ...]) -> float:
    """Milliseconds from rows to rules on three empty nodes, one after another."""
    forget()
    with ExitStack() as stack:
        nodes = [stack.enter_context(Fresh(f"{NETNS}{n}")) for n in range(3)]
        cache = Cache()
        took = timed(lambda: [tables.replace(iptables.compile(all_rows, node(f"n{n}"), cache=cache))
                              for n, tables in enumerate(nodes)])
        assert all(tables.matches(iptables.compile(all_rows, node("n1"), cache=cache)) for tables in nodes)
    return took


async def follow(services: int, endpoints: int, runs: int) -> list[float]:
    """Milliseconds from an endpoint's change in the store until the rules of three nodes follow, of that many runs."""
    registry = Registry(Store(), LabSpec(nodes=("n0", "n1", "n2")))
    meta = {"namespace": "default"}
    for i in range(services):
        name = f"service-{i:05}"
        port = {"port": 80, "targetPort": 8080, "protocol": "TCP"}
        registry.store.put(ObjectKey("services", "default", name), {
            "metadata": meta | {"name": name},
            "spec": {"clusterIP": f"10.96.{i >> 8}.{i & 255}", "type": "ClusterIP", "ports": [port]}})
        put_slice(registry, name, [f"10.244.{n >> 8 & 255}.{n & 255}" for n in
                                   range(i * endpoints, (i + 1) * endpoints)])
    with ExitStack() as stack:
        nodes = [stack.enter_context(Fresh(f"{NETNS}{n}")) for n in range(3)]
        manager = Manager(KubeProxy(registry, node=f"n{n}", tables=tables) for n, tables in enumerate(nodes))
        manager.start()
        await manager.settled(30)
        took = []
        for run in range(runs):
            await asyncio.sleep(0.3)  # let the controllers rest, as they do when nothing happens
            address = f"10.245.0.{run + 1}"
            start = time.perf_counter()
            put_slice(registry, "service-00000", [address])
            await manager.settled(30)
            took.append((time.perf_counter() - start) * 1000)
        assert all(f"--to-destination {address}:8080" in tables.save() for tables in nodes)
        await manager.stop()
    return took


def put_slice(registry: Registry, name: str, addresses: list[str]) -> None:
    """Stores a Service's endpoints."""
    registry.store.put(ObjectKey("endpointslices", "default", f"{name}-x"), {
        "metadata": {"namespace": "default", "name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]})


def bench(services: int, endpoints: int, runs: int) -> bool:
    """Prints the figures of one size; whether the target was met."""
    all_rows = rows(services, endpoints)
    text = render(iptables.compile(all_rows, node("n1")))
    first = all_rows[len(all_rows) // 2]
    other = tuple(changed(row) if row is first else row for row in all_rows)
    after = render(iptables.compile(other, node("n1"))).splitlines()
    chains = {line.split()[1] for line in set(text.splitlines()) ^ set(after) if line.startswith("-A")}
    partial = "".join(["*nat\n", *(f":{name} - [0:0]\n" for name in sorted(chains)),
                       *(line + "\n" for line in after if line.startswith("-A") and line.split()[1] in chains),
                       "COMMIT\n"])
    compiling: list[float] = []
    times: dict[str, list[float]] = {key: [] for key in ("cold", "compile", "load", "restore", "node", "change",
                                                         "noflush", "no-op", "compare", "three",
                                                         "restore-3", "follow")}
    for _ in range(runs):
        forget()
        cache = Cache()
        with Fresh() as tables:
            held: list[Ruleset] = []

            def cold(tables: NodeTables = tables, cache: Cache = cache, held: list[Ruleset] = held) -> None:
                start = time.perf_counter()
                held.append(iptables.compile(all_rows, node("n1"), cache=cache))
                compiling.append((time.perf_counter() - start) * 1000)
                tables.replace(held[0])

            times["cold"].append(timed(cold))
            times["compile"].append(compiling[-1])
            times["load"].append(times["cold"][-1] - compiling[-1])
            ruleset = held[0]
            times["no-op"].append(timed(lambda cache=cache, held=held: ruleset_equal(held[0], cache, all_rows)))
            times["compare"].append(timed(lambda tables=tables, ruleset=ruleset: tables.matches(ruleset)))
            assert tables.matches(ruleset)
            times["change"].append(timed(lambda tables=tables, cache=cache:
                                         tables.replace(iptables.compile(other, node("n1"), cache=cache))))
        with Fresh() as tables:
            times["node"].append(timed(lambda tables=tables, cache=cache:
                                       tables.replace(iptables.compile(all_rows, node("n2"), cache=cache))))
        with Fresh() as tables:
            times["restore"].append(timed(lambda: restore(text)))
            assert tables.matches(ruleset)
            times["noflush"].append(timed(lambda: restore(partial, "--noflush")))
        times["three"].append(three_nodes(all_rows))
        times["restore-3"].append(3 * times["restore"][-1])
    times["follow"] = asyncio.run(follow(services, endpoints, runs))
    best = {key: min(values) for key, values in times.items()}
    print(f"{services}x{endpoints}: {text.count(chr(10) + '-A'):,} rules, {runs} runs, ms")
    for key, label, against in (("cold", "cold: compile, pack, load", "restore"), ("compile", "- of which compile", ""),
                                ("load", "- of which pack, load", "restore"), ("node", "a further node", "restore"),
                                ("change", "one Service changed", "noflush"), ("no-op", "no-op sync", ""),
                                ("compare", "compare with the kernel", ""),
                                ("three", "cold, 3 nodes", "restore-3"),
                                ("follow", "store to kernel, 3 nodes", "")):
        median = statistics.median(times[key])
        ratio = f"   {best[key] / best[against]:5.2f} of {best[against]:.1f} ({against})" if against else ""
        print(f"  {label:28} best {best[key]:7.2f}  median {median:7.2f}{ratio}")
    return best["cold"] <= best["restore"]


def ruleset_equal(held: Ruleset, cache: Cache, all_rows: tuple[Proxied, ...]) -> bool:
    """What compiling is when no row changed, but somebody asks."""
    return iptables.compile(all_rows, node("n1"), cache=cache) == held


def main() -> int:
    """Runs the sizes asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=["100x3", "1000x3"], metavar="SxE")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    iptables_binding.load()
    sizes = [tuple(map(int, size.split("x"))) for size in options.sizes]
    results = [bench(services, endpoints, options.runs) for services, endpoints in sizes]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
