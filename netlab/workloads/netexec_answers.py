"""What agnhost netexec answers: who it is, what it saw, what others say to it and what commands print."""

from __future__ import annotations

import json
import os
import posixpath
import re
import signal
import socket
import subprocess
import threading
import time
from urllib.parse import parse_qs

from netlab.model.family import with_port
from netlab.workloads import dial, go_http
from netlab.workloads.go_http import dumps, written
from netlab.workloads.http import Request, Response
from netlab.workloads.options import DURATION, seconds
from netlab.workloads.program import go_header_lists, log
from netlab.workloads.serving import Server

UPLOADS = "/uploads"


class NetExec:
    """The server's answers; `ready` and `terminating` are what /readyz tells."""

    def __init__(self, server: Server, *, override: str = "") -> None:
        self.server = server
        self.ready = False  # until a UDP or SCTP server runs
        self.terminating = False
        self._started = time.monotonic()
        self._override = override
        self._routes = {
            "/": self._now, "/clientip": self._clientip, "/dial": self._dial, "/echo": self._echo,
            "/exit": self._exit, "/healthz": self._healthz, "/readyz": self._readyz, "/hostname": self._hostname,
            "/hostName": self._hostname, "/shell": self._shell, "/header": self._header,
            "/redirect": self._redirect, "/shutdown": self._shutdown, "/upload": self._upload,
            "/serverport": self._serverport,
        }

    def http(self, request: Request) -> Response:
        """The answer to a request; a path that it does not have is the root's."""
        if self._override:
            request = Request("GET", self._override, request.version, ())
        log(f"{request.method} {request.target}")
        clean = cleaned(request.path)
        if clean != request.path:
            query = f"?{request.raw_query}" if request.raw_query else ""
            return go_http.redirect(request, clean + query, 301)
        return self._routes.get(request.path, self._now)(request)

    def udp(self, data: bytes, client: tuple[str, int], local: tuple[str, int]) -> bytes:
        """The answer to a datagram: hostname, echo MESSAGE, clientip; nothing to anything else."""
        text = data.decode(errors="replace").strip().lower()
        if text == "hostname":
            return socket.gethostname().encode()
        if text == "clientip":
            return with_port(*client).encode()
        if text.startswith("echo "):
            return text.partition(" ")[2].encode()
        if text:
            log(f"Unknown UDP command received from {with_port(*client)}: {text}")
        return b""

    def association(self, connection: socket.socket) -> None:
        """Answers the one command of an SCTP association."""
        client = connection.getpeername()
        connection.sendall(self.udp(connection.recv(1024), client, connection.getsockname()))

    def _now(self, request: Request) -> Response:
        now = time.time_ns()
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now // 10**9))
        up = time.monotonic() - self._started
        return written(f"NOW: {moment}.{now % 10**9:09} +0000 UTC m=+{up:.9f}")

    def _clientip(self, request: Request) -> Response:
        return written(with_port(*request.client) if request.client[0] else "")

    def _serverport(self, request: Request) -> Response:
        return written(str(request.local[1]))

    def _hostname(self, request: Request) -> Response:
        return written(socket.gethostname())

    def _echo(self, request: Request) -> Response:
        code = form(request, "code")
        return written(form(request, "msg"), int(code or 200)) if number(code) else written(no_number(code))

    def _header(self, request: Request) -> Response:
        key = form(request, "key")
        return written(request.header(key) if key else dumps(go_header_lists(request)))

    def _redirect(self, request: Request) -> Response:
        code = form(request, "code")
        if not number(code):
            return written(no_number(code))
        return go_http.redirect(request, form(request, "location"), int(code or 302))

    def _healthz(self, request: Request) -> Response:
        return written("", 200 if self.ready else 412)

    def _readyz(self, request: Request) -> Response:
        if self.terminating:
            return written("shutting down", 503)
        return written("ok") if self.ready else written("", 412)

    def _dial(self, request: Request) -> Response:
        tries = request.query("tries") or "1"
        if not re.fullmatch(r"[+-]?\d+", tries):
            text = f"strconv.Atoi: parsing {json.dumps(tries)}: invalid syntax"
            return go_http.error(f"tries parameter is invalid. {text}", 400)
        if not request.query("request"):
            return go_http.error("request parameter not specified. <nil>", 400)
        try:
            result = dial.dial(request.query("host"), request.query("port"), request.query("request"),
                               tries=int(tries), protocol=(request.query("protocol") or "http").lower())
        except ValueError as error:
            return go_http.error(str(error), 400)
        return written(dumps(result.found), 200 if result.last_ok else 417)

    def _shell(self, request: Request) -> Response:
        command = form(request, "shellCommand") or form(request, "cmd")
        done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        result = {"output": done.stdout.decode(errors="replace")} if done.stdout else {}
        if done.returncode:
            result["error"] = ended(done.returncode)
        return written(dumps(result), 417 if done.returncode else 200)

    def _upload(self, request: Request) -> Response:
        content = uploaded(request)
        if content is None:
            return written(dumps({"error": "Unable to upload file."}))
        try:
            os.makedirs(UPLOADS, exist_ok=True)
            name = f"{UPLOADS}/upload{os.urandom(5).hex()}"
            with open(name, "xb") as file:
                file.write(content)
            os.chmod(name, 0o700)
        except OSError:
            return written(dumps({"error": "Unable to open file for write"}))
        return written(dumps({"output": name}), 201)

    def _exit(self, request: Request) -> Response:
        given = {name: form(request, name) for name in ("timeout", "wait", "code")}
        for name in ("timeout", "wait"):
            if given[name] and not DURATION.fullmatch(given[name]):
                wrong = json.dumps(given[name])
                return written(f"argument '{name}' must be a valid golang duration or empty, got {wrong}\n")
        if not number(given["code"]):
            return written(f"argument 'code' must be an integer [0-127] or empty, got {json.dumps(given['code'])}\n")
        code, timeout = int(given["code"] or 0), seconds(given["timeout"])
        log(f"Will begin shutdown in {given['wait'] or '0s'}, allowing {given['timeout'] or '0s'} "
            f"for connections to close, then will exit with {code}")
        time.sleep(max(0.0, seconds(given["wait"])))
        if timeout <= 0:
            os._exit(code)  # who asked sees the connection end

        def end() -> None:
            self.server.stop(code)
            time.sleep(timeout)
            os._exit(code)

        threading.Thread(target=end, daemon=True).start()
        return written("")

    def _shutdown(self, request: Request) -> Response:
        os._exit(0)


def cleaned(path: str) -> str:
    """The path without doubled slashes and dots, as Go's router wants it."""
    clean = "/" + posixpath.normpath(path).lstrip("/")
    return clean + ("/" if path.endswith("/") and clean != "/" else "")


def number(text: str) -> bool:
    """Whether a parameter is a whole number, or absent."""
    return not text or re.fullmatch(r"[+-]?\d+", text) is not None


def no_number(code: str) -> str:
    """What is said to a code that is none."""
    return f"argument 'code' must be an integer or empty, got {json.dumps(code)}\n"


def ended(code: int) -> str:
    """How a command ended, as Go says it; `code` is negative for a signal."""
    return f"exit status {code}" if code > 0 else f"signal: {signal.strsignal(-code) or -code}".lower()


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
