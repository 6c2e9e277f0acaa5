"""What a request is answered with: bytes at once, a watch, or a pod's log."""

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


Answer = Response | Watch | LogRequest


def dump(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def json_response(value: Any, code: int = 200, *, warnings: tuple[str, ...] = ()) -> Response:
    """An answer with a JSON body."""
    return Response(code, dump(value), warnings=warnings)


def error_response(error: ApiError) -> Response:
    """The Status of a failed request."""
    return json_response(error.status(), error.code)
