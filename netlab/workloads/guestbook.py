"""agnhost guestbook: a front end, a primary that keeps entries, and replicas that register with it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import quote

from netlab.model.family import with_port
from netlab.workloads.http import Request, Response
from netlab.workloads.http_client import fetch
from netlab.workloads.options import options
from netlab.workloads.program import log, serve

REGISTER_LIMIT = 15.0  # seconds in which a replica must find its primary
RETRY = 1.0
Ask = Callable[[str, str], str]
"""(host, path and query) to the answer of a guestbook there; OSError."""


class Guestbook:
    """Its entries, and whom it tells of new ones."""

    def __init__(self, ask: Ask) -> None:
        self.entries: dict[str, object] = {}
        self.replicas: list[str] = []
        self._ask = ask

    def answer(self, request: Request) -> Response:
        """The answer to a request; 404 for a path that it does not have."""
        routes = {"/get": self._get, "/set": self._set, "/register": self._register, "/guestbook": self._front}
        route = routes.get(request.path)
        return route(request) if route else Response("404 page not found\n", 404)

    def _register(self, request: Request) -> Response:
        self.replicas.append(request.query("host"))
        log(f"Node '{request.query('host')}' registered.")
        return _json({"data": self.entries})

    def _get(self, request: Request) -> Response:
        key = request.query("key")
        return _json({"data": self.entries.get(key, "") if key else self.entries})

    def _set(self, request: Request) -> Response:
        key, value = request.query("key"), request.query("value")
        if not key:
            return Response("cannot set with empty key.\n", 400)
        self.entries[key] = value
        for replica in self.replicas:
            try:
                self._ask(replica, f"/set?key={quote(key)}&value={quote(value)}")
            except OSError as error:
                return Response(f"encountered error while propagating to replica '{replica}': {error}\n", 417)
        return _json({"message": "Updated"})

    def _front(self, request: Request) -> Response:
        command, key = request.query("cmd").lower(), request.query("key")
        if command not in ("get", "set"):
            return Response(f"unsupported cmd: '{command}'\n", 400)
        if command == "set" and not key:
            return Response("cannot set with empty key.\n", 400)
        host = "agnhost-replica" if command == "get" else "agnhost-primary"
        try:
            return Response(self._ask(host, f"/{command}?key={quote(key)}&value={quote(request.query('value'))}"))
        except OSError as error:
            return Response(f"encountered error: {error}\n", 417)


def _json(found: object) -> Response:
    return Response(json.dumps(found, separators=(",", ":")))


def main(args: list[str]) -> int:
    """Serves until SIGTERM. Options: --http-port (80), --backend-port (6379), --replicaof HOST."""
    chosen = options(args, {"http-port": "80", "backend-port": "6379", "replicaof": ""})
    backend = int(chosen["backend-port"])

    def ask(host: str, target: str) -> str:
        reply = fetch(host, backend, target, headers=(("Host", with_port(host, backend)),))
        return reply.body.decode(errors="replace")

    book = Guestbook(ask)
    if chosen["replicaof"]:
        threading.Thread(target=_follow, args=(book, chosen["replicaof"], backend, ask), daemon=True).start()

    def respond(request: Request) -> Response:
        log(f"{request.method} {request.target}")
        return book.answer(request)

    return serve([int(chosen["http-port"])], respond)


def _follow(book: Guestbook, primary: str, port: int, ask: Ask) -> None:
    end = time.monotonic() + REGISTER_LIMIT
    while time.monotonic() < end:
        try:
            family, _, _, _, address = socket.getaddrinfo(primary, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, socket.SOCK_DGRAM) as made:
                made.connect(address)
                own = made.getsockname()[0]
            book.entries.update(json.loads(ask(primary, f"/register?host={own}"))["data"])
            log(f"Registered to node: {primary}")
            return
        except (OSError, ValueError) as error:
            log(f"encountered error while registering to primary: {error}. Retrying in 1s.")
            time.sleep(RETRY)
    log("Timed out while registering to primary.")
    os._exit(1)
