"""Images that echo a request as text: Kubernetes' echoserver, kicbase/echo-server, nginxdemos/hello."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping

from netlab.model.family import with_port
from netlab.workloads.http import KEEPS, MONTHS, Request, Response
from netlab.workloads.identity import Identity, environment, identity
from netlab.workloads.options import options
from netlab.workloads.program import go_headers, serve
from netlab.workloads.serving import say


def echoserver(request: Request, me: Identity, env: Mapping[str, str]) -> Response:
    """registry.k8s.io/echoserver:1.10; it knows of its pod what the manifest puts into POD_NAME and the like.

    Tags to 1.4 have another form.
    """
    if re.fullmatch(r"1\.[0-4]", me.tag):
        return echoserver_before(request)
    pod = "\t-no pod information available-\n"
    if "POD_NAME" in env:
        rows = (("node name", "NODE_NAME"), ("pod name", "POD_NAME"), ("pod namespace", "POD_NAMESPACE"),
                ("pod IP", "POD_IP"))
        pod = "".join(f"\t{title}:\t{env.get(name, 'N/A')}\n" for title, name in rows)
    headers = "".join(f"\t{name.lower()}={value}\n" for name, value in
                      sorted(request.headers, key=lambda header: header[0].lower()))
    body = request.body.decode(errors="replace") or "-no body in request-"
    return Response(
        f"\n\nHostname: {me.pod}\n\nPod Information:\n{pod}\n"
        "Server values:\n\tserver_version=nginx: 1.13.3 - lua: 10008\n\n"
        f"Request Information:\n\tclient_address={request.client[0]}\n\tmethod={request.method}\n"
        f"\treal path={request.target}\n\tquery={request.raw_query}\n"
        f"\trequest_version={request.version.removeprefix('HTTP/')}\n\trequest_scheme=http\n"
        f"\trequest_uri=http://{_name(request)}:{request.local[1]}{request.target}\n\n"
        f"Request Headers:\n{headers}\nRequest Body:\n\t{body}\n\n",
        content_type="text/plain", headers=(("Server", "echoserver"), KEEPS))


def echoserver_before(request: Request) -> Response:
    """registry.k8s.io/echoserver:1.4, the form that the documentation's outputs have."""
    headers = "".join(f"{name.lower()}={value}\n" for name, value in
                      sorted(request.headers, key=lambda header: header[0].lower()))
    body = request.body.decode(errors="replace") or "-no body in request-"
    return Response(
        f"CLIENT VALUES:\nclient_address={request.client[0]}\ncommand={request.method}\nreal path={request.target}\n"
        f"query={request.raw_query or 'nil'}\nrequest_version={request.version.removeprefix('HTTP/')}\n"
        f"request_uri=http://{_name(request)}:{request.local[1]}{request.target}\n\n"
        "SERVER VALUES:\nserver_version=nginx: 1.10.0 - lua: 10001\n\n"
        f"HEADERS RECEIVED:\n{headers}BODY:\n{body}",
        content_type="text/plain", headers=(("Server", "nginx/1.10.0"), KEEPS))


def _name(request: Request) -> str:
    host = request.header("host")
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host


def kicbase(request: Request, me: Identity, env: Mapping[str, str]) -> Response:
    """kicbase/echo-server, which is jmalloc/echo-server."""
    lines = []
    wish = request.header("x-send-server-hostname") or env.get("SEND_SERVER_HOSTNAME", "")
    if wish.lower() != "false":
        lines += [f"Request served by {me.pod}", ""]
    lines += [f"{request.method} {request.target} HTTP/1.1", "", f"Host: {request.header('host')}",
              *(f"{name}: {value}" for name, value in go_headers(request))]
    text = "".join(f"{line}\n" for line in lines)
    if request.body:
        text += "\n" + request.body.decode(errors="replace")
    sent = tuple((name.removeprefix("SEND_HEADER_").replace("_", "-"), value) for name, value in env.items()
                 if name.startswith("SEND_HEADER_"))
    return Response(text, content_type="text/plain", headers=sent)


def nginx_hello(request: Request, me: Identity) -> Response:
    """nginxdemos/hello: a page, or lines where the tag is plain-text."""
    now = time.gmtime()
    date = f"{now.tm_mday:02}/{MONTHS[now.tm_mon - 1]}/{now.tm_year}:{time.strftime('%H:%M:%S', now)} +0000"
    facts = (("Server address", with_port(*request.local)), ("Server name", me.pod), ("Date", date),
             ("URI", request.target), ("Request ID", secrets.token_hex(16)))
    server = (("Server", "nginx/1.27.3"), ("Expires", "Thu, 01 Jan 1970 00:00:01 GMT"), ("Cache-Control", "no-cache"),
              KEEPS)
    if "plain-text" in me.tag:
        return Response("".join(f"{title}: {value}\n" for title, value in facts), content_type="text/plain",
                        headers=server)
    rows = "".join(f"<p><span>{title.replace(' ', '&nbsp;')}:</span> <span>{_escape(value)}</span></p>\n"
                   for title, value in facts)
    return Response(f"<!DOCTYPE html>\n<html>\n<head>\n<title>Hello World</title>\n</head>\n<body>\n"
                    f'<div class="info">\n{rows}</div>\n</body>\n</html>\n', content_type="text/html", headers=server)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def main_echoserver(args: list[str]) -> int:
    """Serves on PORT (8080)."""
    me, env = identity(), environment()
    port = int(env.get("PORT") or options(args, {"default-port": "8080"})["default-port"])
    return serve([port], lambda request: echoserver(request, me, env))


def main_kicbase(args: list[str]) -> int:
    """Serves on PORT (8080)."""
    me, env = identity(), environment()
    port = int(env.get("PORT") or options(args, {"default-port": "8080"})["default-port"])

    def respond(request: Request) -> Response:
        say(f"{with_port(*request.client)} | {request.method} {request.target}")
        return kicbase(request, me, env)

    return serve([port], respond, greeting=f"Echo server listening on port {port}.")


def main_nginx_hello(args: list[str]) -> int:
    """Serves on 80, or where the image says."""
    me = identity()
    port = int(os.environ.get("PORT") or options(args, {"default-port": "80"})["default-port"])
    return serve([port], lambda request: nginx_hello(request, me))
