"""agnhost netexec: an HTTP and UDP server that says who it is, dials others and runs commands."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import time
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qs

from netlab.model.family import with_port
from netlab.workloads import dial
from netlab.workloads.http import REASONS, Request, Response
from netlab.workloads.options import options
from netlab.workloads.program import log, stamp
from netlab.workloads.serving import Server, run_until_term, say

DEFAULTS = {"http-port": "8080", "udp-port": "8081", "sctp-port": "-1", "http-override": "", "delay-shutdown": "0",
            "tls-cert-file": "", "tls-private-key-file": "", "udp-listen-addresses": ""}
UPLOADS = "/uploads"


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
            "/redirect": self._redirect, "/shutdown": self._shutdown, "/upload": self._upload,
            "/serverport": self._serverport,
        }

    def http(self, request: Request) -> Response:
        """The answer to a request; 404 for a path that it does not have."""
        if self._override:
            request = replace(request, method="GET", target=self._override)
        log(f"{request.method} {request.target}")
        route = self._routes.get(request.path)
        return route(request) if route else Response("404 page not found\n", 404)

    def udp(self, data: bytes, client: tuple[str, int], local: tuple[str, int]) -> bytes:
        """The answer to a datagram: hostname, echo MESSAGE, clientip."""
        command, _, rest = data.decode(errors="replace").strip().lower().partition(" ")
        if command == "hostname":
            return socket.gethostname().encode()
        if command == "echo":
            return rest.encode()
        return f"{with_port(*client)}".encode() if command == "clientip" else b""

    def association(self, connection: socket.socket) -> None:
        """Answers the one command of an SCTP association."""
        client = connection.getpeername()
        connection.sendall(self.udp(connection.recv(1024), client, connection.getsockname()))

    def _now(self, request: Request) -> Response:
        return Response(f"NOW: {datetime.now().astimezone().isoformat(sep=' ')}")

    def _clientip(self, request: Request) -> Response:
        return Response(f"{with_port(*request.client)}")

    def _serverport(self, request: Request) -> Response:
        return Response(str(request.local[1]))

    def _hostname(self, request: Request) -> Response:
        return Response(socket.gethostname())

    def _echo(self, request: Request) -> Response:
        code = form(request, "code")
        if code and not code.isdigit():
            return Response(f"argument 'code' must be an integer or empty, got {json.dumps(code)}\n")
        return Response(form(request, "msg"), int(code or 200))

    def _header(self, request: Request) -> Response:
        return Response(request.header(request.query("key")))

    def _redirect(self, request: Request) -> Response:
        code, target = int(form(request, "code") or 302), form(request, "location")
        words = REASONS.get(code, "")
        return Response(f'<a href="{escape(target)}">{words}</a>.\n\n' if request.method == "GET" else "", code,
                        "text/html; charset=utf-8", (("Location", target),))

    def _healthz(self, request: Request) -> Response:
        return Response("", 200 if self.ready else 412)

    def _readyz(self, request: Request) -> Response:
        return Response("", 503 if self.terminating else 200 if self.ready else 412)

    def _dial(self, request: Request) -> Response:
        host, port, tries = request.query("host"), request.query("port"), request.query("tries") or "1"
        if not tries.isdigit():
            text = f'strconv.Atoi: parsing {json.dumps(tries)}: invalid syntax'
            return Response(f"tries parameter is invalid. {text}\n", 400)
        if not request.query("request"):
            return Response("request parameter not specified. <nil>\n", 400)
        if not port.isdigit():
            return Response(f"host and/or port param are invalid. lookup tcp/{port}: unknown port\n", 400)
        try:
            result = dial.dial(host, int(port), request.query("request"), tries=int(tries),
                               protocol=(request.query("protocol") or "http").lower())
        except ValueError as error:
            return Response(f"{error}\n", 400)
        return Response(dumps(result.found), 200 if result.last_ok else 417)

    def _shell(self, request: Request) -> Response:
        command = form(request, "shellCommand") or form(request, "cmd")
        done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        result = {"output": done.stdout.decode(errors="replace")} if done.stdout else {}
        if done.returncode:
            result["error"] = f"exit status {done.returncode}"
        return Response(dumps(result), 417 if done.returncode else 200)

    def _upload(self, request: Request) -> Response:
        content = uploaded(request)
        if content is None:
            return Response(dumps({"error": "Unable to upload file."}))
        try:
            os.makedirs(UPLOADS, exist_ok=True)
            name = f"{UPLOADS}/upload{os.urandom(5).hex()}"
            with open(name, "xb") as file:
                file.write(content)
            os.chmod(name, 0o700)
        except OSError:
            return Response(dumps({"error": "Unable to open file for write"}))
        return Response(dumps({"output": name}), 201)

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


def form(request: Request, name: str) -> str:
    """A parameter: of the query, or of a form in the body."""
    if request.header("content-type").startswith("application/x-www-form-urlencoded"):
        given = parse_qs(request.body.decode(errors="replace")).get(name)
        if given:
            return given[0]
    return request.query(name)


def uploaded(request: Request) -> bytes | None:
    """The content of the field `file` of a multipart form (RFC 7578), None when there is none."""
    kind, _, rest = request.header("content-type").partition("boundary=")
    boundary = rest.partition(";")[0].strip('"')
    if not kind.startswith("multipart/form-data") or not boundary or len(request.body) < request.body_length:
        return None
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())[1:]:
        head, mark, content = part.partition(b"\r\n\r\n")
        if mark and re.search(rb'name="?file"?(;|\r|$)', head):
            return content
    return None


def dumps(found: object) -> str:
    """JSON as Go writes it: no spaces, keys sorted, the characters of markup escaped."""
    text = json.dumps(found, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def escape(text: str) -> str:
    """A text in a page."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")


def serve(args: list[str]) -> Server:
    """A server that listens already. OSError when a port is taken, ValueError for wrong options."""
    chosen = options(args, DEFAULTS)
    server = Server()
    server.delay = float(chosen["delay-shutdown"])
    netexec = NetExec(server, override=chosen["http-override"])

    def on_term() -> None:
        netexec.terminating = True

    server.on_term = on_term
    tls = None
    if chosen["tls-cert-file"]:
        from netlab.workloads.certificates import server_side

        tls = server_side(chosen["tls-cert-file"], chosen["tls-private-key-file"])
    server.http(int(chosen["http-port"]), netexec.http, tls=tls)
    if int(chosen["udp-port"]) >= 0:
        for address in dict.fromkeys(chosen["udp-listen-addresses"].split(",")):
            server.udp(int(chosen["udp-port"]), netexec.udp, address)
        log(f"Started UDP server on port  {chosen['udp-port']}")
    if int(chosen["sctp-port"]) >= 0:
        try:
            server.sctp(int(chosen["sctp-port"]), netexec.association)
            log("Started SCTP server")
        except OSError as error:  # the others go on: manifests ask for it where only few tests use it
            log(f"--sctp-port: this kernel has no SCTP ({error.strerror})")
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
    return run_until_term(server, f"{stamp()} Started HTTP server on port {ports}")
