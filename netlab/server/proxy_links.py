"""Links of proxied pages: those that begin with "/" mean the backend's root, which is elsewhere for the client."""

from __future__ import annotations

import posixpath
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urlsplit, urlunsplit

from netlab.api.response import ProxyRequest

PAGE_LIMIT = 4 * 1024 * 1024  # bytes of a page whose links are rewritten; a longer one is passed on as it is
# The attributes that hold links (HTML 4.01, "Index of Attributes", of type %URI;).
_TAG = re.compile(rb"<[a-zA-Z][^<>]*>")
_ATTRIBUTE = re.compile(
    rb"""(\s(?:action|background|cite|classid|codebase|data|formaction|href|icon|longdesc|manifest|poster|profile|src|"""
    rb"""usemap)\s*=\s*)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


class Place:
    """Where the client sees a backend."""

    def __init__(self, wanted: ProxyRequest, client_host: str) -> None:
        self._prefix = wanted.prefix
        self._hosts = {wanted.host, f"{wanted.host}:{wanted.port}", client_host, ""}

    def rewrite(self, link: str) -> str:
        """The link as the client can use it; one that leads elsewhere, or is relative, stays."""
        try:
            url = urlsplit(link)
        except ValueError:
            return link
        if url.netloc not in self._hosts or not url.path.startswith("/") or url.path.startswith(self._prefix):
            return link
        path = posixpath.normpath(self._prefix + url.path) + ("/" if url.path.endswith("/") else "")
        return urlunsplit(("", "", path, url.query, url.fragment))

    def rewrite_page(self, page: bytes) -> bytes:
        """A page of HTML with all its links rewritten."""
        def replace(match: re.Match[bytes]) -> bytes:
            quote, link = (b'"', match[2]) if match[2] is not None else (b"'", match[3])
            return match[1] + quote + self.rewrite(link.decode("latin-1")).encode("latin-1", "replace") + quote

        return _TAG.sub(lambda tag: _ATTRIBUTE.sub(replace, tag[0]), page)


async def rewritten(body: AsyncGenerator[bytes, None], place: Place) -> AsyncGenerator[bytes, None]:
    """The page with its links rewritten, or as it comes when it is very long."""
    page = b""
    async with aclosing(body):
        async for piece in body:
            page += piece
            if len(page) > PAGE_LIMIT:
                break
        else:
            yield place.rewrite_page(page)
            return
        yield page
        async for piece in body:
            yield piece
