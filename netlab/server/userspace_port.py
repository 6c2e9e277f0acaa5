"""One port of a Service in kube-proxy's userspace mode: its sockets, and its connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Collection, Coroutine
from typing import Any

from netlab.kernel import sockets
from netlab.model.family import IPV6
from netlab.proxy.backends import Backend
from netlab.proxy.round_robin import RoundRobin
from netlab.proxy.userspace import Listener

DIAL_LIMITS = (0.25, 0.5, 1.0, 2.0)  # seconds for the first, second, ... try
CHUNK = 65536
AT_ONCE = 64  # connections or datagrams that are taken before others have their turn
TIRED = 0.01  # seconds without new connections when there are no descriptors left


class UserspacePort:
    """Listens at a random port, `number`, to which rules lead, and at the node ports, so that nobody else takes them.

    To make one and to `reserve` is for any thread and may block; everything else is for the serving loop.
    """

    def __init__(self, netns: str, listener: Listener, *, family: str, idle: float) -> None:
        self.netns, self.listener, self.idle = netns, listener, idle
        self._everywhere = "::" if family == IPV6 else "0.0.0.0"
        self._choice = RoundRobin()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: dict[Any, _Client] = {}  # by address; those whose backend has gone are only in the next one
        self._talking: set[_Client] = set()
        self._listening: set[socket.socket] = set()
        self._main = self._open(0)
        self._node_ports: dict[int, socket.socket] = {}
        self.number: int = self._main.getsockname()[1]

    @property
    def busy(self) -> bool:
        """Whether it has connections that go on."""
        return bool(self._tasks)

    def reserve(self, node_ports: Collection[int]) -> None:
        """Opens those of the node ports that nobody else has."""
        for number in set(node_ports) - self._node_ports.keys():
            with contextlib.suppress(OSError):  # the rules lead to the other port in any case
                self._node_ports[number] = self._open(number)

    def release(self, wanted: Collection[int]) -> None:
        """Gives up the node ports that are not wanted."""
        for number in self._node_ports.keys() - set(wanted):
            self._hang_up(self._node_ports.pop(number))

    def follow(self, listener: Listener) -> None:
        """Takes these backends from now on. Datagrams of clients whose backend is gone go to another one; its answers
        to what it has got are still passed on.
        """
        if listener != self.listener or not self._listening:
            self.listener = listener
            self._choice.set(listener.backends, affinity_seconds=listener.affinity_seconds)
            there = {backend.text for backend in listener.backends}
            for address, client in list(self._clients.items()):
                if client.backend.text not in there:
                    del self._clients[address]
        for one in {self._main, *self._node_ports.values()} - self._listening:
            self._listening.add(one)
            self._listen(one)

    def leave(self) -> None:
        """Listens no more. Connections go on until they end."""
        self.release(())
        self._hang_up(self._main)
        for client in list(self._talking):
            self._forget(client)

    async def close(self) -> None:
        """Ends everything."""
        self.leave()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def _is_tcp(self) -> bool:
        return self.listener.protocol == "TCP"

    def _open(self, number: int) -> socket.socket:
        make = sockets.listen if self._is_tcp else sockets.bind_udp
        return make(self.netns, self._everywhere, number, one_family=True)

    def _listen(self, listening: socket.socket) -> None:
        if listening in self._listening:
            take = self._accept if self._is_tcp else self._receive
            asyncio.get_running_loop().add_reader(listening, take, listening)

    def _hang_up(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)
            (self._accept if self._is_tcp else self._receive)(listening)  # what has come already
            asyncio.get_running_loop().remove_reader(listening)
            self._listening.discard(listening)
        listening.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                client, address = listening.accept()
            except BlockingIOError:
                return
            except OSError:  # gone before it was taken, or too many open files
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(TIRED, self._listen, listening)
                return
            client.setblocking(False)
            self._start(self._connection(client, address[0]))

    async def _connection(self, client: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        with client, contextlib.suppress(FileNotFoundError):  # the node has gone
            for limit, backend in zip(DIAL_LIMITS, self._choice.order(address, now=loop.time()), strict=False):
                with sockets.tcp(self.netns, sockets.family_of(backend.address)) as server:
                    try:
                        async with asyncio.timeout(limit):
                            await loop.sock_connect(server, (backend.address, backend.port))
                    except (OSError, TimeoutError):
                        continue
                    await _both_ways(client, server)
                    return

    def _receive(self, listening: socket.socket) -> None:
        now = asyncio.get_running_loop().time()
        for _ in range(AT_ONCE):
            try:
                data, address = listening.recvfrom(CHUNK)
            except OSError:  # no more, or an ICMP error about an answer
                return
            client = self._clients.get(address) or self._meet(listening, address, now)
            if client is not None:
                client.last = now
                with contextlib.suppress(OSError):
                    client.socket.send(data)

    def _meet(self, listening: socket.socket, address: Any, now: float) -> _Client | None:
        """A new client of datagrams; None when nobody serves it."""
        backend = next(self._choice.order(address[0], now=now), None)
        if backend is None:
            return None
        try:
            client = _Client(self.netns, listening, address, backend)
        except OSError:  # too many open files, or the node has gone
            return None
        loop = asyncio.get_running_loop()
        loop.add_reader(client.socket, self._answer, client)
        client.timer = loop.call_later(self.idle, self._look_after, client)
        self._clients[address] = client
        self._talking.add(client)
        return client

    def _answer(self, client: _Client) -> None:
        """Passes on what the backend has said. When it answers by an ICMP error, another one is next."""
        for _ in range(AT_ONCE):
            try:
                data = client.socket.recv(CHUNK)
            except BlockingIOError:
                return
            except OSError:
                self._forget(client)
                return
            client.last = asyncio.get_running_loop().time()
            with contextlib.suppress(OSError):  # nobody can reach the client
                client.listening.sendto(data, client.address)

    def _look_after(self, client: _Client) -> None:
        """Forgets the client when neither side has said anything for a while."""
        self._answer(client)  # what has come while others kept the loop busy
        loop = asyncio.get_running_loop()
        left = client.last + self.idle - loop.time()
        if client in self._talking and left > 0:
            client.timer = loop.call_later(left, self._look_after, client)
        else:
            self._forget(client)

    def _forget(self, client: _Client) -> None:
        if client not in self._talking:
            return
        client.timer.cancel()
        asyncio.get_running_loop().remove_reader(client.socket)
        client.socket.close()
        self._talking.discard(client)
        if self._clients.get(client.address) is client:
            del self._clients[client.address]


class _Client:
    """Where datagrams come from, the socket towards their backend, and when either side has said something."""

    timer: asyncio.TimerHandle

    def __init__(self, netns: str, listening: socket.socket, address: Any, backend: Backend) -> None:
        self.address, self.backend, self.last = address, backend, 0.0
        self.listening = listening
        self.socket = sockets.udp(netns, sockets.family_of(backend.address))
        try:
            self.socket.connect((backend.address, backend.port))
        except OSError:
            self.socket.close()
            raise


async def _both_ways(one: socket.socket, other: socket.socket) -> None:
    """Copies until both sides have ended, or one has failed."""
    try:
        async with asyncio.TaskGroup() as copies:  # both are over before the sockets are closed
            copies.create_task(_copy(one, other))
            copies.create_task(_copy(other, one))
    except* OSError:
        pass


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, CHUNK):
        await loop.sock_sendall(target, data)
    target.shutdown(socket.SHUT_WR)
