"""SPDY/3.1 as kubectl speaks it for exec, attach and port-forward: bytes to events, events to bytes, no I/O.

The client opens all streams; nobody sends WINDOW_UPDATE or obeys it. Source: SPDY Protocol Draft 3.1.

    control frame   80 03 | type 16 bits | flags 8 | length 24 | payload
    data frame      stream id 32 bits (the first is 0) | flags 8 | length 24 | payload
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from netlab.server.spdy_dictionary import DICTIONARY

FIN = 1  # the sender's side of the stream ends
SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY, HEADERS = 1, 2, 3, 6, 7, 8
PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 1, 3, 5  # of RST_STREAM
CONTROL_LIMIT = 64 * 1024  # bytes of a control frame, and of its headers when decompressed
MAX_DATA = 32 * 1024  # bytes of our data frames: several streams share the connection
_VERSION = 0x8003


class SpdyError(Exception):
    """The other side does not speak SPDY/3.1: the connection cannot go on."""


@dataclass(frozen=True)
class Opened:
    """A stream of the client. `ended` says that it will send nothing on it."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True)
class Data:
    """Bytes of a stream, perhaps a part of a frame; with `ended` they are the last."""

    stream: int
    data: bytes
    ended: bool = False


@dataclass(frozen=True)
class Reset:
    """The client wants no more of the stream."""

    stream: int
    code: int


@dataclass(frozen=True)
class Ping:
    """To be sent back as it is."""

    number: int


@dataclass(frozen=True)
class GoAway:
    """The client ends the connection."""


Event = Opened | Data | Reset | Ping | GoAway


class SpdyServer:
    """The server's side of one connection; it keeps the compression's state of both directions."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(zdict=DICTIONARY)
        self._pack = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        self._buffer = bytearray()
        self._stream = self._flags = self._left = 0  # of a data frame that has arrived in part

    def receive(self, data: bytes) -> list[Event]:
        """What these bytes say, together with those before. SpdyError when they make no sense."""
        self._buffer += data
        return list(self._events())

    def _events(self) -> Iterator[Event]:
        buffer = self._buffer
        while buffer:
            if self._left:
                yield self._part(min(self._left, len(buffer)))
                continue
            if len(buffer) < 8:
                return
            head, rest = struct.unpack_from(">II", buffer)
            flags, length = rest >> 24, rest & 0xFFFFFF
            if not head >> 31:
                del buffer[:8]
                self._stream, self._flags, self._left = head, flags, length
                if not length:
                    yield self._part(0)
                continue
            if head >> 16 != _VERSION:
                raise SpdyError(f"no SPDY/3 frame: {bytes(buffer[:8]).hex(' ')}")
            if length > CONTROL_LIMIT:
                raise SpdyError(f"a control frame of {length} bytes is too large")
            if len(buffer) < 8 + length:
                return
            payload = bytes(buffer[8:8 + length])
            del buffer[:8 + length]
            try:
                event = self._control(head & 0xFFFF, flags, payload)
            except (struct.error, zlib.error, UnicodeDecodeError) as error:
                raise SpdyError(f"malformed control frame: {error}") from None
            if event:
                yield event

    def _part(self, size: int) -> Data:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._left -= size
        return Data(self._stream, data, ended=not self._left and bool(self._flags & FIN))

    def _control(self, kind: int, flags: int, payload: bytes) -> Event | None:
        if kind == SYN_STREAM:
            (stream,) = struct.unpack_from(">I", payload)
            return Opened(stream & 0x7FFFFFFF, self._headers(payload[10:]), ended=bool(flags & FIN))
        if kind in (SYN_REPLY, HEADERS):
            self._headers(payload[4:])  # of no use, but it is part of the compressed stream
        elif kind == RST_STREAM:
            stream, code = struct.unpack(">II", payload)
            return Reset(stream & 0x7FFFFFFF, code)
        elif kind == PING:
            return Ping(*struct.unpack(">I", payload))
        elif kind == GOAWAY:
            return GoAway()
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        data = self._unpack.decompress(block, CONTROL_LIMIT)
        if self._unpack.unconsumed_tail:
            raise SpdyError("a header block is too large")
        (count,) = struct.unpack_from(">I", data)
        texts, place = [], 4
        for _ in range(2 * count):
            (size,) = struct.unpack_from(">I", data, place)
            if place + 4 + size > len(data):
                raise SpdyError("a header block ends in the middle of a header")
            texts.append(data[place + 4:place + 4 + size].decode())
            place += 4 + size
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def reply(self, stream: int) -> bytes:
        """SYN_REPLY without headers: the stream is accepted."""
        block = self._pack.compress(bytes(4)) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        return _frame(SYN_REPLY, struct.pack(">I", stream) + block)


def data_frames(stream: int, data: bytes, *, end: bool = False) -> bytes:
    """DATA; with `end` the last one carries FIN."""
    pieces = [data[i:i + MAX_DATA] for i in range(0, len(data), MAX_DATA)] or [b""]
    return b"".join(struct.pack(">II", stream, (FIN << 24 if end and i == len(pieces) - 1 else 0) | len(piece)) + piece
                    for i, piece in enumerate(pieces))


def reset(stream: int, code: int) -> bytes:
    """RST_STREAM: the stream is refused, or over."""
    return _frame(RST_STREAM, struct.pack(">II", stream, code))


def ping(number: int) -> bytes:
    """PING, which answers a Ping of that number."""
    return _frame(PING, struct.pack(">I", number))


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">HHI", _VERSION, kind, len(payload)) + payload
