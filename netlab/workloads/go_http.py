"""What Go's net/http adds to the answers of images that are written in Go."""

from __future__ import annotations

import json
import posixpath
import re

from netlab.workloads.http import REASONS, Request, Response

TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
_TAGS = (b"!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P")
_MARKUP = re.compile(rb"[\t\n\x0c\r ]*<(?:!--|(?:" + _TAGS + rb")[ >])", re.IGNORECASE)
_XML = re.compile(rb"[\t\n\x0c\r ]*<\?xml")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def sniffed(body: bytes) -> str:
    """The Content-Type that a Go server gives to a body without one (of the WHATWG's sniffing, the texts)."""
    start = body[:512]
    if _MARKUP.match(start):
        return HTML
    if _XML.match(start):
        return "text/xml; charset=utf-8"
    return "application/octet-stream" if _BINARY.search(start) else TEXT


def written(text: str, code: int = 200) -> Response:
    """The answer of a handler that writes a text and says nothing of its type."""
    body = text.encode(errors="surrogateescape")
    return Response(body, code, sniffed(body) if body else "")


def error(text: str, code: int) -> Response:
    """The answer of http.Error: the text in a line."""
    return Response(f"{text}\n", code, TEXT, (("X-Content-Type-Options", "nosniff"),))


def redirect(request: Request, location: str, code: int) -> Response:
    """The answer of http.Redirect: a relative location is made one of the server's paths, browsers get a page."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", location):
        if not location.startswith("/"):
            location = posixpath.dirname(request.path).rstrip("/") + "/" + location
        path, mark, query = location.partition("?")
        slash = "/" if path.endswith("/") and posixpath.normpath(path) != "/" else ""
        location = "/" + posixpath.normpath(path).lstrip("/") + slash + mark + query
    reads = request.method in ("GET", "HEAD")
    page = f'<a href="{escape(location)}">{REASONS.get(code, "")}</a>.\n\n' if request.method == "GET" else ""
    return Response(page, code, HTML if reads else "", (("Location", location),))


def dumps(found: object) -> str:
    """JSON as Go writes a map: no spaces, keys sorted, the characters of markup escaped."""
    text = json.dumps(found, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def escape(text: str) -> str:
    """A text in a page."""
    return (text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
            .replace("'", "&#39;"))
