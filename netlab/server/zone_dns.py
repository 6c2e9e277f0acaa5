"""The outside world's DNS server: it knows one zone, the root's, and so an answer to every question.

It runs in a fork without exec whose root filesystem has no Python: whatever it needs is imported with it.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
from dataclasses import replace
from itertools import count

from netlab.dns import wire
from netlab.dns.answer import Answer
from netlab.dns.zone import Zone
from netlab.kernel.listening import listening, plain
from netlab.model.family import with_port
from netlab.server.dns_log import Log
from netlab.server.dns_stream import StreamServer, dns_messages

MAX_REQUEST = 4096


def respond(data: bytes, zone: Zone, turn: int, *, tcp: bool = False) -> tuple[bytes, wire.Query, str] | None:
    """(response, what was asked, code), None when there must be none; `turn` chooses which address comes first."""
    query = wire.parse(data)
    if query is None:
        return None
    if query.refusal or query.question is None:
        result = Answer(query.refusal, authoritative=False)
    elif query.question.type in ("AXFR", "IXFR"):
        result = Answer("REFUSED", authoritative=False)
    else:
        result = zone.answer(query.question)
    reply = wire.response(query, replace(result, recursion_available=True, shuffled=True), tcp=tcp)
    return reply.make(turn), query, result.rcode


def main(args: list[str]) -> int:
    """Serves the zone of the file on port 53 until it is killed; the exit code. 1: the port is taken; 2: bad zone."""
    log = Log()
    try:
        with open(args[0], encoding="ascii") as file:
            zone = Zone.parse(file.read())
    except (OSError, ValueError, IndexError) as error:
        log.line(f"internet-dns: {error}")
        return 2
    turns = count()

    def answer(data: bytes, peer: str, *, tcp: bool = False) -> bytes | None:
        started = time.monotonic()
        try:
            made = respond(data, zone, next(turns), tcp=tcp)
        except Exception as error:  # one odd question must not end the service for all others
            log.limited("ERROR", f"{type(error).__name__}: {error}")
            return wire.failure(data)
        if made is None:
            return None
        message, query, rcode = made
        if query.question:
            log.limited("INFO", f'{peer} - {query.id} "{query.question.type} IN {query.question.name} '
                                f'{"tcp" if tcp else "udp"} {len(data)}" {rcode} {len(message)} '
                                f"{time.monotonic() - started:.6f}s")
        return message

    try:
        udp = listening(socket.SOCK_DGRAM, 53)
        streams = StreamServer()
        streams.listen(53, dns_messages(
            lambda data, peer, _: answer(data, with_port(plain(peer[0]), peer[1]), tcp=True)))
    except OSError as error:
        log.line(f"Listen: listen :53: {error.strerror}")
        return 1
    log.line(f".:53 with {sum(map(len, zone.records.values()))} records")
    log.line(f"{sys.platform}/{os.uname().machine}, python{'.'.join(map(str, sys.version_info[:3]))}")
    threading.Thread(target=streams.run, name="streams", daemon=True).start()
    while True:
        try:
            data, peer = udp.recvfrom(MAX_REQUEST)
            response = answer(data, with_port(plain(peer[0]), peer[1]))
            if response is not None:
                udp.sendto(response, peer)
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ENOTSOCK):
                raise
            time.sleep(0.001)  # no route back: that client's loss only
