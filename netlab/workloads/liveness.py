"""agnhost liveness: healthy for ten seconds, then not any more; and failures of all kinds on demand."""

from __future__ import annotations

import time
from urllib.parse import unquote

from netlab.workloads.http import Request, Response
from netlab.workloads.program import serve

HEALTHY = 10.0  # seconds


def answer(request: Request, age: float) -> Response:
    """The answer of a server that has run for `age` seconds."""
    match request.path:
        case "/started":
            return Response(f"{age:.9f}s")
        case "/healthz":
            return Response("ok") if age <= HEALTHY else Response(f"error: {age}", 500)
        case "/redirect":
            return Response("", 302, headers=(("Location", unquote(request.query("loc"))),))
        case "/sleep-headers" | "/sleep-body" | "/slow-response":
            return _slow(request)
    return Response("404 page not found\n", 404)


def _slow(request: Request) -> Response:
    try:
        code, span, size = (int(request.query(name) or default) for name, default in
                            (("code", 500), ("time", 0), ("size", 0)))
    except ValueError as error:
        return Response(f"{error}\n", 400)
    time.sleep(span)
    words = "" if request.path == "/slow-response" else f"Slept for {span} secs\n"
    return Response(words + "0" * 1024 * size, code)


def main(args: list[str]) -> int:
    """Serves on 8080 until SIGTERM."""
    start = time.monotonic()
    return serve([8080], lambda request: answer(request, time.monotonic() - start))
