"""The pages that nginx makes itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from netlab.workloads.default_pages import NGINX_ERROR, NGINX_VERSION
from netlab.workloads.http import KEEPS, REASONS, Response

SERVER = ("Server", f"nginx/{NGINX_VERSION}")
TITLES = {302: "Moved Temporarily", 405: "Not Allowed", 408: "Request Time-out", 413: "Request Entity Too Large",
          503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}  # in nginx's own words
TITLED = {302: "302 Found"}  # the page has another title than the status line


def error_page(code: int) -> Response:
    """nginx's page for a status."""
    title = TITLED.get(code) or f"{code} {TITLES.get(code, REASONS.get(code, ''))}".rstrip()
    return Response(NGINX_ERROR.format(title=title, version=NGINX_VERSION), code, "text/html", (SERVER,))


def version(tag: str) -> str:
    """The version of the image nginx with that tag: of `1.14` the first, where the tag says nothing a late one."""
    match = re.match(r"1\.\d+(\.\d+)?(?![\d.])", tag)
    return NGINX_VERSION if not match else match[0] if match[1] else f"{match[0]}.0"


def signed(response: Response, version: str) -> Response:
    """The response as that version of nginx sends it: its status line, its name, the connection kept open."""
    body = response.body
    if version != NGINX_VERSION and response.code >= 300 and isinstance(body, str):
        body = body.replace(f"<center>nginx/{NGINX_VERSION}<", f"<center>nginx/{version}<")
    headers = [("Server", f"nginx/{version}") if header == SERVER else header for header in response.headers]
    return replace(response, body=body, reason=TITLES.get(response.code, ""),
                   headers=(*headers, *(() if response.closes else (KEEPS,))))


def listing(uri: str, directory: Path) -> Response:
    """What `autoindex on` shows of a directory."""
    names = sorted(entry.name + "/" * entry.is_dir() for entry in directory.iterdir() if entry.name[:1] != ".")
    rows = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
    return Response(f"<html>\n<head><title>Index of {uri}</title></head>\n<body>\n<h1>Index of {uri}</h1><hr><pre>"
                    f'<a href="../">../</a>\n{rows}</pre><hr></body>\n</html>\n', 200, "text/html", (SERVER,))
