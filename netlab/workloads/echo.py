"""The HTTP and UDP echo server: answers with who it is and what it saw of the request."""

from __future__ import annotations

import json
import mimetypes
import os
import re
from dataclasses import dataclass
from pathlib import Path

from netlab.model.family import with_port
from netlab.workloads.http import Request, Response
from netlab.workloads.identity import Identity, identity
from netlab.workloads.manners import MANNERS, not_found
from netlab.workloads.serving import Server, run_until_term, say

_OPTION = re.compile(r"--?(?P<name>[a-z][a-z-]*)(?:=(?P<value>.*))?", re.DOTALL)
_VALUED = ("port", "p", "listen", "text", "manner", "root", "port-from", "status-code",
           "default-port")


@dataclass(frozen=True)
class Options:
    """How it answers: the ports, the manner of which program, a fixed text, files to serve."""

    ports: tuple[int, ...] = (80,)
    manner: str = ""
    text: str = ""
    root: str = ""
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
    return Options(tuple(dict.fromkeys(ports)), values.get("manner", ""), values.get("text", ""),
                   values.get("root", ""), int(values.get("status-code") or 200))


def answer(request: Request, me: Identity, options: Options) -> Response:
    """The answer: JSON where that is asked for, a file of `root` if there is one, else the manner's text.

    A web server's image has no other files than the first page.
    """
    wants_json = not options.manner and "application/json" in request.header("accept")
    if request.query("format") == "json" or wants_json:
        return Response(json.dumps(facts(request, me), indent=2) + "\n", options.code, "application/json")
    found = _file(options.root, request.path) if options.root else None
    if found is not None:
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return Response(found.read_bytes(), options.code, kind)
    manner = MANNERS[options.manner]
    if options.root and manner.files_only and request.path not in ("/", "/index.html"):
        return Response(not_found(manner.server), 404, "text/html", (("Server", manner.server),))
    return Response(manner.text(request, me, options.text), options.code, manner.content_type,
                    (("Server", manner.server),) if manner.server else ())


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


def _file(root: str, path: str) -> Path | None:
    wanted = Path(os.path.normpath(root + "/" + path))
    if not str(wanted).startswith(os.path.normpath(root)):
        return None
    if wanted.is_dir():
        wanted = wanted / "index.html"
    try:
        return wanted if wanted.is_file() else None
    except OSError:
        return None


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
        if options.manner not in MANNERS:
            raise ValueError(f"unknown manner {options.manner!r}")
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
