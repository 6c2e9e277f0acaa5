"""Images of first lessons that greet: hello-app, node-hello, kubernetes-bootcamp, hello-go-gke, network-multitool."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from netlab.model.family import with_port
from netlab.workloads.http import KEEPS, Request, Response
from netlab.workloads.identity import Identity, identity
from netlab.workloads.options import options
from netlab.workloads.program import log, own_tls, serve, stamp
from netlab.workloads.serving import Server, run_until_term, say

MULTITOOL = (("HTTP_PORT", "80"), ("HTTPS_PORT", "443"))
Greet = Callable[[Request, Identity], Response]


def hello_app(request: Request, me: Identity) -> Response:
    """google-samples/hello-app: its version is its image's tag."""
    return Response(f"Hello, world!\nVersion: {_version(me.tag)}\nHostname: {me.pod}\n")


def _version(tag: str) -> str:
    return f"{tag}.0" if re.fullmatch(r"\d+\.\d+", tag) else "1.0.0"


def node_hello(request: Request, me: Identity) -> Response:
    """google-samples/node-hello."""
    return Response("Hello Kubernetes!", content_type="", headers=(KEEPS,))


def bootcamp(request: Request, me: Identity) -> Response:
    """google-samples/kubernetes-bootcamp: v=1, or v=2 where the tag is v2."""
    number = me.tag.removeprefix("v")
    return Response(f"Hello Kubernetes bootcamp! | Running on: {me.pod} | v={number if number.isdigit() else 1}\n",
                    content_type="text/plain", headers=(KEEPS,))


def kubia(request: Request, me: Identity) -> Response:
    """luksa/kubia, of the book; v2 and later say so."""
    version = f"This is {me.tag} running in pod {me.pod}\n" if re.fullmatch(r"v\d+", me.tag) else ""
    return Response(version or f"You've hit {me.pod}\n", content_type="", headers=(KEEPS,))


def hello_go(request: Request, me: Identity) -> Response:
    """google-samples/hello-go-gke: the backend of the tutorial on connecting a front end."""
    return Response('{"message":"Hello"}\n', content_type="application/json")


def multitool(request: Request, me: Identity) -> Response:
    """wbitt/network-multitool: a line that says whose it is."""
    http, https = (os.environ.get(name) or default for name, default in MULTITOOL)
    return Response(f"WBITT Network MultiTool (with NGINX) - {me.pod} - {me.pod_ip} - HTTP: {http} , HTTPS: {https} . "
                    "(Formerly praqma/network-multitool)\n", content_type="text/html", headers=(KEEPS,))


def main_multitool(args: list[str]) -> int:
    """Serves on HTTP_PORT (80) and, with TLS, on HTTPS_PORT (443)."""
    me = identity()
    server = Server()
    for (name, default), tls in zip(MULTITOOL, (None, own_tls()), strict=True):
        server.http(int(os.environ.get(name) or default), lambda request: multitool(request, me), tls=tls)
    return run_until_term(server)


def _run(args: list[str], greet: Greet, *, port: str, greeting: str, line: Callable[[Request], None]) -> int:
    me = identity()
    chosen = options(args, {"default-port": port})
    number = int(os.environ.get("PORT") or chosen["default-port"])

    def respond(request: Request) -> Response:
        line(request)
        return greet(request, me)

    return serve([number], respond, greeting=greeting.format(port=number, me=me))


def main_hello_app(args: list[str]) -> int:
    """Serves on PORT (8080)."""
    return _run(args, hello_app, port="8080", greeting=f"{stamp()} Server listening on port {{port}}",
                line=lambda request: log(f"Serving request: {request.path}"))


def main_node_hello(args: list[str]) -> int:
    """Serves on 8080."""
    return _run(args, node_hello, port="8080", greeting="",
                line=lambda request: say(f"Received request for URL: {request.target}"))


def main_bootcamp(args: list[str]) -> int:
    """Serves on 8080."""
    start, count = time.monotonic(), 0
    me = identity()
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())

    def line(request: Request) -> None:
        nonlocal count
        count += 1
        say(f"Running On: {me.pod} | Total Requests: {count} | App Uptime: {time.monotonic() - start:.3f} seconds "
            f"| Log Time: {time.strftime('%Y-%m-%dT%H:%M:%S.000Z', time.gmtime())}")

    return _run(args, bootcamp, port="8080", line=line,
                greeting=f"Kubernetes Bootcamp App Started At: {now} | Running On:  {{me.pod}} \n")


def main_kubia(args: list[str]) -> int:
    """Serves on 8080."""
    return _run(args, kubia, port="8080", greeting="Kubia server starting...",
                line=lambda request: say(f"Received request from {with_port(*request.client)}"))


def main_hello_go(args: list[str]) -> int:
    """Serves on 80."""
    return _run(args, hello_go, port="80", greeting=f"{stamp()} Server listening on port {{port}}",
                line=lambda request: log(f"{request.method} {request.path} {with_port(*request.client)}"))
