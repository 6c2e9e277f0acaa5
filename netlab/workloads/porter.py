"""agnhost porter: a server for each port that a variable SERVE_..._PORT_<n> names, with its value as the answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import partial

from netlab.workloads.go_http import dumps, written
from netlab.workloads.http import Request, Response
from netlab.workloads.options import strict_options
from netlab.workloads.program import log, own_tls
from netlab.workloads.serving import Server, Wrap, run_until_term

PREFIXES = {"SERVE_PORT_": "http", "SERVE_TCP_PORT_": "http", "SERVE_TLS_PORT_": "https", "SERVE_UDP_PORT_": "udp",
            "SERVE_SCTP_PORT_": "sctp"}


def wanted(env: Mapping[str, str]) -> list[tuple[str, int, str]]:
    """(kind, port, text) of the servers that the environment asks for."""
    found = []
    for name, value in sorted(env.items()):
        for prefix, kind in PREFIXES.items():
            number = name.removeprefix(prefix)
            if name.startswith(prefix) and number.isdigit():
                found.append((kind, int(number), value))
    return found


def answer(request: Request, text: str, *, as_json: bool = False) -> Response:
    """The text, or with --json-response an object that says the method too."""
    if not as_json:
        return written(text)
    return Response(f'{{"Method":{dumps(request.method)},"Body":{dumps(text)}}}', content_type="application/json")


def serve(env: Mapping[str, str], *, as_json: bool = False) -> Server:
    """A server on all the ports; one that cannot be served is told in the log, the others go on, as upstream's."""
    server = Server()
    for kind, port, text in wanted(env):
        try:
            if kind == "udp":
                server.udp(port, partial(_datagram, text.encode()))
            elif kind == "sctp":
                server.sctp(port, partial(_association, text.encode()))
            else:
                tls = _tls(env) if kind == "https" else None
                server.http(port, partial(answer, text=text, as_json=as_json), tls=tls)
        except OSError as error:
            words = "this kernel has no SCTP" if kind == "sctp" else str(error)
            log(f'{kind} server on port "{port}" failed: {words}')
    return server


def _tls(env: Mapping[str, str]) -> Wrap:
    if not (env.get("CERT_FILE") or env.get("KEY_FILE")):
        return own_tls()
    from netlab.workloads.certificates import OWN, server_side

    return server_side(env.get("CERT_FILE") or OWN[0], env.get("KEY_FILE") or OWN[1])


def _datagram(text: bytes, data: bytes, client: tuple[str, int], local: tuple[str, int]) -> bytes:
    return text


def _association(text: bytes, connection: socket.socket) -> None:
    connection.sendall(text)


def main(args: list[str]) -> int:
    """Serves until SIGTERM."""
    chosen = strict_options(args, {"json-response": "false"})
    return run_until_term(serve(os.environ, as_json=chosen.flag("json-response")))
