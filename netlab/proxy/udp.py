"""Which backends UDP flows may go to: a tracked flow keeps its backend for ever, so those of others must be ended."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.proxy.snapshot import Proxied

Serving = dict[tuple[str, int], set[str]]


def udp_serving(rows: Iterable[Proxied]) -> Serving:
    """For every address and port of UDP Services ("" is any address: a node port) the addresses that serve it.

    Ready or ending, on any node. Services that nobody serves are left out: there is nothing better for their flows.
    """
    found: Serving = {}
    for row in [row for row in rows if row.portal.protocol == "UDP"]:
        addresses = {backend.address for backend in row.backends if backend.ready or backend.ending}
        if addresses:
            for frontend in row.portal.frontends:
                found.setdefault((frontend.address, frontend.port), set()).update(addresses)
    return found
