"""kube-proxy's userspace mode at work: listeners in a node's netns, and what copies bytes from them to backends.

One thread serves all nodes of a lab. It is part of the daemon: as with the first kube-proxy, connections end when the
proxy does, and the rules that stay behind lead to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from netlab.kernel import sockets
from netlab.kernel.shared_tables import SharedTables
from netlab.model.family import IPV4, IPV6
from netlab.netfilter import Ruleset
from netlab.proxy.backends import Backend
from netlab.proxy.round_robin import RoundRobin
from netlab.proxy.userspace import Listener, Userspace

DIAL_LIMITS = (0.25, 0.5, 1.0, 2.0)  # seconds for the first, second, ... backend that is tried, and how often
CHUNK = 65536


class UserspaceTables:
    """The rules and listeners of one node. All methods block and may be called from any thread but the serving one."""

    def __init__(self, netns: str) -> None:
        self.netns = netns
        self._tables = SharedTables(netns)
        self._ports: dict[str, dict[tuple[str, str], _Port]] = {}  # by family: kube-proxy has a proxy for each
        self._retired: list[_Port] = []  # they listen no more, but have connections that still go on
        self._loop: asyncio.AbstractEventLoop | None = None

    def replace(self, dataplane: Userspace) -> None:
        """Opens and closes listeners, tells them their backends, then writes the rules that lead to them."""
        wanted = {listener.key: listener for listener in dataplane.listeners}
        ports = self._ports.setdefault(dataplane.family, {})
        for key in ports.keys() - wanted.keys():
            self._retire(ports.pop(key))
        for key, listener in wanted.items():
            port = ports.get(key)
            if port and port.node_ports != listener.node_ports:
                self._retire(ports.pop(key))
                port = None
            if port is None:
                port = ports[key] = _Port(self.netns, listener, family=dataplane.family,
                                          idle=dataplane.udp_idle_timeout)
                self._do(port.serve)
            self._do(partial(port.follow, listener))
        rules = self._rules(dataplane)
        if not self._tables.matches(rules):
            self._tables.replace(rules)

    def matches(self, dataplane: Userspace) -> bool:
        """Whether all listeners listen, with these backends, and the kernel holds the rules."""
        return {listener.key: listener for listener in dataplane.listeners} \
            == {key: port.listener for key, port in self._ports.get(dataplane.family, {}).items()} \
            and self._tables.matches(self._rules(dataplane))

    def remove(self, dataplane: Userspace) -> None:
        """Takes our rules out of the tables; closes the listeners."""
        for port in self._ports.pop(dataplane.family, {}).values():
            self._do(port.close)
        self._tables.remove(Ruleset(dataplane.tables, dataplane.family))

    def close(self) -> None:
        """Ends all listeners and connections; the rules stay."""
        for port in (*self._retired, *(port for ports in self._ports.values() for port in ports.values())):
            self._do(port.close)
        self._ports, self._retired = {}, []

    def forget_udp(self, serving: Mapping[tuple[str, int], Collection[str]], family: str = IPV4) -> None:
        """Nothing to do: the proxy itself chooses for each datagram's client."""

    def _retire(self, port: _Port) -> None:
        self._do(port.retire)
        self._retired = [one for one in (*self._retired, port) if one.has_connections]

    def _rules(self, dataplane: Userspace) -> Ruleset:
        return dataplane.rules({key: port.number for key, port in self._ports.get(dataplane.family, {}).items()})

    def _do(self, function: Any) -> None:
        if self._loop is None:
            self._loop = _serving_loop()
        asyncio.run_coroutine_threadsafe(function(), self._loop).result()


_thread: list[asyncio.AbstractEventLoop] = []


def _serving_loop() -> asyncio.AbstractEventLoop:
    if not _thread:
        _thread.append(asyncio.new_event_loop())
        threading.Thread(target=_thread[0].run_forever, name="userspace proxy", daemon=True).start()
    return _thread[0]


class _Port:
    """The sockets of one port of a Service, and its connections."""

    def __init__(self, netns: str, listener: Listener, *, family: str, idle: float) -> None:
        self.netns, self.listener, self.idle = netns, listener, idle
        self.node_ports = listener.node_ports
        self._choice = RoundRobin()
        self._listening: tuple[asyncio.Task[None], ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: dict[Any, _Client] = {}
        listen = sockets.listen if listener.protocol == "TCP" else sockets.bind_udp
        everywhere = "::" if family == IPV6 else "0.0.0.0"
        self._sockets = [listen(netns, everywhere, 0, one_family=True)]
        self.number: int = self._sockets[0].getsockname()[1]
        for port in self.node_ports:  # the rules lead to the other one; this keeps others from taking the port
            with contextlib.suppress(OSError):
                self._sockets.append(listen(netns, everywhere, port, one_family=True))

    async def follow(self, listener: Listener) -> None:
        """Takes these backends from now on; datagrams of clients whose backend is gone go to another one."""
        self.listener = listener
        self._choice.set(listener.backends, affinity_seconds=listener.affinity_seconds)
        there = {backend.text for backend in listener.backends}
        for client in self._clients.values():
            if client.backend.text not in there:
                client.answers.cancel()

    async def serve(self) -> None:
        work = self._accept if self.listener.protocol == "TCP" else self._datagrams
        self._listening = tuple(self._start(work(listening)) for listening in self._sockets)

    async def retire(self) -> None:
        """Listens no more. TCP connections go on: as with the first kube-proxy, they do not end with their Service."""
        await self._end(self._listening if self.listener.protocol == "TCP" else tuple(self._tasks))

    @property
    def has_connections(self) -> bool:
        """Whether something is still to be ended."""
        return bool(self._tasks)

    async def close(self) -> None:
        """Listens no more, and ends all connections."""
        await self._end(tuple(self._tasks))

    async def _end(self, tasks: tuple[asyncio.Task[None], ...]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in (*self._sockets, *(client.socket for client in self._clients.values())):
            one.close()

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(listening)
            except OSError:  # too many open files, or gone before it was taken
                await asyncio.sleep(0.01)
                continue
            self._start(self._connection(client, address[0]))

    async def _connection(self, client: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        with client:
            for limit, backend in zip(DIAL_LIMITS, self._choice.order(address, now=loop.time()), strict=False):
                with sockets.tcp(self.netns, sockets.family_of(backend.address)) as server:
                    try:
                        async with asyncio.timeout(limit):
                            await loop.sock_connect(server, (backend.address, backend.port))
                    except (OSError, TimeoutError):
                        continue
                    await _both_ways(client, server)
                    return

    async def _datagrams(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, address = await loop.sock_recvfrom(listening, CHUNK)
            except OSError:
                continue
            client = self._clients.get(address)
            if client is None:
                backend = next(self._choice.order(address[0], now=loop.time()), None)
                if backend is None:
                    continue
                client = self._clients[address] = _Client(self.netns, backend)
                client.answers = self._start(self._answers(listening, address, client))
            client.last = loop.time()
            with contextlib.suppress(OSError):
                await loop.sock_sendall(client.socket, data)

    async def _answers(self, listening: socket.socket, address: Any, client: _Client) -> None:
        """What the backend says to this client, until neither has said anything for a while."""
        loop = asyncio.get_running_loop()
        try:
            while (left := client.last + self.idle - loop.time()) > 0:
                try:
                    async with asyncio.timeout(left):
                        data = await loop.sock_recv(client.socket, CHUNK)
                except TimeoutError:
                    continue
                except OSError:
                    return
                client.last = loop.time()
                await loop.sock_sendto(listening, data, address)
        finally:
            if self._clients.get(address) is client:
                del self._clients[address]
            client.socket.close()


class _Client:
    answers: asyncio.Task[None]

    def __init__(self, netns: str, backend: Backend) -> None:
        self.backend = backend
        self.socket = sockets.udp(netns, sockets.family_of(backend.address))
        self.socket.connect((backend.address, backend.port))
        self.last = 0.0


async def _both_ways(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        await asyncio.gather(_copy(one, other), _copy(other, one))


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, CHUNK):
        await loop.sock_sendall(target, data)
    target.shutdown(socket.SHUT_WR)
