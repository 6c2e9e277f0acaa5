"""The CNI plugin's part on one node: pods' ways out of the cluster, and their host ports."""

from __future__ import annotations

import asyncio
import sys
from typing import Protocol

from netlab.api.registry import Registry
from netlab.controllers.runtime import Controller
from netlab.model import meta
from netlab.model.errors import LabError
from netlab.topology.pod_nat import host_ports, pod_nat

SYNC_PERIOD = 30.0  # seconds after which the table is looked at again


class Table(Protocol):
    """The node's table. The method blocks."""

    def keep(self, text: str) -> bool:
        """Makes it so; LabError with exit code 3 when the machine cannot."""


class PodNetwork(Controller):
    """Follows the node's pods. A machine without nftables gets no such table: that is said once, in the log.

    Then pods have no way back from outside, and host ports lead nowhere.
    """

    resources = ("pods",)

    def __init__(self, registry: Registry, *, node: str, table: Table) -> None:
        super().__init__(registry)
        self.name = f"cni/{node}"
        self.node = node
        self.lack = ""
        self._table = table
        self._written = ""
        self._checked = 0.0

    async def reconcile(self) -> float | None:
        """Writes the table when it should be another one, and looks at it from time to time."""
        spec = self.registry.spec
        clock = asyncio.get_running_loop().time
        pods = [pod for pod in self.store.manifests("pods") if meta.spec(pod).get("nodeName") == self.node]
        text = pod_nat(pods=[ranges.pod for ranges in spec.ranges], here=spec.node_pod_cidrs(self.node),
                       nodes=[address for node in spec.nodes for address in spec.node_ips(node)],
                       ports=host_ports(pods, node=self.node))
        if text != self._written or clock() >= self._checked + SYNC_PERIOD:
            try:
                await asyncio.to_thread(self._table.keep, text)
                self.lack = ""
            except LabError as error:
                if error.exit_code != 3:
                    raise
                if not self.lack:
                    print(f"{self.name}: {error.message}: pods cannot reach hosts outside of the cluster, and host "
                          f"ports do not work ({error.hint})", file=sys.stderr)
                self.lack = error.message
            self._written, self._checked = text, clock()
        return max(0.05, self._checked + SYNC_PERIOD - clock())
