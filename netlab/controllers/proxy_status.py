"""The HTTP servers of one node's kube-proxy: its own health, its metrics, and Services' health check ports."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from netlab.model.family import IPV4, IPV6, with_port
from netlab.proxy.health import (
    HEALTHZ_PORT,
    METRICS_PORT,
    HealthCheck,
    Page,
    metrics_page,
    proxy_page,
    service_page,
)
from netlab.proxy.state import ProxyState

_OWN = (HEALTHZ_PORT, METRICS_PORT)


class Listening(Protocol):
    """A server that answers."""

    def close(self) -> None:
        """Stops listening."""


Serve = Callable[[str, int, Callable[[str], Page]], Listening]
"""Answers at an address and port of the node, for every path by the function. OSError when the port is taken."""


class ProxyStatus:
    """Keeps the servers in line with the Services. `state` tells how the proxy does, `families` are the lab's.

    `addresses` are those of health check ports, None: all.
    """

    def __init__(self, serve: Serve, *, node: str, state: Callable[[], ProxyState],
                 addresses: Callable[[], tuple[str, ...] | None] = lambda: None,
                 families: tuple[str, ...] = (IPV4,)) -> None:
        self._serve = serve
        self._node = node
        self._state = state
        self._addresses = addresses
        self._everywhere = "::" if IPV6 in families else "0.0.0.0"  # which takes connections of both families
        self._loopback = "127.0.0.1" if IPV4 in families else "::1"
        self._servers: dict[tuple[str, int], Listening] = {}
        self._checks: dict[int, HealthCheck] = {}
        self._refused: dict[tuple[str, int], str] = {}
        self._answers: Counter[tuple[str, int]] = Counter()

    def follow(self, checks: tuple[HealthCheck, ...]) -> tuple[tuple[HealthCheck, str], ...]:
        """Serves these checks and no others; gives those whose port is newly found taken, with the reason."""
        self._checks = {check.port: check for check in checks}
        addresses = self._addresses()
        places = [(address, port) for port in self._checks
                  for address in ((self._everywhere,) if addresses is None else addresses)]
        for place in [place for place in self._servers if place not in places and place[1] not in _OWN]:
            self._servers.pop(place).close()
        self._listen(self._everywhere, HEALTHZ_PORT, self._health)
        self._listen(self._loopback, METRICS_PORT,
                     lambda path: metrics_page(path, replace(self._state(), answers=self._answers)))
        before = dict(self._refused)
        for address, port in places:
            self._listen(address, port, lambda _, port=port: self._service(port))  # type: ignore[misc]
        self._refused = {place: text for place, text in self._refused.items() if place in places or place[1] in _OWN}
        return tuple((self._checks[place[1]], text) for place, text in self._refused.items()
                     if place in places and before.get(place) != text)

    def close(self) -> None:
        """Ends all of them, as when the process ends."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self._refused.clear()

    def _health(self, path: str) -> Page:
        page = proxy_page(path, self._state())
        self._answers[path, page.code] += 1
        return page

    def _service(self, port: int) -> Page:
        return service_page(self._checks[port], healthy=self._state().healthy)

    def _listen(self, address: str, port: int, answer: Callable[[str], Page]) -> None:
        if (address, port) in self._servers:
            return
        try:
            self._servers[address, port] = self._serve(address, port, answer)
            self._refused.pop((address, port), None)
        except OSError as error:
            text = f"listen tcp {with_port(address, port)}: {error.strerror or error}"
            if self._refused.get((address, port)) != text:
                self._refused[address, port] = text
                print(f"kube-proxy/{self._node}: {text}", file=sys.stderr)
