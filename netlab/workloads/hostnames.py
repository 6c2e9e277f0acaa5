"""agnhost serve-hostname: the pod's name by HTTP, or raw by TCP or UDP."""

from __future__ import annotations

import socket
import sys
from functools import partial

from netlab.model.family import with_port
from netlab.workloads.http import Request, Response
from netlab.workloads.options import strict_options
from netlab.workloads.program import log, own_tls, stamp
from netlab.workloads.serving import Server, run_until_term

DEFAULTS = {"port": "9376", "http": "true", "tcp": "false", "udp": "false", "close": "false", "https": "false"}


def serve(args: list[str]) -> Server:
    """A server that listens already; ValueError for options that exclude each other, OSError for a taken port."""
    chosen = strict_options(args, DEFAULTS)
    port, name = int(chosen["port"]), socket.gethostname()
    raw = chosen.flag("tcp") or chosen.flag("udp")
    if chosen.flag("http") and raw:
        raise ValueError("Can't server TCP/UDP mode and HTTP mode at the same time")
    server = Server()
    if chosen.flag("udp"):
        server.udp(port, partial(_datagram, name))
    if chosen.flag("tcp"):
        server.tcp(port, partial(_stream, name))
    if chosen.flag("http"):
        close = (("Connection", "close"),) if chosen.flag("close") else ()
        tls = own_tls() if chosen.flag("https") else None
        server.http(port, partial(_answer, name, close), tls=tls)
    return server


def _datagram(name: str, data: bytes, client: tuple[str, int], local: tuple[str, int]) -> bytes:
    log(f"UDP request from {with_port(*client)}")
    return name.encode()


def _stream(name: str, connection: socket.socket) -> None:
    log(f"TCP request from {with_port(*connection.getpeername()[:2])}")
    connection.sendall(name.encode())


def _answer(name: str, headers: tuple[tuple[str, str], ...], request: Request) -> Response:
    log(f"HTTP request from {with_port(*request.client)}")
    return Response(name, headers=headers)


def main(args: list[str]) -> int:
    """Serves until SIGTERM; 1 when it cannot. Options: --port (9376), --http=false, --tcp, --udp, --close, --https."""
    try:
        server = serve(args)
    except (ValueError, OSError) as error:
        print(f"{stamp()} {getattr(error, 'strerror', None) or error}", file=sys.stderr, flush=True)
        return 1
    return run_until_term(server, f"{stamp()} Serving on port {strict_options(args, DEFAULTS)['port']}.")
