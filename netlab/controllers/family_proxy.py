"""What kube-proxy does for one IP family on one node: compile, compare, write."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from netlab.api import service_ranges
from netlab.api.registry import Registry
from netlab.controllers.udp_flows import UdpFlows
from netlab.kernel.collector import without_collector
from netlab.model import meta
from netlab.model.family import family_of
from netlab.model.meta import Manifest
from netlab.model.node_port_addresses import PRIMARY
from netlab.netfilter import AnyRuleset
from netlab.netfilter.ruleset import Ruleset
from netlab.proxy import CACHES, MODES
from netlab.proxy.metrics import no_local_endpoints, owned_rules
from netlab.proxy.snapshot import NodeView, Proxied, Snapshots
from netlab.proxy.state import Changes, Durations, FamilyState
from netlab.proxy.udp import Serving, udp_serving
from netlab.store import Expired, Store

DEFAULT_MODE = "iptables"
# Threads that write for all nodes. One where they pack rules: what one node has packed the next only writes, and they
# do not fight for Python's lock. Where most of it is the kernel's work, as many as it has processors for: were there
# more, all nodes would wait for the slowest.
WRITERS = {"nftables": len(os.sched_getaffinity(0))}
PRUNE_AFTER = 16  # changes
ZONE_LABEL = "topology.kubernetes.io/zone"


class Tables(Protocol):
    """What is needed of a node's tables; the methods block."""

    def replace(self, ruleset: Any) -> None:
        """Makes the tables what the ruleset says."""

    def matches(self, ruleset: Any) -> bool:
        """Whether the kernel holds just that."""

    def remove(self, ruleset: Any) -> None:
        """Takes away what the ruleset has brought."""

    def close(self) -> None:
        """Ends what runs beside the rules; the rules stay."""

    def forget_udp(self, serving: Serving, family: str) -> None:
        """Ends the family's UDP flows to addresses that others serve now."""


class Shared:
    """What all proxies of a lab and family compute together: the rows, and rules of ports alike on every node."""

    def __init__(self, family: str, writer: ThreadPoolExecutor, cleaner: ThreadPoolExecutor, *, mode: str) -> None:
        self.family = family
        self.compile: Any = MODES[mode]
        self.cache: Any = CACHES[mode]()
        self.writer, self.cleaner = writer, cleaner
        self.writing = 0  # how many nodes' rules are under way
        self._snapshots = Snapshots(family)
        self._seen: tuple[int, tuple[Proxied, ...]] = (-1, ())
        self._unpruned = 0
        self._serving: tuple[tuple[Proxied, ...], Serving] = ((), {})

    def rows(self, registry: Registry) -> tuple[Proxied, ...]:
        """The Services' ports at present."""
        store, (since, rows) = registry.store, self._seen
        revision = store.revision_of("services", "endpointslices")
        if since != revision:
            before = self._snapshots.refused
            try:
                services, slices = (_changed(store, resource, since) for resource in ("services", "endpointslices"))
                found = self._snapshots.change(services, slices)
            except Expired:
                found = self._snapshots.take(registry.list("services"), registry.list("endpointslices"))
            if found is not rows:
                self._prune(found)
            self._seen = revision, found
            for text in self._snapshots.refused:
                if text not in before and self.family == registry.spec.ip_families[0]:
                    print(f"kube-proxy: left out: {text}", file=sys.stderr)
        return self._seen[1]

    @property
    def seen(self) -> tuple[Proxied, ...]:
        """The Services' ports as they were looked at last."""
        return self._seen[1]

    def changes(self, registry: Registry) -> tuple[Changes, Changes]:
        """How many changes of Services and of EndpointSlices were taken, and how many wait."""
        waiting = self._snapshots.waiting(registry.list("services"), registry.list("endpointslices"))
        services, slices = map(Changes, self._snapshots.taken, waiting)
        return services, slices

    def _prune(self, rows: tuple[Proxied, ...]) -> None:
        """Forgets ports that are gone: not at every change, for it has to look at all."""
        self._unpruned += 1
        if self._unpruned > PRUNE_AFTER:
            self.cache.prune(rows, family=self.family)
            self._unpruned = 0

    def serving(self, rows: tuple[Proxied, ...]) -> Serving:
        """Who serves UDP flows."""
        if self._serving[0] is not rows:
            self._serving = rows, udp_serving(rows)
        return self._serving[1]


_shared: WeakKeyDictionary[Registry, dict[str, Shared]] = WeakKeyDictionary()


def shared_of(registry: Registry) -> dict[str, Shared]:
    """The registry's, by family."""
    if registry not in _shared:
        mode = registry.spec.proxy_mode or DEFAULT_MODE
        writer = ThreadPoolExecutor(WRITERS.get(mode, 1), "kube-proxy")
        cleaner = ThreadPoolExecutor(1, "kube-proxy-udp")
        _shared[registry] = {family: Shared(family, writer, cleaner, mode=mode) for family in registry.spec.ip_families}
    return _shared[registry]


class FamilyProxy:
    """The proxy of one family on a node, as kube-proxy runs one for each.

    `checked` is its last look at the kernel, `begun` when the write began that has not succeeded yet.
    """

    def __init__(self, registry: Registry, shared: Shared, *, node: str, tables: Tables,
                 on_done: Callable[[], None]) -> None:
        self.checked = 0.0
        self.begun: float | None = None
        self.updated: datetime | None = None
        self.queued: datetime | None = None
        self.failures, self.durations = 0, Durations()
        self._registry, self._shared, self._node, self._tables = registry, shared, node, tables
        self._compiled: tuple[tuple[Proxied, ...], NodeView, AnyRuleset] | None = None
        self.written: AnyRuleset | None = None
        self._serving: Serving = {}
        self._flows = UdpFlows(lambda serving: tables.forget_udp(serving, shared.family), shared.cleaner,
                               on_done=on_done, writing=lambda: shared.writing > 0)

    @property
    def pending(self) -> bool:
        """Whether it still looks for UDP flows that have to end; `on_done` is called when it has."""
        return self._flows.pending

    def rows(self) -> tuple[Proxied, ...]:
        """The Services' ports at present."""
        return self._shared.rows(self._registry)

    def changes(self) -> tuple[Changes, Changes]:
        """How many changes of Services and of EndpointSlices were taken, and how many wait."""
        return self._shared.changes(self._registry)

    async def sync(self, clock: Callable[[], float]) -> bool:
        """Makes the kernel's tables right; whether there was a reason to look at them."""
        rows, ruleset = self.rows(), self._compile()
        # A backend leaves the rules when its deletion begins, but goes on serving its flows until it is gone.
        due = self.checked + self._registry.spec.proxy.sync_period
        if ruleset == self.written and self._shared.serving(rows) == self._serving and clock() < due:
            return False
        # Unknown until done: a failed or cancelled write must not pass for a finished one.
        known, self.written = self.written, None
        begun = clock()
        self.begun, self.queued = self.begun or begun, self._registry.clock()
        if self._flows.pending:
            self._flows.expect(self._shared.serving(rows))
        try:
            await self._in_writer(self._write, ruleset, known)
        except Exception:
            self.failures += 1
            raise
        serving = self._shared.serving(rows)
        self._flows.follow(serving)
        self.written, self._serving = ruleset, serving
        self.checked, self.begun = clock(), None
        self.updated = self._registry.clock()
        self.durations.observe(self.checked - begun)
        return True

    def check_addresses(self) -> tuple[str, ...] | None:
        """Where health check ports answer: at the addresses with node ports; None when that is everywhere."""
        view = self._node_view()
        nftables = self._registry.spec.proxy_mode == "nftables"
        found = view.node_port_ips(default=(PRIMARY,) if nftables else ())
        return None if found is None else tuple(ip for ip in found if ip not in view.gateways)

    def state(self, *, late: bool) -> FamilyState:
        """How it does; `late` when a write has not succeeded for too long."""
        ruleset, rows = self.written, self._shared.seen
        return FamilyState(
            self._shared.family, self.updated, self.queued, healthy=self.updated is not None and not late,
            failures=self.failures, durations=self.durations,
            rules=lambda: owned_rules(ruleset) if isinstance(ruleset, Ruleset) else {},
            no_local=lambda: no_local_endpoints(rows, node=self._node))

    async def close(self) -> None:
        """Ends what runs beside the rules, after a write that may still go on; the rules stay."""
        await self._flows.close()
        await self._in_writer(self._tables.close)
        self.written = None  # a part of it may have gone

    async def cleanup(self) -> None:
        """Takes the family's rules away."""
        await self._in_writer(self._tables.remove, self._compile())
        self.written = None

    async def _in_writer(self, function: Callable[..., None], *arguments: Any) -> None:
        """Calls it in a writer's thread. When cancelled it waits for its end: it comes before what follows."""
        work = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(
            self._shared.writer, function, *arguments))
        self._shared.writing += 1
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        finally:
            self._shared.writing -= 1

    def _compile(self) -> AnyRuleset:
        rows, view = self._shared.rows(self._registry), self._node_view()
        if self._compiled is None or self._compiled[0] is not rows or self._compiled[1] != view:
            with without_collector():
                self._compiled = rows, view, self._shared.compile(rows, view, cache=self._shared.cache)
        return self._compiled[2]

    def _write(self, ruleset: AnyRuleset, known: AnyRuleset | None) -> None:
        right = (known is None or known == ruleset) and self._tables.matches(ruleset)
        if not right:
            self._tables.replace(ruleset)

    def _node_view(self) -> NodeView:
        manifest, family = self._registry.find("nodes", self._node) or {}, self._shared.family
        spec, settings = self._registry.spec, self._registry.spec.proxy
        cidr, interface = "", ""
        if settings.detect_local_mode == "ClusterCIDR":
            said = settings.cluster_cidr
            cidr = str(spec.of(family).pod) if said is None else \
                next((one for one in said.split(",") if one and family_of(one) == family), "")
        elif settings.detect_local_mode == "NodeCIDR":
            cidr = next(str(one) for one in spec.node_pod_cidrs(self._node) if family_of(str(one)) == family)
        elif settings.detect_local_mode == "BridgeInterface":
            interface = settings.bridge_interface
        else:
            interface = settings.interface_name_prefix + "+"
        ranges = tuple(map(str, service_ranges.known(self._registry, family)))
        return NodeView(self._node, _addresses(manifest, family), meta.labels(manifest).get(ZONE_LABEL, ""), cidr,
                        settings.masquerade_all, settings.localhost_node_ports, family, interface,
                        settings.masquerade_bit, settings.node_port_addresses, ranges,
                        settings.scheduler, settings.strict_arp, settings.exclude_cidrs,
                        tuple(str(one[1]) for one in spec.node_pod_cidrs(self._node) if family_of(str(one)) == family),
                        not settings.be_liberal)


def _changed(store: Store, resource: str, since: int) -> dict[tuple[str, str], Manifest | None]:
    """The resource's objects by namespace and name as the last change since that revision left them; None: deleted."""
    return {(change.entry.key.namespace, change.entry.key.name):
            None if change.type == "DELETED" else change.entry.manifest for change in store.changes(resource, since)}


def _addresses(manifest: Manifest, family: str) -> tuple[str, ...]:
    found = [str(item.get("address")) for item in meta.status(manifest).get("addresses") or ()
             if item.get("type") == "InternalIP"]
    return tuple(address for address in found if family_of(address) == family)
