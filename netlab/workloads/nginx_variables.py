"""nginx's variables of a request, and texts with them."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass

from netlab.workloads.default_pages import NGINX_VERSION
from netlab.workloads.http import Request
from netlab.workloads.identity import Identity

_NAME = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass
class Variables:
    """The variables of one request; `uri` changes with rewrites, `captures` are those of the last expression."""

    request: Request
    me: Identity
    uri: str
    server_name: str = ""
    scheme: str = "http"
    captures: tuple[str, ...] = ()
    proxy_host: str = ""

    def expand(self, text: str) -> str:
        """The text with the variables' values; unknown ones are empty."""
        return _NAME.sub(lambda match: self.value(match[1] or match[2]), text) if "$" in text else text

    def value(self, name: str) -> str:
        """One variable (nginx.org, "Alphabetical index of variables")."""
        request = self.request
        if name.isdigit():
            return self.captures[int(name) - 1] if 0 < int(name) <= len(self.captures) else ""
        for prefix, find in (("http_", request.header), ("arg_", request.query), ("cookie_", self._cookie)):
            if name.startswith(prefix):
                return find(name.removeprefix(prefix).replace("_", "-") if prefix == "http_"
                            else name.removeprefix(prefix))
        return self._known().get(name, "")

    def _cookie(self, name: str) -> str:
        pairs = (part.strip().partition("=") for part in self.request.header("cookie").split(";"))
        return next((value for key, _, value in pairs if key == name), "")

    def _known(self) -> dict[str, str]:
        request = self.request
        host = request.header("host")
        plain = host.rpartition(":")[0] if ":" in host and host.rpartition(":")[2].isdigit() else host
        forwarded = request.header("x-forwarded-for")
        now = time.localtime()
        return {
            "host": plain or self.server_name, "hostname": self.me.pod, "remote_addr": request.client[0],
            "remote_port": str(request.client[1]), "server_addr": request.local[0],
            "server_port": str(request.local[1]), "server_name": self.server_name,
            "server_protocol": request.version, "request_method": request.method, "request_uri": request.target,
            "uri": self.uri, "document_uri": self.uri, "args": request.raw_query, "query_string": request.raw_query,
            "is_args": "?" if request.raw_query else "", "scheme": self.scheme,
            "request": f"{request.method} {request.target} {request.version}", "request_id": os.urandom(16).hex(),
            "request_body": request.body.decode(errors="replace"), "content_type": request.header("content-type"),
            "content_length": request.header("content-length"), "proxy_host": self.proxy_host,
            "proxy_add_x_forwarded_for": f"{forwarded}, {request.client[0]}" if forwarded else request.client[0],
            "nginx_version": NGINX_VERSION, "pid": "1", "time_iso8601": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", now),
            "time_local": local_time(), "msec": f"{time.time():.3f}", "connection": "1", "request_time": "0.000",
            "https": "on" if self.scheme == "https" else "", "dollar": "$",
        }


def local_time() -> str:
    """The moment as access logs write it."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
