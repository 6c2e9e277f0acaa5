"""Requests to others, for netexec's /dial."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from netlab.model.family import with_port
from netlab.workloads.http_client import fetch
from netlab.workloads.serving import IPPROTO_SCTP

LIMIT = 5.0  # seconds per request


@dataclass
class Dialled:
    """`found` has `responses` and `errors`, each if there are any; `last_ok` whether the last try got an answer."""

    found: dict[str, list[str]] = field(default_factory=dict)
    last_ok: bool = False


def dial(host: str, port: int, request: str, *, protocol: str = "http", tries: int = 1) -> Dialled:
    """Asks `tries` times, each time on a new connection. ValueError for an unknown protocol."""
    asks = {"http": http_get, "udp": udp, "sctp": sctp}
    if protocol not in asks:
        raise ValueError(f"unsupported protocol. {protocol}")
    result = Dialled()
    ask = asks[protocol]
    for _ in range(tries):
        try:
            result.found.setdefault("responses", []).append(ask(host, port, request))
            result.last_ok = True
        except OSError as error:
            result.found.setdefault("errors", []).append(str(error.strerror or error or "timed out"))
            result.last_ok = False
    if not result.found.get("responses"):
        result.found.pop("responses", None)
    return result


def http_get(host: str, port: int, path: str) -> str:
    """The body of an answer to GET."""
    headers = (("Host", with_port(host, port)), ("User-Agent", "Go-http-client/1.1"))
    return fetch(host, port, f"/{path.lstrip('/')}", headers=headers, limit=LIMIT).body.decode(errors="replace")


def udp(host: str, port: int, text: str) -> str:
    """The datagram that answers a datagram."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.settimeout(LIMIT)
        made.connect(address)
        made.send(text.encode())
        return made.recv(65535).decode(errors="replace")


def sctp(host: str, port: int, text: str) -> str:
    """The message that answers a message on an SCTP association of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP) as made:
        made.settimeout(LIMIT)
        made.connect((host, port))
        made.send(text.encode())
        return made.recv(1024).decode(errors="replace")
