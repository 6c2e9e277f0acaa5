"""Web servers that give files and no more: the image httpd, busybox httpd, agnhost test-webserver."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from netlab.workloads import static_files
from netlab.workloads.default_pages import APACHE_ROOT
from netlab.workloads.http import Request, Response
from netlab.workloads.identity import identity
from netlab.workloads.nginx_variables import local_time
from netlab.workloads.options import options
from netlab.workloads.program import serve
from netlab.workloads.serving import say

APACHE_VERSION = "2.4.62"
APACHE_NAME = "Apache/{} (Unix)"
APACHE_METHODS = "GET,POST,OPTIONS,HEAD,TRACE"
REDIRECTED, NOT_FOUND, FORBIDDEN, NOT_ALLOWED = 301, 404, 403, 405


@dataclass(frozen=True)
class Style:
    """How a server words its errors, what it calls itself, and whether it shows directories."""

    error: Callable[[int, Request], Response]
    server: str = ""
    listing: bool = False
    methods: tuple[str, ...] = ("GET", "HEAD")


def _apache_error(code: int, request: Request) -> Response:
    target = html.escape(f"http://{request.header('host')}{request.path}/")
    title, text = {
        REDIRECTED: ("Moved Permanently", f'The document has moved <a href="{target}">here</a>.'),
        FORBIDDEN: ("Forbidden", "You don't have permission to access this resource."),
        NOT_ALLOWED: ("Method Not Allowed", f"The requested method {html.escape(request.method)} is not allowed for "
                                            "this URL."),
    }.get(code, ("Not Found", "The requested URL was not found on this server."))
    return Response(f'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>{code} {title}</title>\n'
                    f"</head><body>\n<h1>{title}</h1>\n<p>{text}</p>\n</body></html>\n", code,
                    "text/html; charset=iso-8859-1", (("Allow", APACHE_METHODS),) if code == NOT_ALLOWED else ())


def _busybox_error(code: int, request: Request) -> Response:
    title, text = {REDIRECTED: ("Found", "Directories have a slash at their end"),
                   NOT_ALLOWED: ("Not Implemented", "The requested method is not recognized")}.get(
        code, ("Not Found", "The requested URL was not found"))
    shown = {NOT_ALLOWED: 501, FORBIDDEN: NOT_FOUND}.get(code, code)
    return Response(f"<HTML><HEAD><TITLE>{shown} {title}</TITLE></HEAD>\n<BODY><H1>{shown} {title}</H1>\n{text}\n"
                    "</BODY></HTML>\n", shown, "text/html")


def _go_error(code: int, request: Request) -> Response:
    return Response("404 page not found\n" if code == NOT_FOUND else "", code)


APACHE = Style(_apache_error, APACHE_NAME.format(APACHE_VERSION), listing=True, methods=("GET", "HEAD", "POST"))
BUSYBOX = Style(_busybox_error)
GO = Style(_go_error, listing=True)


def answer(request: Request, root: str, style: Style) -> Response:
    """A file below `root`, a directory's first page or its list, or the server's error."""
    response = _answer(request, root, style)
    return replace(response, headers=(*response.headers, ("Server", style.server))) if style.server else response


def _answer(request: Request, root: str, style: Style) -> Response:
    if request.method == "OPTIONS" and "POST" in style.methods:
        return Response("", 200, "text/html", (("Allow", APACHE_METHODS),))
    if request.method not in style.methods:
        return style.error(NOT_ALLOWED, request)
    found = static_files.find(root, request.path)
    if found.path is None:
        return style.error(NOT_FOUND, request)
    file = found.path
    if found.is_directory:
        if not request.path.endswith("/"):
            host = f"http://{request.header('host')}" if style.server else ""  # Apache's are whole
            return replace(style.error(REDIRECTED, request), headers=(("Location", f"{host}{request.path}/"),))
        first = static_files.first_file(file, ("index.html",))
        if first is None:
            return _listing(request.path, file) if style.listing else style.error(NOT_FOUND, request)
        file = first
    try:
        return static_files.give(request, file, default_type="text/plain")
    except OSError:
        return style.error(FORBIDDEN, request)


def _listing(path: str, directory: os.PathLike[str]) -> Response:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in os.scandir(directory))
    rows = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
    return Response(f"<html>\n<head><title>Index of {path}</title></head>\n<body>\n<pre>\n{rows}</pre>\n</body>\n"
                    "</html>\n", content_type="text/html")


def main(args: list[str]) -> int:
    """The image httpd: /usr/local/apache2/htdocs on port 80; -v says which version it is, -t that all is well."""
    chosen = options([word for word in args if not word.startswith("-D")],
                     {"default-port": "80", "v": "false", "V": "false", "t": "false"})
    tag = identity().tag
    version = tag if re.match(r"2\.\d+\.\d+", tag) else APACHE_VERSION
    name = APACHE_NAME.format(version.partition("-")[0])
    if chosen.flag("v") or chosen.flag("V"):
        say(f"Server version: {name}")
        return 0
    if chosen.flag("t"):
        say("Syntax OK")
        return 0
    style = replace(APACHE, server=name)

    def respond(request: Request) -> Response:
        response = answer(request, APACHE_ROOT, style)
        say(f'{request.client[0]} - - [{local_time()}] "{request.method} {request.target} {request.version}" '
            f"{response.code} {len(response.body)}")
        return response

    return serve([int(chosen["default-port"])], respond,
                 greeting=f"[mpm_event:notice] AH00489: {name} configured -- resuming normal operations")


def main_busybox(args: list[str]) -> int:
    """`httpd [-f] [-p [ADDRESS:]PORT] [-h DIRECTORY]`; without -f in the background, as busybox's does.

    With -D it is Apache's, and where the image httpd is asked for its version.
    """
    asks = args and set(args) <= {"-v", "-V", "-t"} and os.path.isdir(APACHE_ROOT)
    if asks or any(word.startswith("-D") for word in args):
        return main(args)
    chosen = options([_apart(word) for word in args], {"f": "false", "v": "false", "vv": "false", "i": "false",
                                                       "p": "80", "h": "."})
    root, port = os.path.abspath(chosen["h"]), int(chosen["p"].rpartition(":")[2])
    if not os.path.isdir(root):
        say(f"httpd: can't change directory to '{chosen['h']}': No such file or directory")
        return 1
    if not chosen.flag("f") and not _detach():
        return 0

    def respond(request: Request) -> Response:
        response = answer(request, root, BUSYBOX)
        if chosen.flag("v") or chosen.flag("vv"):
            say(f"{request.client[0]}: response:{response.code}")
        return response

    return serve([port], respond)


def _apart(word: str) -> str:
    """`-p8080` as `-p=8080`; flags in one word, such as -fv, count as the first of them."""
    if word[:2] in ("-p", "-h") and len(word) > 2 and word[2] != "=":
        return f"{word[:2]}={word[2:]}"
    return "-f" if word[:1] == "-" and "f" in word and set(word[1:]) <= set("fvi") else word


def _detach() -> bool:
    """Whether this is the process in the background."""
    if os.fork():
        return False
    os.setsid()
    return True


def main_test_webserver(args: list[str]) -> int:
    """agnhost test-webserver: the container's files on --port (80)."""
    port = int(options(args, {"port": "80"})["port"])
    return serve([port], lambda request: answer(request, "/", GO))
