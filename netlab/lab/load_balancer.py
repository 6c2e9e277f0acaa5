"""The load balancer's netns, as the service controller keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.kernel import extra_addresses, wiring
from netlab.kernel.iptables import NodeTables
from netlab.model.lab_spec import LabSpec
from netlab.netfilter import Ruleset
from netlab.topology import names
from netlab.topology.plan import plan_lab


class LoadBalancerHost:
    """Writes rules of each family and addresses; makes the netns anew when somebody has removed it."""

    def __init__(self, spec: LabSpec) -> None:
        self._spec = spec
        self._netns = names.load_balancer_netns(spec.name)
        self._tables = NodeTables(self._netns)

    def keep(self, rulesets: Sequence[Ruleset], addresses: frozenset[str]) -> None:
        """Makes rules and addresses these. Rules first: what arrives at a new address is forwarded at once."""
        try:
            self._keep(rulesets, addresses)
        except FileNotFoundError:
            wiring.build(plan_lab(self._spec))
            self._keep(rulesets, addresses)

    def _keep(self, rulesets: Sequence[Ruleset], addresses: frozenset[str]) -> None:
        for ruleset in rulesets:
            if not self._tables.matches(ruleset):
                self._tables.replace(ruleset)
        extra_addresses.keep(self._netns, addresses)
