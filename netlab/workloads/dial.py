"""Requests to others, for netexec's /dial, with the errors that Go's network library tells."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from netlab.model.family import with_port
from netlab.workloads.http_client import Reply, fetch
from netlab.workloads.serving import IPPROTO_SCTP

LIMIT = 5.0  # seconds per request
HOPS = 10  # redirects that Go's client follows
KINDS = {"http": (socket.SOCK_STREAM, "tcp"), "udp": (socket.SOCK_DGRAM, "udp"), "sctp": (socket.SOCK_STREAM, "sctp")}


@dataclass(frozen=True)
class Dialled:
    """`found` has `responses` and `errors`, as netexec prints them; `last_ok` whether the last try got an answer."""

    found: dict[str, list[str]]
    last_ok: bool


def dial(host: str, port: str, request: str, *, protocol: str = "http", tries: int = 1) -> Dialled:
    """Asks `tries` times, each time on a new connection. ValueError for a protocol, host or port that there is not.

    As upstream's, it tells no responses when the last of the tries brought none.
    """
    if protocol not in KINDS:
        raise ValueError(f"unsupported protocol. {protocol}")
    address, number = resolve(host, port, protocol)
    responses: list[str] = []
    errors: list[str] = []
    last, last_ok = "", True
    for _ in range(tries):
        try:
            last, last_ok = ASKS[protocol](address, number, request), True
            responses.append(last)
        except OSError as error:
            last, last_ok = "", False
            errors.append(str(error))
    found = {"responses": responses} if last else {}
    return Dialled(found | ({"errors": errors} if errors else {}), last_ok)


def resolve(host: str, port: str, protocol: str) -> tuple[str, int]:
    """The address and the number of the port, IPv4 first, as Go resolves `HOST:PORT`; ValueError when there is none."""
    kind, network = KINDS[protocol]
    problem = "host and/or port param are invalid. "
    try:
        number = int(port or 0) if port.isdigit() or not port else socket.getservbyname(port, network)
    except OSError:
        raise ValueError(f"{problem}lookup {network}/{port}: unknown port") from None
    if number > 65535:
        raise ValueError(f"{problem}address {port}: invalid port")
    try:
        rows = socket.getaddrinfo(host.strip("[]") or "127.0.0.1", number, type=kind if protocol != "sctp" else 0)
    except (socket.gaierror, UnicodeError):
        raise ValueError(f"{problem}{lookup_error(host)}") from None
    found = sorted((str(row[4][0]) for row in rows), key=lambda address: ":" in address)
    return found[0], number


def lookup_error(host: str) -> str:
    """What Go says of a name that has no address: it names the server that was asked."""
    server = ""
    try:
        with open("/etc/resolv.conf") as file:
            servers = [line.split()[1] for line in file if line.startswith("nameserver ") and len(line.split()) > 1]
        server = f" on {with_port(servers[0], 53)}" if servers else ""
    except OSError:
        pass
    return f"lookup {host}{server}: no such host"


def reason(error: OSError) -> str:
    """Why a system call failed, in Go's words."""
    if isinstance(error, TimeoutError) and error.errno != errno.ETIMEDOUT:
        return "i/o timeout"
    return os.strerror(error.errno).lower() if error.errno else str(error)


def http_get(address: str, port: int, path: str) -> str:
    """The body of the answer to GET, at the end of at most ten redirects. OSError with Go's text."""
    url = f"http://{with_port(address, port)}/{path}"
    try:
        for _ in range(HOPS):
            reply = _get(url)
            if reply.code not in (301, 302, 303, 307, 308) or not reply.header("location"):
                return reply.body.decode(errors="replace")
            url = urljoin(url, reply.header("location"))
    except OSError as error:
        raise OSError(f"Get {json.dumps(url)}: {_http_reason(error, url)}") from None
    raise OSError(f"Get {json.dumps(url)}: stopped after {HOPS} redirects")


def _get(url: str) -> Reply:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = (("Host", parts.netloc), ("User-Agent", "Go-http-client/1.1"))
    return fetch(parts.hostname or "", parts.port or 80, target, headers=headers, limit=LIMIT)


def _http_reason(error: OSError, url: str) -> str:
    if reason(error) == "i/o timeout":
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if error.errno is None:  # of the answer, not of the network
        return str(error)
    doing = "read" if error.errno in (errno.ECONNRESET, errno.EPIPE) else "connect"
    return f"{'read' if doing == 'read' else 'dial'} tcp {urlsplit(url).netloc}: {doing}: {reason(error)}"


def udp(address: str, port: int, text: str) -> str:
    """The datagram that answers a datagram. OSError with Go's text."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(LIMIT)
        made.connect((address, port))
        way = f"udp {with_port(*made.getsockname()[:2])}->{with_port(address, port)}"
        try:
            made.send(text.encode())
        except OSError as error:
            raise OSError(f"udp connection write failed. err:write {way}: write: {reason(error)}") from None
        try:
            return made.recv(2048).decode(errors="replace")
        except OSError as error:
            told = reason(error) if reason(error) == "i/o timeout" else f"read: {reason(error)}"
            raise OSError(f"reading from udp connection failed. err:'read {way}: {told}'") from None


def sctp(address: str, port: int, text: str) -> str:
    """The message that answers a message on an SCTP association of its own. OSError with upstream's text."""
    try:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP)
        made.settimeout(LIMIT)
        made.connect((address, port))
    except OSError as error:
        raise OSError(f"sctp dial failed. err:{reason(error)}") from None
    with made:
        try:
            made.send(text.encode())
            return made.recv(1024).decode(errors="replace")
        except OSError as error:
            raise OSError(f"reading from sctp connection failed. err:'{reason(error)}'") from None


ASKS: dict[str, Callable[[str, int, str], str]] = {"http": http_get, "udp": udp, "sctp": sctp}
