"""What nginx answers to a request, by its configuration."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace

from netlab.workloads import static_files
from netlab.workloads.http import Request, Response
from netlab.workloads.identity import Identity
from netlab.workloads.nginx_config import Config, Location, Server, Settings, choose_location, choose_server
from netlab.workloads.nginx_pages import SERVER, error_page, listing, signed, version
from netlab.workloads.nginx_proxy import Proxy
from netlab.workloads.nginx_variables import Variables, local_time
from netlab.workloads.serving import say

REDIRECTS = (301, 302, 303, 307, 308)
DEPTH = 10  # internal redirects


class Nginx:
    """The answers of one configuration."""

    def __init__(self, config: Config, me: Identity) -> None:
        self.config, self.me = config, me
        self.version = version(me.tag)
        self._proxy = Proxy(config)
        self._requests = 0

    def answer(self, request: Request) -> Response:
        """The answer to a request, logged as the image logs."""
        self._requests += 1
        server = choose_server(self.config.servers, request.local[1], request.header("host"))
        if server is None:
            return error_page(404)
        secure = any(tls for port, _, tls in server.listen if port == request.local[1])
        variables = Variables(request, self.me, request.path, server.names[0], "https" if secure else "http")
        if request.version == "HTTP/1.1" and not request.header("host"):
            return error_page(400)
        response, settings = self._serve(server, variables, 0)
        if settings.access_log:
            say(access_line(request, response))
        return signed(response, self.version)

    def _serve(self, server: Server, variables: Variables, depth: int) -> tuple[Response, Settings]:
        if depth > DEPTH:
            self._tell(variables, "rewrite or internal redirection cycle")
            return error_page(500), server.root.settings
        if done := self._rewrite(server.root, variables):
            return done, server.root.settings
        location = server.root if server.root.returns else choose_location(server, variables.uri)
        before = variables.uri
        if location is not server.root:
            if done := self._rewrite(location, variables):
                return done, location.settings
            if variables.uri != before and any(flag != "break" for _, _, flag in location.rewrites):
                return self._serve(server, variables, depth + 1)
        response = self._act(server, location, variables, depth)
        page = dict(location.settings.error_pages).get(response.code, "")
        if page.startswith("/") and variables.uri != page and depth < DEPTH:
            variables.uri = page
            shown, _ = self._serve(server, variables, DEPTH)
            response = replace(shown, code=response.code) if shown.code == 200 else response
        return self._headed(location, variables, response), location.settings

    def _headed(self, location: Location, variables: Variables, response: Response) -> Response:
        added = tuple((name, variables.expand(value)) for name, value in location.settings.headers
                      if response.code < 400)
        return replace(response, headers=(*response.headers, *added)) if added else response

    def _rewrite(self, location: Location, variables: Variables) -> Response | None:
        for pattern, target, flag in location.rewrites:
            match = re.search(pattern, variables.uri)
            if not match:
                continue
            variables.captures = tuple(group or "" for group in match.groups())
            uri = variables.expand(target)
            if flag in ("redirect", "permanent") or uri.startswith(("http://", "https://")):
                return self._redirect(301 if flag == "permanent" else 302, uri)
            path, mark, query = uri.partition("?")
            variables.uri = path
            if mark:
                whole = "&".join(filter(None, (query, variables.request.raw_query)))
                variables.request = replace(variables.request, target=f"{path}?{whole}")
            if flag in ("last", "break"):
                break
        return None

    def _act(self, server: Server, location: Location, variables: Variables, depth: int) -> Response:
        if location.kind in ("~", "~*"):
            flags = re.IGNORECASE if location.kind == "~*" else 0
            if match := re.search(location.pattern, variables.uri, flags):
                variables.captures = tuple(group or "" for group in match.groups())
        if location.returns:
            code, text = location.returns
            if code in REDIRECTS:
                return self._redirect(code, variables.expand(text))
            if code == 444:
                return Response("", 400, headers=(("Connection", "close"),))
            if not text:
                return error_page(code) if code >= 300 else \
                    Response("", code, location.settings.default_type, (SERVER,))
            return Response(variables.expand(text), code, location.settings.default_type, (SERVER,))
        if location.status:
            return self._status()
        if location.proxy:
            return self._proxy.answer(location, variables, self._tell)
        if location.try_files:
            return self._try(server, location, variables, depth)
        return self._file(location, variables)

    @staticmethod
    def _redirect(code: int, target: str) -> Response:
        return replace(error_page(code), headers=(SERVER, ("Location", target)))

    def _status(self) -> Response:
        number = self._requests
        return Response(f"Active connections: 1 \nserver accepts handled requests\n {number} {number} {number} \n"
                        "Reading: 0 Writing: 1 Waiting: 0 \n", content_type="text/plain", headers=(SERVER,))

    def _try(self, server: Server, location: Location, variables: Variables, depth: int) -> Response:
        for name in location.try_files[:-1]:
            path = variables.expand(name)
            found = static_files.find(location.settings.root, path)
            if found.path and found.is_directory == path.endswith("/"):
                variables.uri = path
                return self._file(location, variables)
        last = variables.expand(location.try_files[-1])
        if last.startswith("="):
            return error_page(int(last[1:]) if last[1:].isdigit() else 404)
        variables.uri = last.partition("?")[0]
        return self._serve(server, variables, depth + 1)[0]

    def _file(self, location: Location, variables: Variables) -> Response:
        request, settings = variables.request, location.settings
        root, path = settings.root, variables.uri
        if location.alias:
            root, path = location.alias, "/" + path.removeprefix(location.pattern)
        shown = os.path.normpath(root.rstrip("/") + "/" + path.lstrip("/")) + ("/" if path.endswith("/") else "")
        if request.method not in ("GET", "HEAD"):
            return error_page(405)
        found = static_files.find(root, path)
        if found.path is None:
            self._tell(variables, f'open() "{shown}" failed (2: No such file or directory)')
            return error_page(404)
        file = found.path
        if found.is_directory:
            if not path.endswith("/"):
                host = request.header("host")
                return self._redirect(301, f"{variables.scheme}://{host}{path}/")
            first = static_files.first_file(file, settings.index)
            if first is None:
                if settings.autoindex:
                    return listing(variables.uri, file)
                self._tell(variables, f'directory index of "{shown}" is forbidden')
                return error_page(403)
            file = first
        try:
            return static_files.give(request, file, default_type=settings.default_type, headers=(SERVER,))
        except OSError as error:
            self._tell(variables, f'open() "{shown}" failed ({error.errno}: {error.strerror})')
            return error_page(403)

    def _tell(self, variables: Variables, text: str, *, upstream: str = "") -> None:
        request = variables.request
        moment = time.strftime("%Y/%m/%d %H:%M:%S")
        say(f'{moment} [error] {os.getpid()}#{os.getpid()}: *{self._requests} {text}, client: {request.client[0]}, '
            f'server: {variables.server_name}, request: "{request.method} {request.target} {request.version}"'
            + (f', upstream: "{upstream}"' if upstream else "") + f', host: "{request.header("host")}"')


def access_line(request: Request, response: Response) -> str:
    """A line of the access log, in the image's format "main"."""
    size = 0 if request.method == "HEAD" else len(response.body)
    agent, referer = request.header("user-agent", "-"), request.header("referer", "-")
    return (f'{request.client[0]} - - [{local_time()}] "{request.method} {request.target} {request.version}" '
            f'{response.code} {size} "{referer}" "{agent}" "{request.header("x-forwarded-for", "-")}"')
