"""DNS over UDP: a thread that waits for datagrams and answers them."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time

from netlab.kernel.listening import listening, plain
from netlab.server.dns_observer import Client
from netlab.server.dns_responder import Responder

RECEIVE_BUFFER = 4 << 20  # bytes: a burst of queries waits in the kernel instead of being lost
MAX_REQUEST = 4096
SO_RCVBUFFORCE = 33  # socket(7): beyond net.core.rmem_max, with CAP_NET_ADMIN


class UdpServer:
    """A port; `stop` may come from any thread."""

    def __init__(self, port: int) -> None:
        """Takes the port; OSError when it is taken."""
        self._socket = listening(socket.SOCK_DGRAM, port)
        self._stopped = False
        for option in (socket.SO_RCVBUF, SO_RCVBUFFORCE):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)

    def start(self, responder: Responder) -> None:
        """Answers in a thread until `stop`, or until the process ends."""
        threading.Thread(target=self._run, args=(responder,), name="udp", daemon=True).start()

    def stop(self) -> None:
        """Gives the port back."""
        self._stopped = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # says that there is no connection, and yet ends the waiting
        self._socket.close()

    def _run(self, responder: Responder) -> None:
        receive, send, kept, respond = self._socket.recvfrom, self._socket.sendto, responder.kept, responder.missed
        while True:
            try:
                data, peer = receive(MAX_REQUEST)
                response = kept(data) or respond(data, Client(plain(peer[0]), peer[1]), self._sender(peer))
                if response:
                    send(response, peer)
            except OSError as error:
                if self._stopped or error.errno in (errno.EBADF, errno.ENOTSOCK):
                    return
                time.sleep(0.001)  # no route back, or refused by a policy: that client's loss only
            except TypeError:
                if self._stopped:
                    return  # what is received from a socket that is shut down has no sender
                raise

    def _sender(self, peer: tuple[str, int]) -> _Sender:
        return _Sender(self._socket, peer)


class _Sender:
    """Sends to one client what comes later."""

    __slots__ = ("_peer", "_socket")

    def __init__(self, udp: socket.socket, peer: tuple[str, int]) -> None:
        self._socket, self._peer = udp, peer

    def __call__(self, wire: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(wire, self._peer)
