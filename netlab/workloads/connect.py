"""agnhost connect: one attempt to connect, its result as the exit code and one word on stderr."""

from __future__ import annotations

import socket
import sys

from netlab.workloads.options import options
from netlab.workloads.serving import IPPROTO_SCTP


def main(args: list[str]) -> int:
    """Connects to args HOST:PORT; 0, or 1 with TIMEOUT, REFUSED, `DNS: …`, `OTHER: …`, `UNKNOWN: …` on stderr."""
    chosen = options(args, {"timeout": "10s", "protocol": "tcp", "udp-data": "hostname"})
    host, colon, port = chosen.words[0].rpartition(":") if chosen.words else ("", "", "")
    if not colon or not port.isdigit():
        return _fail("UNKNOWN: want HOST:PORT")
    if chosen["protocol"] not in ("tcp", "udp", "sctp"):
        return _fail(f"UNKNOWN: unsupported protocol {chosen['protocol']!r}")
    kind = socket.SOCK_DGRAM if chosen["protocol"] == "udp" else socket.SOCK_STREAM
    number = IPPROTO_SCTP if chosen["protocol"] == "sctp" else 0
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=kind)[0]
    except socket.gaierror as error:
        return _fail(f"DNS: {error.strerror}")
    try:
        with socket.socket(family, kind, number) as made:
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
