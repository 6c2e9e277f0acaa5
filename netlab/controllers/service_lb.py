"""The service controller with the lab's own load balancer as its cloud (upstream: cloud-provider's service controller).

It gives each LoadBalancer Service an address of each of its families, has the load balancer forward them, and says so
in the Service's status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from netlab.api.registry import Registry
from netlab.controllers.events import EventRecorder
from netlab.controllers.lb_changes import change
from netlab.controllers.lb_health import HealthChecks, Probe
from netlab.controllers.lb_pool import NoAddress, give_each
from netlab.controllers.lb_targets import balanced, places, usable_nodes
from netlab.controllers.per_object import Name
from netlab.controllers.runtime import Controller
from netlab.model import meta
from netlab.model.endpoints import EndpointSlice, parse_endpoint_slice
from netlab.model.errors import ApiError
from netlab.model.family import IPV4
from netlab.model.lab_spec import Balancing
from netlab.model.meta import Manifest
from netlab.model.service import parse_service
from netlab.netfilter import Ruleset
from netlab.proxy.load_balancer import Balanced, compile_balancer

CLASS = "netlab/load-balancer"  # the loadBalancerClass of Services that ask for this one by name
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
SYNC_PERIOD = 5.0  # seconds after which the load balancer's tables are looked at again
GRACE = 2.0  # seconds that nodes may be silent when the controller starts
LEAST_RETRY, MOST_RETRY = 5.0, 300.0  # seconds after which a failure is told again


class Host(Protocol):
    """The load balancer itself. The methods block."""

    def keep(self, rulesets: Sequence[Ruleset], addresses: frozenset[str]) -> None:
        """Makes its rules of each family and its addresses these, if they are not."""


class ServiceLoadBalancers(Controller):
    """Looks after Services of type LoadBalancer that name no class, or ours."""

    name = "service-lb"
    resources = ("services", "nodes", "endpointslices")

    def __init__(self, registry: Registry, *, balancing: Balancing, host: Host, probe: Probe) -> None:
        super().__init__(registry)
        self._balancing = balancing
        self._host = host
        self._health = HealthChecks(probe, self.wake)
        self._recorder = EventRecorder(registry, "service-controller")
        self._given: dict[Name, tuple[str, ...]] = {}
        self._seen: dict[Name, Manifest] = {}
        self._types: dict[Name, tuple[str, str]] = {}  # uid and type of every Service
        self._ensuring: set[Name] = set()
        self._nodes: tuple[str, ...] | None = None
        self._failed: dict[Name, tuple[str, float, float]] = {}
        self._revision = -1
        self._first = True
        self._held: tuple[tuple[Ruleset, ...], frozenset[str]] | None = None
        self._checked = 0.0

    @property
    def pending(self) -> bool:
        """Whether nodes are asked again in a moment, since something has just changed."""
        return self._health.pending

    async def close(self) -> None:
        """Asks nodes no more; addresses and rules stay."""
        self._first = True
        await self._health.close()

    async def reconcile(self) -> float | None:
        """Addresses and finalizers first, then the load balancer, then what Services say about it."""
        now = asyncio.get_running_loop().time()
        everyone = self.registry.list("services")
        services = {_name(s): s for s in everyone if _is_ours(s) or _is_held(s)}
        wanted = {key for key, service in services.items() if _is_ours(service)}
        leaving = services.keys() - wanted
        for key in sorted(leaving):
            if not meta.is_deleting(services[key]):
                self._tell_type(services[key])
            self._recorder.event(services[key], "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        for key in self._given.keys() - wanted:
            del self._given[key]
        for key in (self._seen.keys() | self._failed.keys()) - wanted:
            self._seen.pop(key, None)
            self._failed.pop(key, None)
            self._ensuring.discard(key)
        begun = self._begin({key: services[key] for key in sorted(wanted)}, now)
        await self._forward(now)
        for key in sorted(leaving):
            self._recorder.event(services[key], "Normal", "DeletedLoadBalancer", "Deleted load balancer")
            self._write(key, finalizer=False)
        for key in begun:
            self._tell(key)
        self._types = {_name(s): (meta.uid(s), str(meta.spec(s).get("type"))) for s in everyone}
        retries = [due for _, due, _ in self._failed.values()]
        return max(0.05, min([self._checked + SYNC_PERIOD, *retries]) - asyncio.get_running_loop().time())

    def _begin(self, services: dict[Name, Manifest], now: float) -> list[Name]:
        """Gives addresses, those that Services have already first; the Services that have one now."""
        has = {key: _present(service) or self._given.get(key, ()) for key, service in services.items()}
        taken = {one: key for held in (has, self._given) for key, addresses in held.items() for one in addresses}
        found = []
        for key in sorted(services, key=lambda key: (not has[key], key)):
            service = services[key]
            before = self._seen.get(key)
            changed = change(before, service) if before else None
            if not before:
                self._tell_type(service)
            elif changed and changed[0]:
                self._recorder.event(service, "Normal", *changed)
            self._seen[key] = service
            for one in has[key]:
                if taken.get(one) == key:
                    del taken[one]
            spec = meta.spec(service)
            try:
                addresses = give_each(self._balancing, taken, families=spec.get("ipFamilies") or [IPV4],
                                      wanted=spec.get("loadBalancerIP") or "", present=has[key],
                                      partly=spec.get("ipFamilyPolicy") == "PreferDualStack")
            except NoAddress as error:
                self._fail(key, service, str(error), now)
                continue
            self._failed.pop(key, None)
            if changed or addresses != _present(service) or FINALIZER not in _finalizers(service):
                self._recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
                self._ensuring.add(key)
                self._write(key, finalizer=True)
            self._given[key] = addresses
            taken |= dict.fromkeys(addresses, key)
            found.append(key)
        return found

    def _fail(self, key: Name, service: Manifest, text: str, now: float) -> None:
        """Tells that a Service gets no address, again after longer and longer times."""
        self._given.pop(key, None)
        known = self._failed.get(key)
        if known and known[0] == text and now < known[1]:
            return
        delay = min(known[2] * 2, MOST_RETRY) if known and known[0] == text else LEAST_RETRY
        self._failed[key] = text, now + delay, delay
        if not known or known[0] != text:
            self._recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        self._recorder.event(service, "Warning", "SyncLoadBalancerFailed",
                             f"Error syncing load balancer: failed to ensure load balancer: {text}")
        if _ingress(service):
            self._write_status(service, [])

    async def _forward(self, now: float) -> None:
        """Asks the nodes, and has the load balancer forward to those that are well."""
        nodes = usable_nodes(self.registry.list("nodes"))
        services = []
        for key in sorted(self._given):
            manifest = self.registry.find("services", key[1], key[0])
            if manifest is not None:
                services.append((parse_service(manifest), self._given[key]))
        await self._health.want({place for service, addresses in services
                                 for place in places(service, addresses, nodes)})
        if self._first:  # the nodes' proxies may start just now, too; what is forwarded must not stop for that
            await self._health.heard(GRACE)
            self._first = False
        revision = self.store.revision_of(*self.resources)
        if revision != self._revision and any(service.health_check_node_port for service, _ in services):
            self._health.hurry()
        self._revision = revision
        slices = self._slices() if any(not port.node_port for s, _ in services for port in s.ports) else {}
        ports: list[Balanced] = []
        for service, addresses in services:
            behind = slices.get((service.namespace, service.name), [])
            for address in addresses:
                ports += balanced(service, address, nodes, behind, self._health.healthy)
        rules = tuple(compile_balancer(ports, masquerade=self._balancing.ip_mode == "Proxy", family=family)
                      for family in self._balancing.families)
        wanted = rules, frozenset(one for addresses in self._given.values() for one in addresses)
        if wanted != self._held or now >= self._checked + SYNC_PERIOD:
            self._held = None
            await asyncio.to_thread(self._host.keep, *wanted)
            self._held, self._checked = wanted, now
        self._tell_nodes(nodes)

    def _slices(self) -> dict[Name, list[EndpointSlice]]:
        found: dict[Name, list[EndpointSlice]] = {}
        for manifest in self.registry.list("endpointslices"):
            try:
                part = parse_endpoint_slice(manifest)
            except ApiError:
                continue  # kube-proxy says what is wrong with it
            found.setdefault((part.namespace, part.service), []).append(part)
        return found

    def _tell(self, key: Name) -> None:
        """Writes the addresses into the status, in the order of the Service's families, if they are not there."""
        service = self.registry.find("services", key[1], key[0])
        if service is None or not _is_ours(service):
            return
        entries = [{"ip": address, "ipMode": self._balancing.ip_mode} for address in self._given[key]]
        if _ingress(service) != entries:
            self._write_status(service, entries)
            self._ensuring.add(key)
        if key in self._ensuring:
            self._ensuring.remove(key)
            if not self._nodes:
                self._recorder.event(service, "Warning", "UnAvailableLoadBalancer",
                                     "There are no available nodes for LoadBalancer")
            self._recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")

    def _tell_type(self, service: Manifest) -> None:
        """Says which type it had, if this is known and was another."""
        uid, before = self._types.get(_name(service), ("", ""))
        now = meta.spec(service).get("type")
        if uid == meta.uid(service) and before != now:
            self._recorder.event(service, "Normal", "Type", f"{before} -> {now}")

    def _tell_nodes(self, nodes: tuple[str, ...]) -> None:
        if self._nodes is not None and nodes != self._nodes:
            for key in sorted(self._given.keys() - self._ensuring):
                self._recorder.event(self._seen[key], "Normal", "UpdatedLoadBalancer",
                                     "Updated load balancer with new hosts")
        self._nodes = nodes

    def _write_status(self, service: Manifest, ingress: list[dict[str, Any]]) -> None:
        balancer = {"ingress": ingress} if ingress else {}
        self.registry.update("services", service | {"status": meta.status(service) | {"loadBalancer": balancer}},
                             subresource="status")

    def _write(self, key: Name, *, finalizer: bool) -> None:
        """Puts our finalizer into the Service, or takes it out."""
        service = self.registry.find("services", key[1], key[0])
        if service is None:
            return
        others = [text for text in _finalizers(service) if text != FINALIZER]
        wanted = [*others, FINALIZER] if finalizer else others
        if wanted != _finalizers(service):
            self.registry.update("services", service | {"metadata": service["metadata"] | {"finalizers": wanted}})


def _name(service: Manifest) -> Name:
    return meta.namespace(service), meta.name(service)


def _is_ours(service: Manifest) -> bool:
    spec = meta.spec(service)
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in (None, CLASS) \
        and not meta.is_deleting(service)


def _is_held(service: Manifest) -> bool:
    """Whether it waits for us before it may go, or become something else."""
    return FINALIZER in _finalizers(service) and meta.spec(service).get("loadBalancerClass") in (None, CLASS)


def _finalizers(service: Manifest) -> list[str]:
    return list(meta.metadata(service).get("finalizers") or ())


def _ingress(service: Manifest) -> list[dict[str, Any]]:
    return list((meta.status(service).get("loadBalancer") or {}).get("ingress") or ())


def _present(service: Manifest) -> tuple[str, ...]:
    return tuple(str(item["ip"]) for item in _ingress(service) if item.get("ip"))
