"""What the HTTP servers of well-known images have in common: how they start, and Go's way of writing things."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable

from netlab.workloads.http import Handler, Request
from netlab.workloads.serving import Server, Wrap, run_until_term, say


def serve(ports: Iterable[int], handler: Handler, *, greeting: str = "", tls: Wrap | None = None) -> int:
    """Serves HTTP on the ports until SIGTERM; the exit code is 1 when one is taken."""
    server = Server()
    for port in ports:
        try:
            server.http(port, handler, tls=tls)
        except OSError as error:
            say(f"listen tcp :{port}: bind: {(error.strerror or str(error)).lower()}")
            return 1
    return run_until_term(server, greeting)


def own_tls() -> Wrap:
    """What begins TLS with a certificate of the container's own, made when the first client comes."""
    lock = threading.Lock()
    made: list[Wrap] = []

    def wrap(connection: socket.socket) -> socket.socket:
        with lock:
            if not made:
                from netlab.workloads.certificates import OWN, server_side

                made.append(server_side(*OWN))
        return made[0](connection)

    return wrap


def stamp() -> str:
    """The moment as Go's log package puts it before a line."""
    return time.strftime("%Y/%m/%d %H:%M:%S")


def log(text: str) -> None:
    """Writes a line as Go's log package does."""
    say(f"{stamp()} {text}")


def canonical(name: str) -> str:
    """A header's name as Go has it: `User-Agent` for `user-agent`."""
    return "-".join(part.capitalize() for part in name.split("-"))


def go_headers(request: Request) -> list[tuple[str, str]]:
    """The headers as Go writes them: sorted, by canonical names, without Host."""
    return sorted(((canonical(name), value) for name, value in request.headers if name.lower() != "host"),
                  key=lambda header: header[0])


def go_header_lists(request: Request) -> dict[str, list[str]]:
    """The headers as a Go http.Header is in JSON."""
    found: dict[str, list[str]] = {}
    for name, value in go_headers(request):
        found.setdefault(name, []).append(value)
    return found


def port_number(text: str, default: str) -> int:
    """The port in `text` (`:80`, `0.0.0.0:80`, `80`), else the default. ValueError when it is none."""
    return int((text or default).rpartition(":")[2])
