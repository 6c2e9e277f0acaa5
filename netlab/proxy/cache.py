"""What was compiled before, for all nodes: ports of Services that did not change are not computed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from netlab.proxy.snapshot import NodeView, Proxied

P = TypeVar("P")


class PortCache(Generic[P]):
    """What each port of a Service puts into a node's rules, known by the identity of its row.

    Ports that are alike on all nodes are kept once.
    """

    def __init__(self) -> None:
        self._common: tuple[NodeView | None, dict[int, tuple[Proxied, P]]] = (None, {})
        self._own: dict[str, tuple[NodeView, dict[int, tuple[Proxied, P]]]] = {}

    def maker(self, node: NodeView, make: Callable[[Proxied], P]) -> Callable[[Proxied], P]:
        """Gives a row's part on the node; `make` computes those that are new."""
        alike = NodeView("", (), "", node.cluster_cidr, node.masquerade_all, True, node.family, node.pod_interface)
        if self._common[0] != alike:
            self._common = alike, {}
        if node.name not in self._own or self._own[node.name][0] != node:
            self._own[node.name] = node, {}
        common, own = self._common[1], self._own[node.name][1]

        def part(row: Proxied) -> P:
            known = own if row.differs else common
            pair = known.get(id(row))
            if pair is None:
                pair = known[id(row)] = row, make(row)  # which holds the row, so its id stays its own
            return pair[1]

        return part

    def prune(self, rows: Sequence[Proxied], *, family: str = "") -> None:
        """Forgets rows that are not there any more; a cache is for one family."""
        here = {id(row) for row in rows}
        for known in (self._common[1], *(held for _, held in self._own.values())):
            for key in known.keys() - here:
                del known[key]
