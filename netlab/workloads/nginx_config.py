"""nginx's configuration as values: servers, locations and what a request to each gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from netlab.workloads.default_pages import NGINX_SERVER
from netlab.workloads.nginx_syntax import ConfigError, Directive, parse

MAIN = "/etc/nginx/nginx.conf"
SERVERS = "/etc/nginx/conf.d"
UNSUPPORTED = ("fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "auth_basic", "auth_request", "sub_filter",
               "limit_req", "limit_conn", "mirror", "js_content", "perl", "content_by_lua_block", "if", "stream")
"""Directives that would change answers, and that the built-in server does not know: it says so."""

DEFAULT = NGINX_SERVER.format(port="80 default_server")
Files = Callable[[str], Iterable[tuple[str, str]]]
"""(name, text) of the files that match a pattern, sorted; none when none does."""


@dataclass(frozen=True)
class Settings:
    """What servers and locations inherit, and may change."""

    root: str = "/etc/nginx/html"
    index: tuple[str, ...] = ("index.html",)
    default_type: str = "text/plain"
    autoindex: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    proxy_headers: tuple[tuple[str, str], ...] = ()
    error_pages: tuple[tuple[int, str], ...] = ()
    access_log: bool = True
    proxy_timeout: float = 60.0


@dataclass(frozen=True)
class Location:
    """What is done with the requests of some paths. `kind` is "", "=", "^~", "~" or "~*"."""

    kind: str
    pattern: str
    settings: Settings
    returns: tuple[int, str] | None = None
    proxy: str = ""
    alias: str = ""
    try_files: tuple[str, ...] = ()
    rewrites: tuple[tuple[str, str, str], ...] = ()
    status: bool = False


@dataclass(frozen=True)
class Server:
    """A virtual server. `listen` are (port, whether it is the default server there, whether it speaks TLS)."""

    listen: tuple[tuple[int, bool, bool], ...]
    names: tuple[str, ...]
    root: Location
    locations: tuple[Location, ...] = ()
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True)
class Config:
    """All servers, the upstreams by name (addresses as written, those for an emergency apart), and warnings."""

    servers: tuple[Server, ...]
    upstreams: tuple[tuple[str, tuple[str, ...]], ...] = ()
    proxied: tuple[tuple[str, str], ...] = ()  # (host that must be known at the start, place)
    warnings: tuple[str, ...] = ()


def read(files: Files) -> Config:
    """The configuration in the container's files, or the image's own. ConfigError in nginx's words."""
    main = list(files(MAIN))
    text = main[0][1] if main else f"http {{ default_type application/octet-stream; include {SERVERS}/*.conf; }}"
    top = _expand(parse(text, MAIN), files)
    http = [one for one in top if one.name == "http"]
    if not main and not list(files(f"{SERVERS}/*.conf")):
        http = [Directive("http", (), parse(DEFAULT, f"{SERVERS}/default.conf"))]
    warnings = [f'"{one.name}" has no effect in netlab\'s nginx in {one.place}'
                for one in _walk(top) if one.name in UNSUPPORTED]
    return replace(_http(http), warnings=tuple(warnings))


def _expand(block: tuple[Directive, ...], files: Files) -> tuple[Directive, ...]:
    found: list[Directive] = []
    for one in block:
        if one.name == "include" and one.args:
            pattern = one.args[0] if one.args[0].startswith("/") else f"/etc/nginx/{one.args[0]}"
            if pattern.endswith(("mime.types", "_params")):
                continue  # known without being there
            included = list(files(pattern))
            if not included and "*" not in pattern:
                raise ConfigError(f'open() "{pattern}" failed (2: No such file or directory) in {one.place}')
            for name, text in included:
                found += _expand(parse(text, name), files)
        else:
            found.append(replace(one, block=_expand(one.block, files)))
    return tuple(found)


def _walk(block: Iterable[Directive]) -> Iterable[Directive]:
    for one in block:
        yield one
        yield from _walk(one.block)


def _http(parts: list[Directive]) -> Config:
    servers: list[Server] = []
    upstreams: dict[str, tuple[str, ...]] = {}
    for http in parts:
        settings = _settings(Settings(), http)
        for one in http.all("upstream"):
            members = [member for member in one.all("server") if "down" not in member.args]
            plain = [member.args[0] for member in members if "backup" not in member.args]
            if not members:
                raise ConfigError(f"no servers are inside upstream in {one.place}")
            upstreams[one.args[0]] = tuple(plain or [member.args[0] for member in members])
        servers += [_server(one, settings) for one in http.all("server")]
    proxied = [(_authority(one.args[0]), one.place) for http in parts for one in _walk(http.block)
               if one.name == "proxy_pass" and one.args and "$" not in one.args[0]]
    hosts = [(member, place) for host, place in proxied for member in upstreams.get(host, (host,))]
    return Config(tuple(servers), tuple(upstreams.items()), tuple(dict.fromkeys(hosts)))


def _authority(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _settings(above: Settings, block: Directive) -> Settings:
    """What holds in a block: lists are inherited only where it has none of its own, as in nginx."""
    found = above
    for one in block.block:
        match one.name, one.args:
            case "root", (path,):
                found = replace(found, root=path)
            case "index", names:
                found = replace(found, index=names)
            case "default_type", (kind,):
                found = replace(found, default_type=kind)
            case "autoindex", (word,):
                found = replace(found, autoindex=word == "on")
            case "access_log", (target, *_):
                found = replace(found, access_log=target != "off")
            case ("proxy_connect_timeout" | "proxy_read_timeout"), (span,):
                number = re.match(r"\d+", span)
                found = replace(found, proxy_timeout=float(number[0]) if number else 60.0)
    headers = tuple((one.args[0], one.args[1]) for one in block.all("add_header") if len(one.args) > 1)
    proxy_headers = tuple((one.args[0], one.args[1]) for one in block.all("proxy_set_header") if len(one.args) > 1)
    pages = tuple((int(code), one.args[-1]) for one in block.all("error_page") for code in one.args[:-1]
                  if code.isdigit())
    return replace(found, headers=headers or above.headers, proxy_headers=proxy_headers or above.proxy_headers,
                   error_pages=pages or above.error_pages)


def _server(block: Directive, above: Settings) -> Server:
    settings = _settings(above, block)
    listen = tuple(filter(None, (_listen(one) for one in block.all("listen"))))
    names = tuple(name for one in block.all("server_name") for name in one.args)
    locations = [_location(one, settings) for one in _walk_locations(block)]
    return Server(listen or ((80, False, False),), names or ("",), _actions("", "/", block, settings),
                  tuple(locations), block.first("ssl_certificate"), block.first("ssl_certificate_key"))


def _walk_locations(block: Directive) -> Iterable[Directive]:
    for one in block.all("location"):
        yield one
        yield from _walk_locations(one)


def _listen(one: Directive) -> tuple[int, bool, bool] | None:
    if one.args[0].startswith("unix:"):
        return None
    port = one.args[0].rpartition(":")[2]
    if not port.isdigit():
        port = "80"
    if not 0 < int(port) < 65536:
        raise ConfigError(f'invalid port in "{one.args[0]}" of the "listen" directive in {one.place}')
    return int(port), "default_server" in one.args or "default" in one.args, "ssl" in one.args


def _location(block: Directive, above: Settings) -> Location:
    kind, pattern = block.args if len(block.args) == 2 else ("", *block.args[:1])
    if kind not in ("", "=", "^~", "~", "~*"):
        raise ConfigError(f'invalid location modifier "{kind}" in {block.place}')
    if kind in ("~", "~*"):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f'pcre2_compile() failed: {error} in "{pattern}" in {block.place}') from None
    return _actions(kind, pattern, block, _settings(above, block))


def _actions(kind: str, pattern: str, block: Directive, settings: Settings) -> Location:
    returns: tuple[int, str] | None = None
    for one in block.all("return"):
        code = one.args[0] if one.args else ""
        if not code.isdigit() and len(one.args) != 1:
            raise ConfigError(f'invalid return code "{code}" in {one.place}')
        returns = (int(code), one.args[1] if len(one.args) > 1 else "") if code.isdigit() else (302, code)
        break
    for one in block.all("proxy_pass"):
        if not one.args[0].startswith(("http://", "https://")):
            raise ConfigError(f"invalid URL prefix in {one.place}")
    rewrites = tuple((one.args[0], one.args[1], one.args[2] if len(one.args) > 2 else "")
                     for one in block.all("rewrite") if len(one.args) > 1)
    tried = block.all("try_files")
    return Location(kind, pattern, settings, returns, block.first("proxy_pass"), block.first("alias"),
                    tried[-1].args if tried else (), rewrites, bool(block.all("stub_status")))


def choose_server(servers: Iterable[Server], port: int, host: str) -> Server | None:
    """The server for a Host header on a port: by name, then the default one, then the first."""
    here = [server for server in servers if any(port == one[0] for one in server.listen)]
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host
    name = name.lower()
    fitting = [(rank, index) for index, server in enumerate(here) for known in server.names
               if (rank := _name_rank(known, name))]
    if fitting:
        return here[min(fitting)[1]]
    return next((server for server in here if any(one[:2] == (port, True) for one in server.listen)),
                here[0] if here else None)


def _name_rank(known: str, name: str) -> int:
    """How well a server_name fits a name: 1 is best, 0 not at all."""
    if known.startswith("~"):
        return 4 if re.search(known[1:], name) else 0
    known = known.lower()
    if known == name:
        return 1
    if known.startswith("*.") and name.endswith(known[1:]):
        return 2
    return 3 if known.endswith(".*") and name.startswith(known[:-1]) else 0


def choose_location(server: Server, path: str) -> Location:
    """The location for a path: exact, then the longest prefix unless an expression fits (and no ^~ forbids it)."""
    best: Location | None = None
    for one in server.locations:
        if one.kind == "=" and one.pattern == path:
            return one
        if one.kind in ("", "^~") and path.startswith(one.pattern) and (
                best is None or len(one.pattern) > len(best.pattern)):
            best = one
    if best is None or best.kind != "^~":
        for one in server.locations:
            flags = re.IGNORECASE if one.kind == "~*" else 0
            if one.kind in ("~", "~*") and re.search(one.pattern, path, flags):
                return one
    return best or server.root
