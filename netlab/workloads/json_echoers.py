"""Images that answer in JSON: ealen/echo-server, mendhak/http-https-echo, jpetazzo/httpenv; and jpetazzo/color."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from netlab.model.family import with_port
from netlab.workloads.http import KEEPS, Request, Response
from netlab.workloads.identity import Identity, environment, identity
from netlab.workloads.options import options
from netlab.workloads.program import own_tls, serve
from netlab.workloads.serving import Server, run_until_term, say

CIRCLES = {"red": "🔴", "orange": "🟠", "yellow": "🟡", "green": "🟢", "blue": "🔵", "purple": "🟣", "brown": "🟤",
           "black": "⚫", "white": "⚪"}
LONGEST_WAIT = 60.0  # seconds


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


def _query(request: Request) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in request.queries().items()}


def _body(request: Request) -> Any:
    text, kind = request.body.decode(errors="replace"), request.header("content-type")
    if kind.startswith("application/json"):
        try:
            return json.loads(text)
        except ValueError:
            return {}
    if kind.startswith("application/x-www-form-urlencoded"):
        return {name: values[0] for name, values in parse_qs(text).items()}
    return text or {}


def _ipv4_mapped(address: str) -> str:
    return address if ":" in address else f"::ffff:{address}"


def _hostname(request: Request) -> str:
    host = request.header("host")
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host


def ealen(request: Request, env: Mapping[str, str]) -> Response:
    """ealen/echo-server; echo_body, echo_code, echo_header, echo_time, echo_env_body change its answer."""

    def wish(name: str) -> str:
        return request.query(name) or request.header("x-" + name.replace("_", "-"))

    if (wait := wish("echo_time")).isdigit():
        time.sleep(min(int(wait) / 1000, LONGEST_WAIT))
    first = wish("echo_code").split("-")[0]
    code = int(first) if first.isdigit() and 200 <= int(first) < 600 else 200
    sent = tuple((name.strip(), value.strip()) for name, _, value in
                 (pair.partition(":") for pair in wish("echo_header").split(",")) if value)
    sent += (KEEPS,)
    if body := wish("echo_body"):
        return Response(json.dumps(body), code, "application/json; charset=utf-8", sent)
    if name := wish("echo_env_body"):
        return Response(json.dumps(env.get(name, "")), code, "application/json; charset=utf-8", sent)
    found = {
        "host": {"hostname": _hostname(request), "ip": _ipv4_mapped(request.client[0]), "ips": []},
        "http": {"method": request.method, "baseUrl": "", "originalUrl": request.target, "protocol": "http"},
        "request": {"params": {"0": request.path}, "query": _query(request), "cookies": {}, "body": _body(request),
                    "headers": _headers(request)},
        "environment": dict(env),
    }
    return Response(json.dumps(found, separators=(",", ":")), code, "application/json; charset=utf-8", sent)


def mendhak(request: Request, me: Identity) -> Response:
    """mendhak/http-https-echo; x-set-response-status-code and x-set-response-delay-ms change its answer."""

    def wish(name: str) -> str:
        return request.header(name) or request.query(name)

    forwarded = [part.strip() for part in request.header("x-forwarded-for").split(",") if part.strip()]
    found: dict[str, Any] = {
        "path": request.path, "headers": _headers(request), "method": request.method,
        "body": request.body.decode(errors="replace"), "fresh": False, "hostname": _hostname(request),
        "ip": forwarded[0] if forwarded else _ipv4_mapped(request.client[0]), "ips": forwarded, "protocol": "http",
        "query": _query(request), "subdomains": [],
        "xhr": request.header("x-requested-with").lower() == "xmlhttprequest", "os": {"hostname": me.pod},
        "connection": {},
    }
    if request.header("content-type").startswith("application/json"):
        found["json"] = _body(request)
    if (wait := wish("x-set-response-delay-ms")).isdigit():
        time.sleep(min(int(wait) / 1000, LONGEST_WAIT))
    status = wish("x-set-response-status-code")
    code = int(status) if status.isdigit() and 200 <= int(status) < 600 else 200
    return Response(json.dumps(found, indent=2), code, "application/json; charset=utf-8",
                    (("X-Powered-By", "Express"), KEEPS))


def httpenv(request: Request, env: Mapping[str, str]) -> Response:
    """jpetazzo/httpenv: the environment."""
    return Response(json.dumps(dict(sorted(env.items())), separators=(",", ":")), content_type="text/plain")


def color(request: Request, me: Identity) -> Response:
    """jpetazzo/color: the first part of the pod's name is its colour."""
    hue = me.pod.partition("-")[0]
    circles = CIRCLES.get(me.namespace, "") + CIRCLES.get(hue, "")
    name = f"pod {me.namespace}/{me.pod}" if me.namespace else me.pod
    return Response(
        f'<!DOCTYPE html>\r<html>\r<body style="background: {me.namespace}; text-align: center;">\r'
        f'<div style="padding: 4em;"></div>\r<span style="padding: 4em; background: {hue};">\r'
        f'<span style="padding: 2px; background: white;">\r{circles}This is {name} on linux/{_architecture()}, '
        f"serving {request.target} for {with_port(*request.client)}.\n</span>\r</span>\r</body>\r</html>\r",
        content_type="text/html; charset=utf-8")


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def main_ealen(args: list[str]) -> int:
    """Serves on PORT or --port (80)."""
    env = environment()
    chosen = options(args, {"default-port": "80", "port": os.environ.get("PORT", "")})
    port = int(chosen["port"] or chosen["default-port"])

    def respond(request: Request) -> Response:
        said = {"name": "echo-server", "level": 30, "host": _headers(request).get("host", ""),
                "msg": f"[{request.method}] - http://{request.header('host')}{request.target}"}
        say(json.dumps(said))
        return ealen(request, env)

    return serve([port], respond, greeting=f"Listening on port {port}.")


def main_mendhak(args: list[str]) -> int:
    """Serves on HTTP_PORT (8080), and on HTTPS_PORT (8443) where a certificate can be had."""
    me = identity()
    port = int(os.environ.get("HTTP_PORT") or 8080)
    secure = int(os.environ.get("HTTPS_PORT") or 8443)

    def respond(request: Request) -> Response:
        response = mendhak(request, me)
        say(json.dumps(json.loads(response.body), indent=4))
        return response

    server = Server()
    server.http(port, respond)
    server.http(secure, respond, tls=own_tls())
    return run_until_term(server, f"Listening on ports {port} and {secure}")


def main_httpenv(args: list[str]) -> int:
    """Serves on 8888."""
    env = environment()
    port = int(options(args, {"default-port": "8888"})["default-port"])
    return serve([port], lambda request: httpenv(request, env))


def main_color(args: list[str]) -> int:
    """Serves on PORT (80)."""
    me = identity()
    port = int(os.environ.get("PORT") or options(args, {"default-port": "80"})["default-port"])

    def respond(request: Request) -> Response:
        agent = request.header("user-agent")
        say(f"{with_port(*request.client)} {request.method} {request.target} {request.version} [{agent}]")
        return color(request, me)

    return serve([port], respond,
                 greeting=f"Starting HTTP server (linux/{_architecture()}) listening on port {port}.")
