"""kube-proxy of one node: Services and endpoints become the rules in that node's netns."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Protocol
from weakref import WeakKeyDictionary

from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.proxy_status import ProxyStatus, Serve
from netlab.controllers.runtime import Controller
from netlab.model import meta
from netlab.model.meta import Manifest
from netlab.netfilter import Ruleset
from netlab.proxy import MODES
from netlab.proxy.health import TO_BE_DELETED, ProxyState, health_checks
from netlab.proxy.iptables import Cache
from netlab.proxy.snapshot import NodeView, Proxied, Snapshots
from netlab.proxy.udp import Serving, udp_serving

SYNC_PERIOD = 30.0  # seconds after which the kernel's tables are looked at again
MIN_INTERVAL = 0.03  # seconds from write to write
NOBODY: frozenset[str] = frozenset()
ZONE_LABEL = "topology.kubernetes.io/zone"


class Tables(Protocol):
    """What is needed of a node's tables; the methods block."""

    def replace(self, ruleset: Ruleset) -> None:
        """Makes the tables what the ruleset says."""

    def matches(self, ruleset: Ruleset) -> bool:
        """Whether the kernel holds just that."""

    def forget_udp(self, serving: Serving) -> None:
        """Ends UDP flows to addresses that others serve now."""


class Shared:
    """What all proxies of a lab compute together: the rows, and rules of ports that are alike on every node."""

    def __init__(self) -> None:
        self.cache = Cache()
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

    def __init__(self, registry: Registry, *, node: str, tables: Tables, serve: Serve | None = None) -> None:
        super().__init__(registry)
        self.name = f"kube-proxy/{node}"
        self.node = node
        self.tables = tables
        self._shared = _shared.setdefault(registry, Shared())
        self._compiled: tuple[tuple[Proxied, ...], NodeView, Ruleset] | None = None
        self._written: Ruleset | None = None
        self._serving: Serving = {}
        self._checked = 0.0
        self._last = 0.0
        self._begun: float | None = None  # when the write began that has not succeeded yet
        self._updated: datetime | None = None
        self._syncs, self._sync_seconds = 0, 0.0
        self._status = ProxyStatus(serve, node=node, state=self._state) if serve else None
        self._recorder = EventRecorder(registry, "kube-proxy", node)

    async def reconcile(self) -> float | None:
        """Compiles, compares, writes."""
        clock = asyncio.get_running_loop().time
        pause = self._last + MIN_INTERVAL - clock()
        if pause > 0:
            await asyncio.sleep(pause)
        ruleset, serving = self._compile(), self._shared.serving(self.registry)
        # A backend leaves the rules when its deletion begins, but goes on serving its flows until it is gone.
        if ruleset != self._written or serving != self._serving or clock() >= self._checked + SYNC_PERIOD:
            # Unknown until done: a failed or cancelled write must not pass for a finished one.
            known, self._written = self._written, None
            begun = clock()
            self._begun = self._begun or begun
            await asyncio.get_running_loop().run_in_executor(self._shared.writer, self._sync, ruleset, known, serving)
            self._written, self._serving = ruleset, serving
            self._last = self._checked = clock()
            self._begun, self._updated = None, self.registry.clock()
            self._syncs, self._sync_seconds = self._syncs + 1, self._sync_seconds + self._last - begun
        self._tell_health()
        return max(0.0, self._checked + SYNC_PERIOD - clock())

    async def close(self) -> None:
        """Ends its servers; its rules stay."""
        if self._status:
            self._status.close()

    def _tell_health(self) -> None:
        if self._status is None:
            return
        refused = self._status.follow(health_checks(self._shared.rows(self.registry), node=self.node))
        for check, text in refused:
            service = self.registry.find("services", check.service, check.namespace)
            if service is not None:
                self._recorder.event(
                    service, "Warning", "FailedToStartServiceHealthcheck",
                    f'node {self.node} failed to start healthcheck "{check.namespace}/{check.service}" on port '
                    f"{check.port}: {text}")

    def _state(self) -> ProxyState:
        node = self.registry.find("nodes", self.node)
        taints = [taint.get("key") for taint in meta.spec(node or {}).get("taints") or ()]
        late = self._begun is not None and asyncio.get_running_loop().time() > self._begun + 2 * SYNC_PERIOD
        tables = self._written.tables if self._written else ()
        return ProxyState(
            now=self.registry.clock(), updated=self._updated, healthy=self._updated is not None and not late,
            eligible=node is not None and not meta.is_deleting(node) and TO_BE_DELETED not in taints,
            mode=self.registry.spec.proxy_mode, syncs=self._syncs, sync_seconds=self._sync_seconds,
            rules=lambda: {table.name: sum(len(chain.rules) for chain in table.chains) for table in tables})

    def _compile(self) -> Ruleset:
        rows, view = self._shared.rows(self.registry), self._node_view()
        if self._compiled is None or self._compiled[0] is not rows or self._compiled[1] != view:
            compile = MODES[self.registry.spec.proxy_mode]  # noqa: A001
            self._compiled = rows, view, compile(rows, view, cache=self._shared.cache)
        return self._compiled[2]

    def _sync(self, ruleset: Ruleset, known: Ruleset | None, serving: Serving) -> None:
        right = (known is None or known == ruleset) and self.tables.matches(ruleset)
        if not right:
            self.tables.replace(ruleset)
        # The look at tracked flows takes time on a busy node, and who only comes along takes no flow from others.
        if any(self._serving.get(key, NOBODY) - addresses or key not in self._serving
               for key, addresses in serving.items()):
            self.tables.forget_udp(serving)

    def _node_view(self) -> NodeView:
        manifest = self.registry.find("nodes", self.node) or {}
        return NodeView(self.node, _addresses(manifest), meta.labels(manifest).get(ZONE_LABEL, ""),
                        str(self.registry.spec.pod_cidr))


def _addresses(manifest: Manifest) -> tuple[str, ...]:
    found = meta.status(manifest).get("addresses") or ()
    return tuple(str(item.get("address")) for item in found if item.get("type") == "InternalIP")
