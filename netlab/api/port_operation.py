"""One write's demand on the node ports: what others hold, what it has taken so far, and what it may take."""

from __future__ import annotations

import secrets

from netlab.model.allocation import free_port

ALREADY = "provided port is already allocated"
DRY_RUN_FIRST = 32769
"""What a dry run shows for a first node port: no real one, for nothing is chosen."""


class PortOperation:
    """Ports are taken for good when the Service is stored, so nothing has to be given back."""

    def __init__(self, ports: range, held: set[int], *, dry_run: bool) -> None:
        self._ports, self._held, self._dry_run = ports, held, dry_run
        self._given: list[int] = []

    def take(self, port: int) -> str:
        """Takes a port that was asked for; why it cannot be had, or nothing. A dry run does not look at the range."""
        if port not in self._ports and not self._dry_run:
            first, last = self._ports[0], self._ports[-1]
            return f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
        if port in self._held or port in self._given:
            return ALREADY
        self._given.append(port)
        return ""

    def next(self) -> int:
        """A port of the server's choice. RangeFull when there is none."""
        if self._dry_run:
            port = max(self._given, default=DRY_RUN_FIRST - 1) + 1
        else:
            port = free_port(self._ports, self._held.union(self._given), secrets.randbelow)
        self._given.append(port)
        return port
