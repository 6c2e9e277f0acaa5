"""What all pod workers of a node share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netlab.api.registry import Registry
from netlab.api.tokens import POD_TOKEN_SECONDS
from netlab.controllers.kubelet import addresses, resolv_conf
from netlab.controllers.kubelet.doors import Network, Recorder, Runtime
from netlab.controllers.kubelet.records import AddressBook, Claims
from netlab.model import meta
from netlab.model.images import Catalogue
from netlab.model.lab_spec import LabSpec
from netlab.model.meta import Manifest, ObjectKey
from netlab.model.ranges import Address
from netlab.topology import names


@dataclass
class NodeContext:
    """A node and the doors that its pods go through. `which` finds a program on the machine.

    `unrouted` returns when no rule leads new connections to pods whose deletion the store knows of.
    """

    registry: Registry
    node: str
    runtime: Runtime
    network: Network
    catalogue: Catalogue
    pods_dir: Path
    recorder: Recorder
    claims: Claims
    which: Callable[[str], str | None]
    unrouted: Callable[[], Awaitable[None]] | None = None
    book: AddressBook = field(default_factory=AddressBook)
    used: dict[str, set[ObjectKey]] = field(default_factory=dict)  # what each pod (by uid) has looked up, found or not

    @property
    def spec(self) -> LabSpec:
        """The lab's settings."""
        return self.registry.spec

    @property
    def address(self) -> str:
        """The node's InternalIP."""
        return str(self.spec.node_ip(self.node))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The node's InternalIP of each family."""
        return tuple(map(str, self.spec.node_ips(self.node)))

    @property
    def netns(self) -> str:
        """The node's netns, from which probes are made."""
        return names.node_netns(self.spec.name, self.node)

    def directory(self, uid: str) -> Path:
        """A pod's run directory."""
        return self.pods_dir / uid

    def claims_dir(self, namespace: str) -> Path:
        """Where the claims of StatefulSets are: they outlive pods, and a namespace that is made anew has others."""
        space = self.registry.find("namespaces", namespace)
        return self.pods_dir.parent / "claims" / (meta.uid(space) if space else "none")

    def give_addresses(self, uid: str) -> tuple[Address, ...]:
        """The pod's address of each family: those that it has, or the next free ones of the node's ranges.

        LabError when a range is full.
        """
        if uid in self.book.by_uid:
            return self.book.by_uid[uid]
        networks = self.spec.node_pod_cidrs(self.node)
        pods = self.registry.list("pods")
        used = [addresses.in_use(pods, network) for network in networks]
        own = [next((address for address, owner in taken.items() if owner == uid), None) for taken in used]
        if not self.book.last:
            self.book.last = tuple(addresses.last_given(pods, network) for network in networks)
        held = list(zip(*self.book.by_uid.values(), strict=True)) or [()] * len(networks)
        chosen = tuple(
            old or addresses.allocate(network, {*taken, *others}, last)
            for network, taken, old, others, last in zip(networks, used, own, held, self.book.last, strict=True))
        self.book.by_uid[uid] = chosen
        if not all(own):
            self.book.last = chosen
        return chosen

    def finder(self, pod: Manifest) -> Callable[[str, str], Manifest | None]:
        """Looks up objects of the pod's namespace, and keeps in mind that the pod uses them."""
        used = self.used.setdefault(meta.uid(pod), set())

        def find(resource: str, name: str) -> Manifest | None:
            key = ObjectKey(resource, meta.namespace(pod), name)
            used.add(key)
            return self.registry.store.get(key)

        return find

    def token_source(self, pod: Manifest) -> Callable[[Mapping[str, Any]], str]:
        """Gives the pod's tokens: the same one each time, so that its file is not written again and again."""
        def token(source: Mapping[str, Any]) -> str:
            issuer = self.registry.issuer
            account = self.finder(pod)("serviceaccounts", meta.spec(pod).get("serviceAccountName") or "default")
            if issuer is None or account is None:
                return ""
            begun = int(meta.parse_time(meta.metadata(pod)["creationTimestamp"]).timestamp())
            audience = source.get("audience")
            return issuer.issue(account, now=begun, seconds=POD_TOKEN_SECONDS, bound=pod,
                                audiences=[audience] if audience else None)

        return token

    def host_resolv_conf(self) -> resolv_conf.ResolvConf:
        """The node's own resolver settings; empty when it has none."""
        try:
            return resolv_conf.parse((names.ETC_NETNS / self.netns / "resolv.conf").read_text())
        except OSError:
            return resolv_conf.ResolvConf()
