"""agnhost netexec: an HTTP and UDP server that says who it is, dials others and runs commands."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from dataclasses import replace
from datetime import datetime

from netlab.model.family import with_port
from netlab.workloads import dial
from netlab.workloads.http import Request, Response
from netlab.workloads.options import options
from netlab.workloads.serving import Server, run_until_term, say

DEFAULTS = {"http-port": "8080", "udp-port": "8081", "sctp-port": "-1", "http-override": "", "delay-shutdown": "0",
            "tls-cert-file": "", "tls-private-key-file": ""}


class NetExec:
    """The server's answers; `ready` and `terminating` are what /readyz tells."""

    def __init__(self, server: Server, *, override: str = "") -> None:
        self.server = server
        self.ready = True
        self.terminating = False
        self._override = override
        self._routes = {
            "/": self._now, "/clientip": self._clientip, "/dial": self._dial, "/echo": self._echo,
            "/exit": self._exit, "/healthz": self._healthz, "/readyz": self._readyz, "/hostname": self._hostname,
            "/hostName": self._hostname, "/shell": self._shell, "/header": self._header,
            "/redirect": self._redirect, "/shutdown": self._shutdown,
        }

    def http(self, request: Request) -> Response:
        """The answer to a request; 404 for a path that it does not have."""
        if self._override:
            request = replace(request, method="GET", target=self._override)
        say(f"{request.method} {request.target} from {with_port(*request.client)}")
        route = self._routes.get(request.path)
        return route(request) if route else Response("404 page not found\n", 404)

    def udp(self, data: bytes, client: tuple[str, int], local: tuple[str, int]) -> bytes:
        """The answer to a datagram: hostname, echo MESSAGE, clientip."""
        command, _, rest = data.decode(errors="replace").strip().partition(" ")
        if command.lower() == "hostname":
            return socket.gethostname().encode()
        if command == "echo":
            return rest.encode()
        return f"{with_port(*client)}".encode() if command == "clientip" else b""

    def _now(self, request: Request) -> Response:
        return Response(f"NOW: {datetime.now().astimezone().isoformat(sep=' ')}")

    def _clientip(self, request: Request) -> Response:
        return Response(f"{with_port(*request.client)}")

    def _hostname(self, request: Request) -> Response:
        return Response(socket.gethostname())

    def _echo(self, request: Request) -> Response:
        return Response(request.query("msg"), int(request.query("code", "200") or 200))

    def _header(self, request: Request) -> Response:
        return Response(request.header(request.query("key")))

    def _redirect(self, request: Request) -> Response:
        return Response("", int(request.query("code") or 302), headers=(("Location", request.query("location")),))

    def _healthz(self, request: Request) -> Response:
        return Response("", 200 if self.ready else 412)

    def _readyz(self, request: Request) -> Response:
        return Response("", 503 if self.terminating else 200 if self.ready else 412)

    def _dial(self, request: Request) -> Response:
        missing = [name for name in ("host", "port", "request") if not request.query(name)]
        if missing:
            return Response(f"{missing[0]} parameter not specified. {missing[0]} is required.", 400)
        try:
            result = dial.dial(request.query("host"), int(request.query("port")), request.query("request"),
                               protocol=request.query("protocol") or "http", tries=int(request.query("tries") or 1))
        except ValueError as error:
            return Response(str(error), 400)
        return Response(json.dumps(result.found), 200 if result.last_ok else 417, "application/json")

    def _shell(self, request: Request) -> Response:
        command = request.query("cmd") or request.query("shellCommand")
        done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        result = {"output": done.stdout.decode(errors="replace")} if done.stdout else {}
        if done.returncode:
            result["error"] = f"exit status {done.returncode}"
        return Response(json.dumps(result), 417 if done.returncode else 200, "application/json")

    def _exit(self, request: Request) -> Response:
        code = int(request.query("code") or 0)
        wait = options([f"--wait={request.query('wait') or 0}"], {}).seconds("wait")
        timeout = options([f"--timeout={request.query('timeout') or 0}"], {}).seconds("timeout")
        if wait > 0:
            time.sleep(wait)

        def end() -> None:
            if timeout > 0:
                self.server.stop(code)  # as a graceful shut-down of that length at most
                time.sleep(timeout)
            os._exit(code)

        threading.Timer(0.05, end).start()  # the answer goes out first
        return Response("")

    def _shutdown(self, request: Request) -> Response:
        threading.Timer(0.05, os._exit, (0,)).start()
        return Response("")


def serve(args: list[str]) -> Server:
    """A server that listens already. OSError when a port is taken, ValueError for wrong options."""
    chosen = options(args, DEFAULTS)
    server = Server()
    server.delay = float(chosen["delay-shutdown"])
    netexec = NetExec(server, override=chosen["http-override"])

    def on_term() -> None:
        netexec.terminating = True

    server.on_term = on_term
    server.http(int(chosen["http-port"]), netexec.http)
    if int(chosen["udp-port"]) >= 0:
        server.udp(int(chosen["udp-port"]), netexec.udp)
    for name in ("sctp-port", "tls-cert-file"):
        if chosen[name] not in ("", "-1"):
            say(f"--{name}: not available in a lab, ignored")
    return server


def main(args: list[str]) -> int:
    """Serves until SIGTERM; 1 when a port is taken, 2 when the options are wrong."""
    try:
        server = serve(args)
    except ValueError as error:
        say(f"error: {error}")
        return 2
    except OSError as error:
        say(f"error: cannot listen: {(error.strerror or str(error)).lower()}")
        return 1
    ports = ", ".join(str(port) for port in server.ports())
    return run_until_term(server, f"Started HTTP server on port {ports}")
