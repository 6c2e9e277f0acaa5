"""agnhost net: the runners of Kubernetes' conntrack tests, which leave a connection in CLOSE_WAIT on one side."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from netlab.workloads.http import Request, Response
from netlab.workloads.options import options
from netlab.workloads.program import log
from netlab.workloads.serving import Server, run_until_term

Runner = Callable[[Mapping[str, Any]], None]
MESSAGE = b"client connected"


def closewait_server(given: Mapping[str, Any]) -> None:
    """Takes one connection, and closes its side PostFinTimeoutSeconds after the client's is closed."""
    with socket.create_server(_address(given["LocalAddr"]), reuse_port=True) as listener:
        log(f"Server listening on {given['LocalAddr']}")
        connection, _ = listener.accept()
    with connection:
        while connection.recv(1024):
            pass
        time.sleep(float(given.get("PostFinTimeoutSeconds", 0)))


def closewait_client(given: Mapping[str, Any]) -> None:
    """Connects, sends, closes its side, waits PostFinTimeoutSeconds and wants a proper end within TimeoutSeconds.

    With LeakConnection it leaves the connection half closed. OSError when the end is none.
    """
    made = socket.create_connection(_address(given["RemoteAddr"]), float(given.get("TimeoutSeconds", 30)))
    made.sendall(MESSAGE)
    made.shutdown(socket.SHUT_WR)
    if given.get("LeakConnection"):
        _leaked.append(made)
        return
    with made:
        time.sleep(float(given.get("PostFinTimeoutSeconds", 0)))
        while made.recv(1024):
            pass


_leaked: list[socket.socket] = []
RUNNERS: dict[str, Runner] = {"nat-closewait-client": closewait_client, "nat-closewait-server": closewait_server}


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def answer(request: Request) -> Response:
    """POST /run/RUNNER with options as JSON: runs it, and says how it went."""
    runner = RUNNERS.get(request.path.removeprefix("/run/"))
    if runner is None:
        return Response("404 page not found\n", 404)
    try:
        runner(json.loads(request.body or b"{}"))
    except (OSError, ValueError, KeyError) as error:
        return Response(f"error: {error}", 500)
    return Response("ok")


def main(args: list[str]) -> int:
    """`--serve ADDRESS:PORT`, or `--runner NAME --options JSON`: 0 when it went well."""
    chosen = options(args, {"serve": "", "runner": "", "options": "{}"})
    if chosen["serve"]:
        server = Server()
        host, port = _address(chosen["serve"])
        server.http(port, answer, host)
        return run_until_term(server, f"Serving on {chosen['serve']}")
    runner = RUNNERS.get(chosen["runner"])
    if runner is None:
        print(f"Runner '{chosen['runner']}' not found; there are {', '.join(RUNNERS)}", file=sys.stderr, flush=True)
        return 1
    try:
        runner(json.loads(chosen["options"]))
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0
