"""kube-proxy of one node: Services and endpoints become the rules in that node's netns, for each IP family apart."""

from __future__ import annotations

import asyncio
from itertools import chain

from netlab.api import service_ranges
from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.family_proxy import DEFAULT_MODE, FamilyProxy, Tables, shared_of
from netlab.controllers.proxy_status import ProxyStatus, Serve
from netlab.controllers.runtime import Controller
from netlab.model import meta
from netlab.proxy.health import TO_BE_DELETED, HealthCheck, health_checks
from netlab.proxy.state import ProxyState

MIN_INTERVAL = 0.03  # seconds from write to write, unless the settings say another
BURST_SHARE, BURST_LIMIT = 2.0, 1.0  # in a burst: so many times what the last write took, at most so many seconds


class KubeProxy(Controller):
    """Writes the node's rules at the first change, then at most every 30 ms; repairs them when somebody else wrote.

    When changes come faster than rules can be written it waits longer, and writes many at once: whoever makes a
    thousand Services gets the processor, and whoever changes one is not kept waiting.

    What it wrote stays when it stops, and a new one leaves tables alone that are right already.
    """

    resources = ("services", "endpointslices", "nodes", service_ranges.CIDRS)
    longest_rest = 0.0  # it knows better

    def __init__(self, registry: Registry, *, node: str, tables: Tables, serve: Serve | None = None) -> None:
        super().__init__(registry)
        self.name = f"kube-proxy/{node}"
        self.node = node
        self._families = [FamilyProxy(registry, shared, node=node, tables=tables)
                          for shared in shared_of(registry).values()]
        self._next = 0.0
        families = registry.spec.ip_families
        self._status = ProxyStatus(serve, node=node, state=self._state, addresses=self._check_addresses,
                                   families=families) if serve else None
        self._recorder = EventRecorder(registry, "kube-proxy", node)

    async def reconcile(self) -> float | None:
        """Compiles, compares, writes: one family after the other."""
        clock = asyncio.get_running_loop().time
        pause = self._next - clock()
        if pause > 0:
            await asyncio.sleep(pause)
        begun, revision = clock(), self.store.revision_of(*self.resources)
        written = [await proxy.sync(clock) for proxy in self._families]
        if any(written):
            burst = self.store.revision_of(*self.resources) > revision
            self._next = clock() + self.interval(clock() - begun, burst=burst)
        self._tell_health()
        return max(0.0, min(proxy.checked for proxy in self._families) + self.registry.spec.proxy.sync_period - clock())

    async def close(self) -> None:
        """Ends its servers; its rules stay."""
        for proxy in self._families:
            await proxy.close()
        if self._status:
            self._status.close()

    def interval(self, took: float, *, burst: bool) -> float:
        """Seconds until the next write, after one that took so long; `burst` when more has changed meanwhile."""
        least = self.registry.spec.proxy.min_sync_period
        if least is not None:
            return least
        return min(max(MIN_INTERVAL, BURST_SHARE * took), BURST_LIMIT) if burst else MIN_INTERVAL

    async def cleanup(self) -> None:
        """Takes the node's rules away, as `kube-proxy --cleanup` does; it must not run."""
        for proxy in self._families:
            await proxy.cleanup()

    def _tell_health(self) -> None:
        if self._status is None:
            return
        for check, text in self._status.follow(self._health_checks()):
            service = self.registry.find("services", check.service, check.namespace)
            if service is not None:
                self._recorder.event(
                    service, "Warning", "FailedToStartServiceHealthcheck",
                    f'node {self.node} failed to start healthcheck "{check.namespace}/{check.service}" on port '
                    f"{check.port}: {text}")

    def _health_checks(self) -> tuple[HealthCheck, ...]:
        """Of Services of either family, each once."""
        return health_checks(chain.from_iterable(proxy.rows() for proxy in self._families), node=self.node)

    def _check_addresses(self) -> tuple[str, ...] | None:
        found: tuple[str, ...] = ()
        for proxy in self._families:
            addresses = proxy.check_addresses()
            if addresses is None:
                return None
            found += addresses
        return found

    def _state(self) -> ProxyState:
        node = self.registry.find("nodes", self.node)
        taints = [taint.get("key") for taint in meta.spec(node or {}).get("taints") or ()]
        since = asyncio.get_running_loop().time() - 2 * self.registry.spec.proxy.sync_period
        services, slices = self._families[0].changes()
        return ProxyState(
            now=self.registry.clock(),
            families=tuple(proxy.state(late=proxy.begun is not None and proxy.begun < since)
                           for proxy in self._families),
            eligible=node is not None and not meta.is_deleting(node) and TO_BE_DELETED not in taints,
            mode=self.registry.spec.proxy_mode or DEFAULT_MODE, services=services, slices=slices)
