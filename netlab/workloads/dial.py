"""Requests to others, for netexec's /dial."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from netlab.model.family import with_port

LIMIT = 5.0  # seconds per request


@dataclass
class Dialled:
    """`found` has `responses` and `errors`, each if there are any; `last_ok` whether the last try got an answer."""

    found: dict[str, list[str]] = field(default_factory=dict)
    last_ok: bool = False


def dial(host: str, port: int, request: str, *, protocol: str = "http", tries: int = 1) -> Dialled:
    """Asks `tries` times, each time on a new connection. ValueError for an unknown protocol."""
    if protocol not in ("http", "udp"):
        raise ValueError(f"unsupported protocol. {protocol}")
    result = Dialled()
    ask = http_get if protocol == "http" else udp
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
    with socket.create_connection((host, port), LIMIT) as made, made.makefile("rb") as stream:
        head = f"GET /{path.lstrip('/')} HTTP/1.1\r\nHost: {with_port(host, port)}\r\nConnection: close\r\n\r\n"
        made.sendall(head.encode())
        length, chunked = -1, False
        if not stream.readline():
            raise ConnectionError("EOF")
        while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() == "transfer-encoding":
                chunked = "chunked" in value.lower()
        if not chunked:
            return stream.read(length).decode(errors="replace")
        body = b""
        while size := int(stream.readline().split(b";")[0] or b"0", 16):
            body += stream.read(size)
            stream.readline()
        return body.decode(errors="replace")


def udp(host: str, port: int, text: str) -> str:
    """The datagram that answers a datagram."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.settimeout(LIMIT)
        made.connect(address)
        made.send(text.encode())
        return made.recv(65535).decode(errors="replace")
