"""The image traefik/whoami: who answers, by which addresses, and the request as it came."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass

from netlab.model.family import with_port
from netlab.workloads.http import Handler, Request, Response
from netlab.workloads.identity import addresses, environment, identity
from netlab.workloads.options import options, seconds
from netlab.workloads.program import go_header_lists, go_headers, log, serve, stamp
from netlab.workloads.serving import say

UNITS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
MOST = 64 << 20  # bytes of an answer to /data


@dataclass
class Whoami:
    """The answers; `health` is the status that /health gives until somebody posts another."""

    hostname: str
    addresses: tuple[str, ...]
    name: str = ""
    health: int = 200

    def answer(self, request: Request) -> Response:
        """The answer to a request."""
        routes = {"/api": self._api, "/health": self._health, "/data": _data,
                  "/bench": _bench}
        return routes.get(request.path, self._text)(request)

    def _text(self, request: Request) -> Response:
        with contextlib.suppress(ValueError):
            time.sleep(seconds(request.query("wait")))
        lines = [f"Name: {self.name}"] if self.name else []
        lines += [f"Hostname: {self.hostname}", *(f"IP: {address}" for address in self.addresses),
                  f"RemoteAddr: {with_port(*request.client)}"]
        # The request stands there as Go would send it on: with carriage returns, Host and User-Agent first.
        headers = sorted(go_headers(request), key=lambda header: header[0] != "User-Agent")
        sent = [f"{request.method} {request.target} HTTP/1.1", f"Host: {request.header('host')}",
                *(f"{name}: {value}" for name, value in headers), "", ""]
        shown = "".join(f"{line}\n" for line in lines) + "\r\n".join(sent) + request.body.decode(errors="replace")
        if request.query("env") in ("1", "t", "T", "true", "True", "TRUE"):
            shown += "".join(f"{name}={value}\n" for name, value in environment().items())
        return Response(shown)

    def _api(self, request: Request) -> Response:
        facts = {"hostname": self.hostname, "ip": list(self.addresses), "headers": go_header_lists(request),
                 "url": request.target, "host": request.header("host"), "method": request.method, "name": self.name,
                 "remoteAddr": with_port(*request.client),
                 "environ": environment() if request.query("env") in ("1", "true") else {}}
        text = json.dumps({key: value for key, value in facts.items() if value}, separators=(",", ":"))
        return Response(text + "\n", content_type="application/json", headers=(
            ("Access-Control-Allow-Origin", os.environ.get("WHOAMI_ALLOWED_ORIGINS", "*")),
            ("Access-Control-Allow-Methods", "*")))

    def _health(self, request: Request) -> Response:
        if request.method != "POST":
            return Response("", self.health)
        try:
            self.health = int(json.loads(request.body))
        except ValueError as error:
            return Response(f"{error}\n", 400)
        say(f"Update health check status code [{self.health}]")
        return Response("")


def _bench(request: Request) -> Response:
    return Response("1", content_type="text/plain")


def _data(request: Request) -> Response:
    size = int(request.query("size")) if request.query("size").isdigit() else 1
    size *= UNITS.get(request.query("unit").lower(), 1)
    if size > MOST:
        return Response(f"netlab gives {MOST} bytes at most\n", 400)
    attached = request.query("attachment") in ("1", "true")
    body = ("|" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ-" * (size // 27 + 1))[:max(size - 1, 0)] + "|" * min(size, 1)
    return Response(body, headers=(("Content-Disposition", "Attachment"),) if attached else ())


def main(args: list[str]) -> int:
    """Serves until SIGTERM. Options: -port, -name, -cert, -key, -verbose."""
    chosen = options(args, {
        "port": "", "default-port": "80", "name": os.environ.get("WHOAMI_NAME", ""), "cert": "", "key": "",
        "cacert": "", "verbose": "false"})
    me = Whoami(identity().pod, tuple(addresses()), chosen["name"])
    port = int(chosen["port"] or os.environ.get("WHOAMI_PORT_NUMBER") or chosen["default-port"])
    tls = None
    if chosen["cert"] and chosen["key"]:
        from netlab.workloads.certificates import server_side

        tls = server_side(chosen["cert"], chosen["key"], clients=chosen["cacert"])
    with_tls = " with TLS" if tls else ""
    return serve([port], me.answer if not chosen.flag("verbose") else _verbose(me), tls=tls,
                 greeting=f"{stamp()} Starting up{with_tls} on port {port}")


def _verbose(me: Whoami) -> Handler:
    def answer(request: Request) -> Response:
        response = me.answer(request)
        moment = time.strftime("%d/%b/%Y:%H:%M:%S %z")
        log(f'{with_port(*request.client)} - - [{moment}] "{request.method} {request.path} {request.version}" - -')
        return response

    return answer
