"""Listens on TCP and UDP ports and serves until SIGTERM, then ends what is under way and returns."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from netlab.kernel.listening import MAPPED, listening, plain
from netlab.workloads.http import Handler, serve_connection

STACK = 512 * 1024  # bytes for each connection's thread; the default would reserve 8 MB
DRAIN = 10.0  # seconds that requests under way may take after SIGTERM
FIRST_REQUEST = 0.5  # seconds for which a new connection counts as one whose request is on its way
BUSY = float("inf")
UdpAnswer = Callable[[bytes, tuple[str, int], tuple[str, int]], bytes]
Stream = Callable[[socket.socket], None]
Wrap = Callable[[socket.socket], socket.socket]
IPPROTO_SCTP = 132  # linux/in.h; Python names it only where its headers have it


@dataclass(frozen=True)
class _Service:
    stream: Stream
    tls: Wrap | None


class Server:
    """Some listening sockets and what answers on them. `stop` may be called from a signal handler or a thread."""

    def __init__(self) -> None:
        self.stopping = False
        self.code = 0
        self._tcp: dict[socket.socket, _Service] = {}
        self._udp: dict[socket.socket, UdpAnswer] = {}
        self._open: dict[socket.socket, float] = {}  # connection -> since when nobody waits on it (monotonic)
        self._lock = threading.Lock()
        self._wakeup, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self.delay = 0.0  # seconds for which it goes on to serve after SIGTERM
        self.on_term: Callable[[], None] = lambda: None

    def http(self, port: int, handler: Handler, address: str = "", *, tls: Wrap | None = None) -> None:
        """Serves HTTP on a port, behind TLS if told how to begin it. OSError when it is taken."""

        def stream(connection: socket.socket) -> None:
            def busy(now: bool) -> None:
                self._open[connection] = BUSY if now else 0.0

            serve_connection(connection, handler, stopping=lambda: self.stopping, busy=busy)

        self.tcp(port, stream, address, tls=tls)

    def tcp(self, port: int, stream: Stream, address: str = "", *, tls: Wrap | None = None) -> None:
        """Has `stream` serve each connection to a port, in a thread of its own; also while it runs."""
        made = _listen(port, address)
        self._tcp[made] = _Service(stream, tls)
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def sctp(self, port: int, stream: Stream) -> None:
        """Has `stream` serve each SCTP association to a port. OSError where the kernel has no SCTP."""
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP)
        made.bind(("", port))
        made.listen(128)
        made.setblocking(False)
        self._tcp[made] = _Service(stream, None)

    def udp(self, port: int, answer: UdpAnswer, address: str = "") -> None:
        """Answers each datagram to a port from the address that it was sent to."""
        made = _bind_udp(port, address)
        self._udp[made] = answer

    def ports(self) -> list[int]:
        """The TCP ports that it listens on (where 0 was asked for, what the kernel gave)."""
        return [int(made.getsockname()[1]) for made in self._tcp]

    def stop(self, code: int = 0) -> None:
        """Ends the server; `run` gives the code."""
        self.code = code
        self.stopping = True
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def terminate(self) -> None:
        """What SIGTERM does: `on_term`, then serving on for `delay` seconds, then the end."""
        self.on_term()
        if self.delay > 0:
            timer = threading.Timer(self.delay, self.stop)
            timer.daemon = True
            timer.start()
        else:
            self.stop()

    def run(self) -> int:
        """Serves until stopped; gives the exit code."""
        threading.stack_size(STACK)
        while not self.stopping:
            self._run_until_woken()
        self._drain()
        return self.code

    def _run_until_woken(self) -> None:
        """Serves what listens now, until there is more, or an end."""
        poll = select.poll()
        by_number = {made.fileno(): made for made in (*self._tcp, *self._udp, self._wakeup)}
        for number in by_number:
            poll.register(number, select.POLLIN)
        while not self.stopping:
            for number, _ in poll.poll():
                made = by_number[number]
                if made in self._tcp:
                    self._accept(made)
                elif made in self._udp:
                    self._answer(made)
                else:
                    self._wakeup.recv(64)
                    return

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(64):
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError:  # the peer has gone again, or no descriptors are left: do not spin
                time.sleep(0.01)
                return
            connection.setblocking(True)
            if listener.proto != IPPROTO_SCTP:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open[connection] = time.monotonic() + FIRST_REQUEST
            try:
                threading.Thread(target=self._serve, args=(connection, self._tcp[listener]), daemon=True).start()
            except RuntimeError:  # no more threads
                self._forget(connection)

    def _serve(self, connection: socket.socket, service: _Service) -> None:
        try:
            if service.tls:
                plain_connection, connection = connection, service.tls(connection)  # which takes the descriptor over
                with self._lock:
                    self._open[connection] = self._open.pop(plain_connection, 0.0)
            service.stream(connection)
        except OSError:
            pass  # the peer went away
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)
        connection.close()

    def _answer(self, made: socket.socket) -> None:
        for _ in range(64):
            try:
                data, control, _, peer = made.recvmsg(65535, 256)
            except OSError:
                return
            local = _destination(made, control)
            reply = self._udp[made](data, (plain(peer[0]), peer[1]), (local, made.getsockname()[1]))
            if reply:
                with contextlib.suppress(OSError):
                    made.sendmsg([reply], _source(made, local), 0, peer)

    def _drain(self) -> None:
        for listener in self._tcp:  # the kernel has accepted these: closing the port now would reset them
            self._accept(listener)
        for made in (*self._tcp, *self._udp):
            made.close()
        end = time.monotonic() + DRAIN
        while time.monotonic() < end:
            with self._lock:
                idle = [connection for connection, since in self._open.items() if since < time.monotonic()]
                left = len(self._open)
            for connection in idle:  # their threads wait in read: that ends it
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            if not left:
                return
            time.sleep(0.005)


def run_until_term(server: Server, greeting: str = "") -> int:
    """Says the greeting, serves until SIGTERM or SIGINT, gives the exit code. For the main thread of a workload."""

    def on_signal(number: int, frame: object) -> None:
        server.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if greeting:  # not before: who reads it may send the signal
        say(greeting)
    return server.run()


def say(text: str) -> None:
    """Writes a line to the container's log at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _listen(port: int, address: str) -> socket.socket:
    made = listening(socket.SOCK_STREAM, port, address)
    made.listen(1024)
    made.setblocking(False)
    return made


def _bind_udp(port: int, address: str) -> socket.socket:
    made = listening(socket.SOCK_DGRAM, port, address)
    # A reply must leave from the address that was asked, or a client behind NAT drops it.
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    made.setblocking(False)
    return made


_IP_PKTINFO = 8  # linux/in.h; Python 3.11 does not name it


def _destination(made: socket.socket, control: list[tuple[int, int, bytes]]) -> str:
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return socket.inet_ntoa(data[8:12])  # struct in_pktinfo: ifindex, spec_dst, addr
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return plain(socket.inet_ntop(socket.AF_INET6, data[:16]))  # struct in6_pktinfo: addr, ifindex
    return str(made.getsockname()[0])


def _source(made: socket.socket, local: str) -> list[tuple[int, int, bytes]]:
    if local in ("", "0.0.0.0", "::"):
        return []
    if made.family == socket.AF_INET6:
        packed = socket.inet_pton(socket.AF_INET6, local if ":" in local else MAPPED + local)
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed + b"\0\0\0\0")]
    return [(socket.IPPROTO_IP, _IP_PKTINFO, b"\0\0\0\0" + socket.inet_aton(local) + b"\0\0\0\0")]
