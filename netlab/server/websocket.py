"""WebSocket framing (RFC 6455), the server's side: bytes to messages, messages to bytes, no I/O.

    FIN 1 bit, 0 3 bits, opcode 4 | MASK 1, length 7 (126: 16 bits follow, 127: 64 bits) | mask 32 | payload

No extensions. Written here, since the libraries bring an HTTP parser of their own along for these hundred lines.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, PROTOCOL_ERROR, TOO_LARGE = 1000, 1002, 1009  # of close frames
MESSAGE_LIMIT = 32 * 1024 * 1024  # bytes; clients send 32 KiB
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocketError(Exception):
    """The client breaks the protocol; `code` is for the close frame."""

    def __init__(self, message: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Message:
    """A whole message (TEXT or BINARY), or a control frame (CLOSE, PING, PONG)."""

    opcode: int
    payload: bytes


class WebSocketServer:
    """Reads what one client sends."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._opcode = CONTINUATION
        self._size = 0

    def receive(self, data: bytes) -> list[Message]:
        """The messages that are complete with these bytes. WebSocketError when they are no WebSocket frames."""
        self._buffer += data
        return list(self._messages())

    def _messages(self) -> Iterator[Message]:
        while (frame := self._frame()) is not None:
            final, opcode, payload = frame
            if opcode >= CLOSE:
                if not final or len(payload) > 125:
                    raise WebSocketError("a control frame is too long or in parts")
                yield Message(opcode, payload)
                continue
            if (opcode == CONTINUATION) != bool(self._opcode):
                raise WebSocketError("a message begins within another, or goes on without a beginning")
            self._opcode = opcode or self._opcode
            self._parts.append(payload)
            self._size += len(payload)
            if self._size > MESSAGE_LIMIT or len(self._parts) > MESSAGE_LIMIT // 64:
                raise WebSocketError("a message is too large", TOO_LARGE)
            if final:
                message = Message(self._opcode, b"".join(self._parts))
                self._opcode, self._parts, self._size = CONTINUATION, [], 0
                yield message

    def _frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[:2]
        if first & 0x70:
            raise WebSocketError("an extension is used that was not agreed on")
        if not second & 0x80:
            raise WebSocketError("a client's frames must be masked")
        opcode = first & 0x0F
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise WebSocketError(f"there is no opcode {opcode}")
        length, place = second & 0x7F, 2
        if length >= 126:
            form = ">H" if length == 126 else ">Q"
            place += struct.calcsize(form)
            if len(buffer) < place:
                return None
            (length,) = struct.unpack_from(form, buffer, 2)
        if length > MESSAGE_LIMIT:
            raise WebSocketError("a message is too large", TOO_LARGE)
        if len(buffer) < place + 4 + length:
            return None
        mask, payload = bytes(buffer[place:place + 4]), bytes(buffer[place + 4:place + 4 + length])
        del buffer[:place + 4 + length]
        return bool(first & 0x80), opcode, unmask(payload, mask)


def unmask(payload: bytes, mask: bytes) -> bytes:
    """The payload xor the mask of four bytes, repeated; it undoes itself."""
    # As two large numbers: a loop over the bytes is a hundred times slower.
    size = len(payload)
    stream = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def frame(opcode: int, payload: bytes) -> bytes:
    """One message or control frame of the server."""
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, size)
    elif size < 65536:
        head = struct.pack(">BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
    return head + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """CLOSE with its code; the reason is cut to what fits."""
    return frame(CLOSE, struct.pack(">H", code) + reason.encode()[:123])


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
