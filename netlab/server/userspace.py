"""kube-proxy's userspace mode at work: listeners in a node's netns, and what copies bytes from them to backends.

One thread serves all nodes of a lab. It is part of the daemon: as with the first kube-proxy, connections end when the
proxy does, and the rules that stay behind lead to nobody.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from itertools import chain
from typing import Any

from netlab.kernel.shared_tables import SharedTables
from netlab.model.family import IPV4
from netlab.netfilter import Ruleset
from netlab.proxy.userspace import Userspace
from netlab.server.userspace_port import UserspacePort

Call = tuple[Callable[..., Coroutine[Any, Any, None] | None], *tuple[Any, ...]]


class UserspaceTables:
    """The rules and listeners of one node. All methods block and may be called from any thread but the serving one."""

    def __init__(self, netns: str) -> None:
        self.netns = netns
        self._tables = SharedTables(netns)
        # By family: kube-proxy has a proxy for each.
        self._ports: dict[str, dict[tuple[str, str], UserspacePort]] = {}
        self._left: list[UserspacePort] = []  # they listen no more, and have connections that go on
        self._loop: asyncio.AbstractEventLoop | None = None

    def replace(self, dataplane: Userspace) -> None:
        """Opens listeners and tells all their backends, writes the rules that lead to them, and only then closes those
        that nothing leads to any more. Connections go on until they end.
        """
        wanted = {listener.key: listener for listener in dataplane.listeners}
        ports = self._ports.setdefault(dataplane.family, {})
        gone = [ports.pop(key) for key in ports.keys() - wanted.keys()]
        try:
            # Node ports first: another Service may want them now. Rules lead to none of these sockets.
            self._all((port.release, wanted[port.listener.key].node_ports if port not in gone else ())
                      for port in (*gone, *ports.values()))
            for key, listener in wanted.items():
                if key not in ports:
                    ports[key] = UserspacePort(self.netns, listener, family=dataplane.family,
                                               idle=dataplane.udp_idle_timeout)
                ports[key].reserve(listener.node_ports)
            self._all((port.follow, wanted[key]) for key, port in ports.items())
            rules = self._rules(dataplane)
            if not self._tables.matches(rules):
                self._tables.replace(rules)
        finally:
            self._all((port.leave,) for port in gone)
            self._left = [port for port in (*self._left, *gone) if port.busy]

    def matches(self, dataplane: Userspace) -> bool:
        """Whether all listeners listen, with these backends, and the kernel holds the rules."""
        return {listener.key: listener for listener in dataplane.listeners} \
            == {key: port.listener for key, port in self._ports.get(dataplane.family, {}).items()} \
            and self._tables.matches(self._rules(dataplane))

    def remove(self, dataplane: Userspace) -> None:
        """Takes our rules out of the tables; closes the listeners."""
        self._tables.remove(Ruleset(dataplane.tables, dataplane.family))
        self._all((port.close,) for port in self._ports.pop(dataplane.family, {}).values())

    def close(self) -> None:
        """Ends all listeners and connections; the rules stay."""
        self._all((port.close,) for port in (*self._left, *chain(*(of.values() for of in self._ports.values()))))
        self._ports, self._left = {}, []

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]], family: str = IPV4) -> None:
        """Nothing to do: the proxy itself chooses for each datagram's client."""

    def _rules(self, dataplane: Userspace) -> Ruleset:
        return dataplane.rules({key: port.number for key, port in self._ports.get(dataplane.family, {}).items()})

    def _all(self, calls: Iterable[Call]) -> None:
        """Makes the serving loop call all of these, and waits for the end of what they give."""
        async def work() -> None:
            await asyncio.gather(*[ending for function, *arguments in list(calls) if (ending := function(*arguments))])

        if self._loop is None:
            self._loop = _serving_loop()
        asyncio.run_coroutine_threadsafe(work(), self._loop).result()


_thread: list[asyncio.AbstractEventLoop] = []


def _serving_loop() -> asyncio.AbstractEventLoop:
    if not _thread:
        _thread.append(asyncio.new_event_loop())
        threading.Thread(target=_thread[0].run_forever, name="userspace proxy", daemon=True).start()
    return _thread[0]
