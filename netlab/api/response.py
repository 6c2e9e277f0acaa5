"""What a request is answered with: bytes at once, a watch, a pod's log, a stream to a pod, a backend's answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from netlab.api.watch import Watch
from netlab.model.errors import ApiError

JSON = "application/json"


@dataclass(frozen=True)
class Response:
    """A complete answer. `warnings` are texts that kubectl shows."""

    code: int
    body: bytes = b""
    content_type: str = JSON
    warnings: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LogRequest:
    """The log of one container of a pod: where it is and which part is wanted."""

    namespace: str
    pod: str
    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None


@dataclass(frozen=True)
class StreamRequest:
    """A program (`exec`), a container (`attach`) or ports (`portforward`) of a pod, to be joined with the client."""

    kind: str
    namespace: str
    pod: str
    uid: str
    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    resizes: bool = False  # the client has a terminal of its own, and tells its size
    ports: tuple[int, ...] = ()  # of clients that name them at the start; kubectl names them as connections come


@dataclass(frozen=True)
class ProxyRequest:
    """A request to be passed on to a pod, or to a backend of a Service: `path` with its query, as the client wrote it.

    `prefix` is the path at which the client sees the backend's "/".
    """

    scheme: str
    host: str
    port: int
    path: str
    prefix: str


Answer = Response | Watch | LogRequest | StreamRequest | ProxyRequest


def dump(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def json_response(value: Any, code: int = 200, *, warnings: tuple[str, ...] = ()) -> Response:
    """An answer with a JSON body."""
    return Response(code, dump(value), warnings=warnings)


def error_response(error: ApiError) -> Response:
    """The Status of a failed request."""
    return json_response(error.status(), error.code)
