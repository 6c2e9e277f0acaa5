"""nginx's proxy_pass: a request handed on to another server, or to those of an upstream in turn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from socket import gaierror

from netlab.workloads.http import Response
from netlab.workloads.http_client import Reply, fetch
from netlab.workloads.nginx_config import Config, Location
from netlab.workloads.nginx_pages import SERVER, error_page
from netlab.workloads.nginx_variables import Variables

NOT_PASSED = ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "content-type")
NOT_SENT = ("host", "connection", "keep-alive", "content-length", "transfer-encoding", "expect")
Tell = Callable[..., None]
"""(variables, what happened, upstream=URL) for the error log."""


class Proxy:
    """The upstreams with whose turn it is."""

    def __init__(self, config: Config) -> None:
        self._members = dict(config.upstreams)
        self._turns = {name: count() for name in self._members}

    def answer(self, location: Location, variables: Variables, tell: Tell) -> Response:
        """What the location's proxy_pass answers: the next server is asked where one does not (as
        proxy_next_upstream has it); 502 or 504 when none does.
        """
        scheme, _, rest = variables.expand(location.proxy).partition("://")
        authority, slash, path = rest.partition("/")
        target = _target(location, variables, f"/{path}" if slash else "")
        variables.proxy_host = authority
        members = self._members.get(authority, (authority,))
        start = next(self._turns[authority]) if authority in self._members else 0
        code = 502
        for turn in range(len(members)):
            member = members[(start + turn) % len(members)]
            host, port = host_port(member, 443 if scheme == "https" else 80)
            try:
                reply = fetch(host, port, target, method=variables.request.method, body=variables.request.body,
                              headers=_headers(location, variables), limit=location.settings.proxy_timeout)
                return _response(reply)
            except OSError as error:
                code, problem = _problem(error, host)
            tell(variables, f"{problem} while connecting to upstream", upstream=f"http://{member}{target}")
        return error_page(code)


def _target(location: Location, variables: Variables, path: str) -> str:
    """The path for the other server: that of proxy_pass takes the place of the location's (where it has one)."""
    query = f"?{variables.request.raw_query}" if variables.request.raw_query else ""
    if not path:
        return variables.request.target if variables.uri == variables.request.path else variables.uri + query
    if location.kind in ("~", "~*") or "$" in location.proxy:
        return path
    return path + variables.uri.removeprefix(location.pattern) + query


def _headers(location: Location, variables: Variables) -> tuple[tuple[str, str], ...]:
    given = {name.lower(): variables.expand(value) for name, value in location.settings.proxy_headers}
    kept = {name.lower(): value for name, value in variables.request.headers if name.lower() not in NOT_SENT}
    wanted = {"host": variables.proxy_host} | kept | given
    return tuple((name.title(), value) for name, value in wanted.items()
                 if value and name not in ("connection", "upgrade"))


def _response(reply: Reply) -> Response:
    passed = tuple(header for header in reply.headers if header[0].lower() not in NOT_PASSED)
    return Response(reply.body, reply.code, reply.header("content-type"), (SERVER, *passed))


def _problem(error: OSError, host: str) -> tuple[int, str]:
    if isinstance(error, TimeoutError):
        return 504, "upstream timed out (110: Connection timed out)"
    if isinstance(error, gaierror):
        return 502, f"{host} could not be resolved (3: Host not found)"
    return 502, f"connect() failed ({error.errno}: {error.strerror})" if error.errno else str(error)


def host_port(authority: str, default: int) -> tuple[str, int]:
    """The two parts of `HOST:PORT` or `HOST`."""
    host, colon, port = authority.rpartition(":")
    if colon and port.isdigit() and not authority.endswith("]"):
        return host.strip("[]"), int(port)
    return authority.strip("[]"), default
