"""The image hashicorp/http-echo: one text, whatever is asked for."""

from __future__ import annotations

import os
import sys
import time

from netlab.model.family import with_port
from netlab.workloads.http import Request, Response
from netlab.workloads.options import options
from netlab.workloads.program import port_number, serve, stamp
from netlab.workloads.serving import say

HEADERS = (("X-App-Name", "http-echo"), ("X-App-Version", "1.0.0"))


def answer(request: Request, *, text: str, code: int = 200) -> Response:
    """The text; /health says that all is well."""
    if request.path == "/health":
        return Response('{"status":"ok"}\n', headers=HEADERS)
    return Response(f"{text}\n", code, headers=HEADERS)


def log_line(request: Request, response: Response, took: float) -> str:
    """What the container's log says of a request; `took` in seconds."""
    return (f"{stamp()} {request.header('host')} {with_port(*request.client)} "
            f'"{request.method} {request.path} {request.version}" {response.code} {len(response.body)} '
            f'"{request.header("user-agent")}" {took * 1e6:.3f}µs')


def main(args: list[str]) -> int:
    """Serves until SIGTERM. Options: -listen, -text (or ECHO_TEXT), -status-code, -version."""
    chosen = options(args, {"listen": "", "default-port": "5678", "status-code": "200", "version": "false",
                            "text": os.environ.get("ECHO_TEXT", "hello-world")})
    if chosen.flag("version"):
        print("http-echo v1.0.0", file=sys.stderr, flush=True)
        return 0
    if chosen.words:
        print("Too many arguments!", file=sys.stderr, flush=True)
        return 127
    if not chosen["text"]:
        print("Missing -text option!", file=sys.stderr, flush=True)
        return 127
    port = port_number(chosen["listen"], chosen["default-port"])
    code = int(chosen["status-code"])

    def respond(request: Request) -> Response:
        start = time.monotonic()
        response = answer(request, text=chosen["text"], code=code)
        if request.path != "/health":
            say(log_line(request, response, time.monotonic() - start))
        return response

    return serve([port], respond, greeting=f"{stamp()} [INFO] server is listening on {chosen['listen'] or f':{port}'}")
