"""What an echo server's answer looks like: its own form, or that of a well-known demo image."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from netlab.model.family import with_port
from netlab.workloads.http import Request
from netlab.workloads.identity import Identity

Text = Callable[[Request, Identity, str], str]


@dataclass(frozen=True)
class Manner:
    """`text` makes the body from the request, the pod and the text that the container was given."""

    text: Text
    content_type: str = "text/plain; charset=utf-8"
    server: str = ""
    files_only: bool = False  # with a root: a path that names no file there is not found


def plain(request: Request, me: Identity, text: str) -> str:
    """One fact a line, easy to grep."""
    lines = [f"Pod: {me.pod}", f"Namespace: {me.namespace}", f"Node: {me.node}", f"Pod IP: {me.pod_ip}",
             f"Client: {with_port(*request.client)}", f"Server: {with_port(*request.local)}",
             f"Request: {request.method} {request.target} {request.version}",
             *(f"{name}: {value}" for name, value in request.headers)]
    if request.body_length:
        lines.append(f"Body: {request.body_length} bytes")
    return "".join(f"{line}\n" for line in ([text, *lines] if text else lines))


def _nginx(request: Request, me: Identity, text: str) -> str:
    return _page("Welcome to nginx!", "<h1>Welcome to nginx!</h1>", request, me)


def _nginx_hello(request: Request, me: Identity, text: str) -> str:
    date = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return (f"Server address: {with_port(*request.local)}\nServer name: {me.pod}\nDate: {date}\n"
            f"URI: {request.target}\nRequest ID: {secrets.token_hex(16)}\n")


def _httpd(request: Request, me: Identity, text: str) -> str:
    return _page("It works!", "<h1>It works!</h1>", request, me)


def _page(title: str, body: str, request: Request, me: Identity) -> str:
    escaped = plain(request, me, "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<!DOCTYPE html>\n<html>\n<head>\n<title>{title}</title>\n</head>\n<body>\n{body}\n" \
           f"<pre>\n{escaped}</pre>\n</body>\n</html>\n"


def _whoami(request: Request, me: Identity, text: str) -> str:
    lines = [f"Hostname: {me.pod}", "IP: 127.0.0.1", f"IP: {me.pod_ip}",
             f"RemoteAddr: {with_port(*request.client)}",
             f"{request.method} {request.target} {request.version}",
             *(f"{name}: {value}" for name, value in request.headers)]
    return "".join(f"{line}\n" for line in lines) + "\n"


def _hello_app(request: Request, me: Identity, text: str) -> str:
    return f"Hello, world!\nVersion: 1.0.0\nHostname: {me.pod}\n"


def _http_echo(request: Request, me: Identity, text: str) -> str:
    return (text or "hello-world") + "\n"


def _echoserver(request: Request, me: Identity, text: str) -> str:
    headers = "".join(f"\t{name.lower()}={value}\n" for name, value in sorted(request.headers))
    body = request.body.decode(errors="replace") or "-no body in request-"
    return (f"\n\nHostname: {me.pod}\n\nPod Information:\n\tnode name:\t{me.node}\n\tpod name:\t{me.pod}\n"
            f"\tpod namespace:\t{me.namespace}\n\tpod IP:\t{me.pod_ip}\n\nServer values:\n\tserver_version=netlab\n\n"
            f"Request Information:\n\tclient_address={request.client[0]}\n\tmethod={request.method}\n"
            f"\treal path={request.target}\n\tquery={request.target.partition('?')[2]}\n"
            f"\trequest_version={request.version.removeprefix('HTTP/')}\n\trequest_scheme=http\n"
            f"\trequest_uri=http://{request.header('host')}{request.target}\n\nRequest Headers:\n{headers}\n"
            f"Request Body:\n\t{body}\n\n")


def not_found(server: str) -> str:
    """The page for a path that there is not, of nginx as of others."""
    return "<html>\n<head><title>404 Not Found</title></head>\n<body>\n<center><h1>404 Not Found</h1></center>\n" \
           f"<hr><center>{server}</center>\n</body>\n</html>\n"


MANNERS = {
    "": Manner(plain), "nginx": Manner(_nginx, "text/html", "nginx", files_only=True),
    "httpd": Manner(_httpd, "text/html", "Apache", files_only=True),
    "nginx-hello": Manner(_nginx_hello, "text/plain", "nginx"),
    "whoami": Manner(_whoami), "hello-app": Manner(_hello_app), "http-echo": Manner(_http_echo),
    "echoserver": Manner(_echoserver),
}
