"""kube-proxy of one node: Services and endpoints become the rules in that node's netns."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from netlab.api.registry import Registry
from netlab.controllers.runtime import Controller
from netlab.model import meta
from netlab.model.meta import Manifest
from netlab.netfilter import AnyRuleset
from netlab.proxy import CACHES, MODES
from netlab.proxy.snapshot import NodeView, Proxied, Snapshots
from netlab.proxy.udp import Serving, udp_serving

MIN_INTERVAL = 0.03  # seconds from write to write, unless the settings say another
DEFAULT_MODE = "iptables"
NOBODY: frozenset[str] = frozenset()
ZONE_LABEL = "topology.kubernetes.io/zone"


class Tables(Protocol):
    """What is needed of a node's tables; the methods block."""

    def replace(self, ruleset: Any) -> None:
        """Makes the tables what the ruleset says."""

    def matches(self, ruleset: Any) -> bool:
        """Whether the kernel holds just that."""

    def remove(self, ruleset: Any) -> None:
        """Takes away what the ruleset has brought."""

    def forget_udp(self, serving: Serving) -> None:
        """Ends UDP flows to addresses that others serve now."""


class Shared:
    """What all proxies of a lab compute together: the rows, and rules of ports that are alike on every node."""

    def __init__(self, mode: str) -> None:
        self.compile: Any = MODES[mode]
        self.cache: Any = CACHES[mode]()
        # One thread for all nodes: what one has packed the next only writes, and they do not fight for Python's lock.
        self.writer = ThreadPoolExecutor(1, "kube-proxy")
        self._snapshots = Snapshots()
        self._seen: tuple[int, tuple[Proxied, ...]] = (-1, ())
        self._serving: tuple[tuple[Proxied, ...], Serving] = ((), {})

    def rows(self, registry: Registry) -> tuple[Proxied, ...]:
        """The Services' ports at present."""
        revision = registry.store.revision_of("services", "endpointslices")
        if self._seen[0] != revision:
            before = self._snapshots.refused
            rows = self._snapshots.take(registry.list("services"), registry.list("endpointslices"))
            if rows is not self._seen[1]:
                self.cache.prune(rows)
            self._seen = revision, rows
            for text in self._snapshots.refused:
                if text not in before:
                    print(f"kube-proxy: left out: {text}", file=sys.stderr)
        return self._seen[1]

    def serving(self, registry: Registry) -> Serving:
        """Who serves UDP flows at present."""
        rows = self.rows(registry)
        if self._serving[0] is not rows:
            self._serving = rows, udp_serving(rows)
        return self._serving[1]


_shared: WeakKeyDictionary[Registry, Shared] = WeakKeyDictionary()


class KubeProxy(Controller):
    """Writes the node's rules at the first change, then at most every 30 ms; repairs them when somebody else wrote.

    What it wrote stays when it stops, and a new one leaves tables alone that are right already.
    """

    resources = ("services", "endpointslices", "nodes")

    def __init__(self, registry: Registry, *, node: str, tables: Tables) -> None:
        super().__init__(registry)
        self.name = f"kube-proxy/{node}"
        self.node = node
        self.tables = tables
        self.settings = registry.spec.proxy
        if registry not in _shared:
            _shared[registry] = Shared(self.settings.mode or registry.spec.proxy_mode or DEFAULT_MODE)
        self._shared = _shared[registry]
        self._compiled: tuple[tuple[Proxied, ...], NodeView, AnyRuleset] | None = None
        self._written: AnyRuleset | None = None
        self._serving: Serving = {}
        self._checked = 0.0
        self._last = 0.0

    async def reconcile(self) -> float | None:
        """Compiles, compares, writes."""
        clock = asyncio.get_running_loop().time
        least = self.settings.min_sync_period
        pause = self._last + (MIN_INTERVAL if least is None else least) - clock()
        if pause > 0:
            await asyncio.sleep(pause)
        ruleset, serving = self._compile(), self._shared.serving(self.registry)
        # A backend leaves the rules when its deletion begins, but goes on serving its flows until it is gone.
        if ruleset != self._written or serving != self._serving or clock() >= self._checked + self.settings.sync_period:
            # Unknown until done: a failed or cancelled write must not pass for a finished one.
            known, self._written = self._written, None
            await asyncio.get_running_loop().run_in_executor(self._shared.writer, self._sync, ruleset, known, serving)
            self._written, self._serving = ruleset, serving
            self._last = self._checked = clock()
        return max(0.0, self._checked + self.settings.sync_period - clock())

    async def cleanup(self) -> None:
        """Takes the node's rules away, as `kube-proxy --cleanup` does; it must not run."""
        remove = partial(self.tables.remove, self._compile())
        await asyncio.get_running_loop().run_in_executor(self._shared.writer, remove)
        self._written = None

    def _compile(self) -> AnyRuleset:
        rows, view = self._shared.rows(self.registry), self._node_view()
        if self._compiled is None or self._compiled[0] is not rows or self._compiled[1] != view:
            self._compiled = rows, view, self._shared.compile(rows, view, cache=self._shared.cache)
        return self._compiled[2]

    def _sync(self, ruleset: AnyRuleset, known: AnyRuleset | None, serving: Serving) -> None:
        right = (known is None or known == ruleset) and self.tables.matches(ruleset)
        if not right:
            self.tables.replace(ruleset)
        # The look at tracked flows takes time on a busy node, and who only comes along takes no flow from others.
        if any(self._serving.get(key, NOBODY) - addresses or key not in self._serving
               for key, addresses in serving.items()):
            self.tables.forget_udp(serving)

    def _node_view(self) -> NodeView:
        manifest = self.registry.find("nodes", self.node) or {}
        spec, settings = self.registry.spec, self.settings
        cidr, interface = "", ""
        if settings.detect_local_mode == "ClusterCIDR":
            cidr = str(spec.pod_cidr) if settings.cluster_cidr is None else settings.cluster_cidr
        elif settings.detect_local_mode == "NodeCIDR":
            cidr = str(spec.node_pod_cidr(self.node))
        elif settings.detect_local_mode == "BridgeInterface":
            interface = settings.bridge_interface
        else:
            interface = settings.interface_name_prefix + "+"
        return NodeView(self.node, _addresses(manifest), meta.labels(manifest).get(ZONE_LABEL, ""), cidr,
                        settings.masquerade_all, settings.localhost_node_ports, interface, settings.masquerade_bit,
                        settings.node_port_addresses, (str(spec.service_cidr),))


def _addresses(manifest: Manifest) -> tuple[str, ...]:
    found = meta.status(manifest).get("addresses") or ()
    return tuple(str(item.get("address")) for item in found if item.get("type") == "InternalIP")
