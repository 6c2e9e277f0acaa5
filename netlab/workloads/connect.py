"""agnhost connect: one attempt to connect, its result as the exit code and one word on stderr."""

from __future__ import annotations

import socket
import sys

from netlab.workloads.options import options


def main(args: list[str]) -> int:
    """Connects to args HOST:PORT; 0, or 1 with TIMEOUT, REFUSED, `DNS: …`, `OTHER: …` on stderr."""
    chosen = options(args, {"timeout": "10s", "protocol": "tcp", "udp-data": "hostname"})
    host, colon, port = chosen.words[0].rpartition(":") if chosen.words else ("", "", "")
    if not colon or not port.isdigit():
        return _fail("OTHER: want HOST:PORT")
    if chosen["protocol"] not in ("tcp", "udp"):
        return _fail(f"OTHER: unsupported protocol {chosen['protocol']!r}")
    kind = socket.SOCK_STREAM if chosen["protocol"] == "tcp" else socket.SOCK_DGRAM
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=kind)[0]
    except socket.gaierror as error:
        return _fail(f"DNS: {error.strerror}")
    try:
        with socket.socket(family, kind) as made:
            made.settimeout(chosen.seconds("timeout"))
            made.connect(address)
            if chosen["protocol"] == "udp":
                made.send(chosen["udp-data"].encode())
                made.recv(65535)
    except TimeoutError:
        return _fail("TIMEOUT")
    except ConnectionRefusedError:
        return _fail("REFUSED")
    except OSError as error:
        return _fail(f"OTHER: {error.strerror or error}")
    return 0


def _fail(text: str) -> int:
    print(text, file=sys.stderr, flush=True)
    return 1
