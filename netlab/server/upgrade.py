"""From an HTTP request to WebSocket or SPDY: what both sides speak, and the 101 that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netlab.api.request import Request
from netlab.api.response import Response
from netlab.model.errors import bad_request
from netlab.server.websocket import accept_key

WEBSOCKET, SPDY = "websocket", "spdy/3.1"


@dataclass(frozen=True)
class Upgrade:
    """What the connection becomes; `head` is the answer before it does. `protocol` is "" when none was asked for."""

    kind: str
    protocol: str
    head: bytes


def negotiate(request: Request, *, websocket: Sequence[str], spdy: Sequence[str]) -> Upgrade | Response:
    """The client's first protocol that is among ours; a refusal when there is none. ApiError 400 without an upgrade."""
    kind = request.headers.get("upgrade", "").strip().lower()
    if "upgrade" not in request.headers.get("connection", "").lower() or kind not in (WEBSOCKET, SPDY):
        raise bad_request("Upgrade request required")
    if kind == WEBSOCKET:
        return _websocket(request, websocket)
    name = "x-stream-protocol-version"
    chosen = _choose(request.headers.get(name, ""), spdy)
    if chosen is None:
        text = ("unable to upgrade: unable to negotiate protocol: client supports "
                f"[{' '.join(_list(request.headers[name]))}], server accepts [{' '.join(spdy)}]")
        return Response(403, text.encode(), "text/plain; charset=utf-8")
    lines = ["Upgrade: SPDY/3.1", *([f"X-Stream-Protocol-Version: {chosen}"] if chosen else [])]
    return Upgrade(SPDY, chosen, _head(lines))


def _websocket(request: Request, ours: Sequence[str]) -> Upgrade | Response:
    key = request.headers.get("sec-websocket-key", "").strip()
    if request.method != "GET" or not key or request.headers.get("sec-websocket-version", "").strip() != "13":
        raise bad_request("a WebSocket needs GET, Sec-WebSocket-Key, and Sec-WebSocket-Version 13")
    offered = request.headers.get("sec-websocket-protocol", "")
    chosen = _choose(offered, ours)
    if chosen is None:
        text = f"requested protocol(s) are not supported: [{' '.join(_list(offered))}]; supports [{' '.join(ours)}]"
        return Response(403, text.encode(), "text/plain; charset=utf-8")
    lines = ["Upgrade: websocket", f"Sec-WebSocket-Accept: {accept_key(key)}",
             *([f"Sec-WebSocket-Protocol: {chosen}"] if chosen else [])]
    return Upgrade(WEBSOCKET, chosen, _head(lines))


def _list(header: str) -> list[str]:
    return [part.strip() for part in header.split(",") if part.strip()]


def _choose(header: str, ours: Sequence[str]) -> str | None:
    offered = _list(header)
    return next((name for name in offered if name in ours), None) if offered else ""


def _head(lines: list[str]) -> bytes:
    return "\r\n".join(["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", *lines, "", ""]).encode()
