"""Asks the server its own question once, to find out whether it forwards to itself."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress

from netlab.dns import upstream
from netlab.dns.answer import Answer, Question
from netlab.dns.chain import Request, failure
from netlab.dns.configuration import Configuration
from netlab.dns.plugins.forward import Forward
from netlab.dns.plugins.loop import HINFO, Loop
from netlab.dns.view import DnsView
from netlab.server.dns_log import Log

WAIT = 2.0  # seconds for the question to come back
TRIES = 15


def watch(configuration: Configuration, log: Log) -> None:
    """Starts the question of each `loop`, where there is somebody to forward to. Ends the process in a loop."""
    if any(forward.upstreams for forward in configuration.all(Forward)):
        for loop in configuration.all(Loop):
            threading.Thread(target=_ask, args=(loop, log), name="loop", daemon=True).start()
    else:
        for loop in configuration.all(Loop):
            loop.disable()


def _ask(loop: Loop, log: Log) -> None:
    request = Request(Question(loop.question, "HINFO"), DnsView(), _nobody, type=HINFO)
    data = upstream.question(request, int.from_bytes(os.urandom(2), "big"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(WAIT)
        client.connect(("127.0.0.1", loop.port))
        for _ in range(TRIES):
            try:
                client.send(data)
                client.recv(4096)
                break
            except OSError:
                if loop.looping:
                    break
                loop.seen[0] = 0
        own = "{}:{}".format(*client.getsockname())
    end = time.monotonic() + WAIT
    while not loop.looping and time.monotonic() < end:
        time.sleep(0.1)
    if loop.looping:
        log.line(f'[FATAL] plugin/loop: Loop ({own} -> :{loop.port}) detected for zone "{loop.zone}", see '
                 f'https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO {loop.question}"')
        with suppress(OSError):
            os.fsync(1)
        os._exit(1)
    loop.disable()


async def _nobody(request: Request) -> Answer:
    return failure("")
