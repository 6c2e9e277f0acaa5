"""agnhost connect: one attempt to connect, its result as the exit code and one word on stderr."""

from __future__ import annotations

import socket
import sys

from netlab.workloads.dial import lookup_error, reason
from netlab.workloads.options import options
from netlab.workloads.serving import IPPROTO_SCTP


def main(args: list[str]) -> int:
    """Connects to args HOST:PORT; 0, or 1 with TIMEOUT, REFUSED, `DNS: …`, `OTHER: …`, `UNKNOWN: …` on stderr."""
    chosen = options(args, {"timeout": "10s", "protocol": "tcp", "udp-data": "hostname", "sctp-data": "hostname"})
    if len(chosen.words) != 1:
        raise ValueError(f"accepts 1 arg(s), received {len(chosen.words)}")
    host, colon, port = chosen.words[0].rpartition(":")
    if not colon:
        return _fail(f"UNKNOWN: address {chosen.words[0]}: missing port in address")
    if not port.isdigit():
        return _fail(f"DNS: lookup {chosen['protocol']}/{port}: unknown port")
    if chosen["protocol"] not in ("tcp", "udp", "sctp"):
        return _fail(f"UNKNOWN: unsupported protocol {chosen['protocol']!r}")
    kind = socket.SOCK_DGRAM if chosen["protocol"] == "udp" else socket.SOCK_STREAM
    number = IPPROTO_SCTP if chosen["protocol"] == "sctp" else 0
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=kind)[0]
    except socket.gaierror:
        return _fail(f"DNS: {lookup_error(host)}")
    try:
        with socket.socket(family, kind, number) as made:
            made.settimeout(chosen.seconds("timeout") or None)
            made.connect(address)
            if chosen["protocol"] != "tcp":  # only an answer tells that there is somebody
                made.send(chosen[f"{chosen['protocol']}-data"].encode() + b"\n")
                made.recv(65535)
    except TimeoutError:
        return _fail("TIMEOUT")
    except ConnectionRefusedError:
        return _fail("REFUSED")
    except OSError as error:
        return _fail(f"OTHER: dial {chosen['protocol']} {chosen.words[0]}: connect: {reason(error)}")
    return 0


def _fail(text: str) -> int:
    print(text, file=sys.stderr, flush=True)
    return 1
