"""The pages that nginx makes itself."""

from __future__ import annotations

from pathlib import Path

from netlab.workloads.default_pages import NGINX_ERROR, NGINX_VERSION
from netlab.workloads.http import REASONS, Response

SERVER = ("Server", f"nginx/{NGINX_VERSION}")
TITLES = {405: "Not Allowed", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


def error_page(code: int) -> Response:
    """nginx's page for a status."""
    title = f"{code} {TITLES.get(code, REASONS.get(code, ''))}".rstrip()
    return Response(NGINX_ERROR.format(title=title, version=NGINX_VERSION), code, "text/html", (SERVER,))


def listing(uri: str, directory: Path) -> Response:
    """What `autoindex on` shows of a directory."""
    names = sorted(entry.name + "/" * entry.is_dir() for entry in directory.iterdir() if entry.name[:1] != ".")
    rows = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
    return Response(f"<html>\n<head><title>Index of {uri}</title></head>\n<body>\n<h1>Index of {uri}</h1><hr><pre>"
                    f'<a href="../">../</a>\n{rows}</pre><hr></body>\n</html>\n', 200, "text/html", (SERVER,))
