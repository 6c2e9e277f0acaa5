"""The HTTP and UDP echo server: answers with who it is and what it saw of the request."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass

from netlab.model.family import with_port
from netlab.workloads.http import Request, Response
from netlab.workloads.identity import Identity, identity
from netlab.workloads.serving import Server, run_until_term, say

_OPTION = re.compile(r"--?(?P<name>[a-z][a-z-]*)(?:=(?P<value>.*))?", re.DOTALL)
_VALUED = ("port", "p", "listen", "text", "port-from", "status-code", "default-port")


@dataclass(frozen=True)
class Options:
    """How it answers: the ports, a text before the facts, the status."""

    ports: tuple[int, ...] = (80,)
    text: str = ""
    code: int = 200


def parse(args: list[str], environment: dict[str, str]) -> Options:
    """The options. Ports of the user replace default ones; unknown options are ignored."""
    values: dict[str, str] = {}
    defaults: list[int] = []  # of the image
    given: list[int] = []  # by the user
    rest = list(args)
    while rest:
        match = _OPTION.fullmatch(rest.pop(0))
        if not match or match["name"] not in _VALUED:
            continue
        name, value = match["name"], match["value"]
        if value is None:
            value = rest.pop(0) if rest else ""
        if name in ("port", "p", "listen", "default-port"):
            (defaults if name == "default-port" else given).append(int(value.rpartition(":")[2] or 0))
        else:
            values[name] = value
    variable = environment.get(values.get("port-from", ""), "")
    ports = given or ([int(variable)] if variable.isdigit() else defaults) or [80]
    return Options(tuple(dict.fromkeys(ports)), values.get("text", ""),
                   int(values.get("status-code") or 200))


def answer(request: Request, me: Identity, options: Options) -> Response:
    """One fact a line, easy to grep; JSON where that is asked for."""
    if request.query("format") == "json" or "application/json" in request.header("accept"):
        return Response(json.dumps(facts(request, me), indent=2) + "\n", options.code, "application/json")
    lines = [f"Pod: {me.pod}", f"Namespace: {me.namespace}", f"Node: {me.node}", f"Pod IP: {me.pod_ip}",
             f"Client: {with_port(*request.client)}", f"Server: {with_port(*request.local)}",
             f"Request: {request.method} {request.target} {request.version}",
             *(f"{name}: {value}" for name, value in request.headers)]
    if request.body_length:
        lines.append(f"Body: {request.body_length} bytes")
    shown = [options.text, *lines] if options.text else lines
    return Response("".join(f"{line}\n" for line in shown), options.code)


def facts(request: Request, me: Identity) -> dict[str, object]:
    """What a test wants to know of a request: who answered, and whom it saw."""
    return {
        "pod": me.pod, "namespace": me.namespace, "node": me.node, "podIP": me.pod_ip,
        "client": with_port(*request.client), "clientIP": request.client[0],
        "local": f"{with_port(*request.local)}",
        "method": request.method, "path": request.target, "host": request.header("host"),
        "headers": dict(request.headers), "bodyLength": request.body_length,
        "body": request.body[:4096].decode(errors="replace"),
    }


def udp_answer(data: bytes, client: tuple[str, int], local: tuple[str, int], me: Identity) -> bytes:
    """The datagram that answers a datagram: the same facts in one line, then what was sent."""
    line = f"pod={me.pod} node={me.node} podIP={me.pod_ip} client={with_port(*client)} local={with_port(*local)}\n"
    return line.encode() + data[:32768]


def serve(options: Options, me: Identity) -> Server:
    """A server that listens already. OSError when a port is taken."""
    server = Server()

    def respond(request: Request) -> Response:
        response = answer(request, me, options)
        say(f"{with_port(*request.client)} {request.method} {request.target} {response.code}")
        return response

    for port in options.ports:
        server.http(port, respond)
        server.udp(port, lambda data, client, local: udp_answer(data, client, local, me))
    return server


def main(args: list[str]) -> int:
    """Serves until SIGTERM; 1 when a port is taken, 2 when the options are wrong."""
    me = identity()
    try:
        options = parse(args, dict(os.environ))
    except ValueError as error:
        say(f"error: {error}")
        return 2
    try:
        server = serve(options, me)
    except OSError as error:
        ports = ", ".join(str(port) for port in options.ports)
        say(f"error: cannot listen on port {ports}: {(error.strerror or str(error)).lower()}")
        return 1
    ports = ", ".join(f"{port}/tcp {port}/udp" for port in options.ports)
    return run_until_term(server, f"{me.pod} listens on {ports}")
